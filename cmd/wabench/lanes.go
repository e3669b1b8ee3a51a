package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// lanes measures what full lanes hold in memory: as many deliveries as a lane takes, all of which
// have failed once and wait for their retry.
type lanes struct{ count, unfinished int }

func lanesFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x lanes
	fs.IntVar(&x.count, "lanes", 10, "webhooks")
	fs.IntVar(&x.unfinished, "unfinished", 16_384, "unfinished deliveries of each")
	return func(ctx context.Context, b *bench) (report, error) {
		if min(x.count, x.unfinished) < 1 {
			return report{}, fmt.Errorf("lanes needs a webhook and a delivery: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

// full is what the child with the lanes reports, in bytes.
type full struct{ Peak, Anon int64 }

func (x lanes) measure(ctx context.Context, b *bench) (report, error) {
	var peak, rest series
	for round := range b.rounds {
		f, err := x.once(ctx, b)
		if err != nil {
			return report{}, err
		}
		peak, rest = append(peak, mebibytes(f.Peak)), append(rest, mebibytes(f.Anon))
		b.progress("round %d: anonymous memory %s MiB at the peak, %s MiB in the end", round+1, number(peak[round]), number(rest[round]))
	}
	return report{
		Settings: map[string]any{"lanes": x.count, "unfinished": x.unfinished},
		Rows: []row{
			{Design: "4", Name: fmt.Sprintf("anonymous memory, peak, %d lanes with %d unfinished deliveries each", x.count, x.unfinished), Unit: "MiB", Value: peak, Floor: 64, Aim: 32, Lower: true},
			{Name: "anonymous memory once they are full", Unit: "MiB", Value: rest, Lower: true},
		},
		Notes: []string{"each delivery is of a chat of its own, got a 503, and waits an hour for its retry; peak: from the start until 2 s after the last"},
	}, nil
}

func (x lanes) once(ctx context.Context, b *bench) (f full, err error) {
	urls, err := b.receivers.open(answer503)
	if err != nil {
		return f, err
	}
	dir := b.newDir()
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := (backlog{events: x.unfinished}).child(ctx, fmt.Sprintf("%s:%d", childLanes, x.count), dir, urls[0])
	if err != nil {
		return f, err
	}
	err = json.NewDecoder(c.out).Decode(&f)
	return f, errors.Join(err, c.cmd.Wait())
}

// lanesChild fills lanes and reports its memory.
func lanesChild(ctx context.Context, dir, url string, count, unfinished int, peak func() int64, enc *json.Encoder) (err error) {
	s, err := openService(ctx, dir, 16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	hook := outbox.Webhook{URL: url, HoldAfter: new(0), Schedule: []time.Duration{0, time.Hour}}
	for i := range count {
		if err := s.subscribeAs(ctx, subID(i), hook); err != nil {
			return err
		}
	}
	s.run(ctx)
	if err := s.appendAll(ctx, unfinished+unfinished/10, unfinished*2); err != nil {
		return err
	}
	for i := range count {
		err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
			st := s.disp.State(subID(i))
			if st.Status != "" && st.Status != dispatcher.StatusActive {
				return false, fmt.Errorf("the lane of %s is %s: %s", subID(i), st.Status, st.Reason)
			}
			return st.Unfinished >= min(unfinished, 16_384) && st.InFlight == 0, nil
		})
		if err != nil {
			return err
		}
	}
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	<-timer.C
	f := full{Peak: peak()}
	f.Anon, _ = anonBytes()
	return enc.Encode(f)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// kill measures what kill -9 has sent again: while events are appended as fast as they can be, and
// while a backlog is delivered. That nothing is lost is what cmd/internal/crash proves.
type kill struct {
	kills    int // of each kind, a round
	inFlight int
	backlog  int
}

func killFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	x := kill{inFlight: 16}
	// A kill takes about two seconds with all that is around it: a run by hand is to end within one
	// minute.
	fs.IntVar(&x.kills, "kills", 3, "kills of each kind in a round")
	fs.IntVar(&x.backlog, "backlog", 40_000, "events that wait in a drain")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.kills < 1 || x.backlog < 100 {
			return report{}, fmt.Errorf("kill needs a kill and a backlog: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

// killed is what one kill came to.
type killed struct {
	rate    float64 // deliveries/s until the kill
	repeats float64
}

// allowed is what was in flight and what is delivered in that time.
func (k killed) allowed(inFlight int, within time.Duration) float64 {
	return float64(inFlight) + k.rate*within.Seconds()
}

func (x kill) measure(ctx context.Context, b *bench) (report, error) {
	var appending, drain, allowed, aim series
	for round := range b.rounds {
		var a, d []killed
		for range x.kills {
			k, err := x.once(ctx, b, childAppend)
			if err != nil {
				return report{}, err
			}
			a = append(a, k)
			if k, err = x.once(ctx, b, childDrain); err != nil {
				return report{}, err
			}
			d = append(d, k)
			b.progress("round %d: %d of %d kills of each kind", round+1, len(d), x.kills)
		}
		most := func(list []killed, of func(killed) float64) float64 {
			all := series{}
			for _, k := range list {
				all = append(all, of(k))
			}
			return all.max()
		}
		repeats := func(k killed) float64 { return k.repeats }
		appending, drain = append(appending, most(a, repeats)), append(drain, most(d, repeats))
		allowed = append(allowed, most(d, func(k killed) float64 { return k.repeats / k.allowed(x.inFlight, 50*time.Millisecond) }))
		aim = append(aim, most(d, func(k killed) float64 { return k.repeats / k.allowed(x.inFlight, 25*time.Millisecond) }))
		b.progress("round %d: at most %s repeats of a kill while appending, %s in a drain, which is %s of what was in flight and 50 ms of deliveries",
			round+1, number(appending[round]), number(drain[round]), number(allowed[round]))
	}
	return report{
		Settings: map[string]any{"kills_a_round": x.kills, "max_in_flight": x.inFlight, "backlog": x.backlog},
		Rows: []row{
			{Design: "8", Name: "repeats of a kill while appending, most", Unit: "", Value: appending, Floor: 256, Aim: 64, Lower: true},
			{Name: "repeats of a kill in a drain, most", Unit: "", Value: drain, Lower: true},
			{Design: "8", Name: "in a drain, of in flight and 50 ms of deliveries", Unit: "×", Value: allowed, Floor: 1, Aim: 1, Lower: true},
			{Design: "8", Name: "in a drain, of in flight and 25 ms of deliveries", Unit: "×", Value: aim, Floor: 1, Aim: 1, Lower: true},
		},
		Notes: []string{
			"one webhook whose endpoint returns 200; a round's figure is the worst of its kills; repeats: POSTs of what the endpoint had got before",
			"while appending: 256 writers as fast as they can; deliveries of 50 ms: by the mean rate until the kill",
		},
	}, nil
}

// once kills one process in the middle of its work, lets another go on for a moment, and counts.
func (x kill) once(ctx context.Context, b *bench, what string) (k killed, err error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return k, err
	}
	dir := b.newDir()
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if what == childDrain {
		if err := x.prepare(ctx, dir, urls[0]); err != nil {
			return k, err
		}
	}
	if err := x.life(ctx, what, dir, urls[0], 300*time.Millisecond+rand.N(700*time.Millisecond)); err != nil {
		return k, err
	}
	first, err := b.receivers.take(false)
	if err != nil {
		return k, err
	}
	if first[0].Posts < 2 {
		return k, errors.New("nothing was delivered before the kill: the machine is too busy")
	}
	k.rate = float64(first[0].Posts) / time.Duration(first[0].Last-first[0].First).Seconds()
	if err := x.life(ctx, childDrain, dir, urls[0], 500*time.Millisecond); err != nil {
		return k, err
	}
	all, err := b.receivers.take(false)
	if err != nil {
		return k, err
	}
	k.repeats = float64(all[0].Posts - all[0].Distinct)
	return k, nil
}

// prepare fills a backlog.
func (x kill) prepare(ctx context.Context, dir, url string) error {
	s, err := openService(ctx, dir, x.inFlight)
	if err != nil {
		return err
	}
	err = s.subscribe(ctx, url)
	if err == nil {
		err = s.appendAll(ctx, x.backlog, chatsBurst)
	}
	return errors.Join(err, s.close())
}

// life runs a child until some time after it is ready, and kills it.
func (x kill) life(ctx context.Context, what, dir, url string, length time.Duration) error {
	c, err := (backlog{events: x.inFlight}).child(ctx, what, dir, url)
	if err != nil {
		return err
	}
	var ready bool
	err = json.NewDecoder(c.out).Decode(&ready)
	if err == nil {
		timer := time.NewTimer(length)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	err = errors.Join(err, c.cmd.Process.Kill())
	_ = c.cmd.Wait() // "signal: killed" is what was wanted
	return err
}

// runChild is a service that says when its lanes are loaded and runs until it is killed; writers
// append as fast as they can.
func runChild(ctx context.Context, dir, url string, inFlight, writers int, enc *json.Encoder) (err error) {
	s, err := openService(ctx, dir, inFlight)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.box.Sub(ctx, subID(0)); err != nil {
		if err := s.subscribe(ctx, url); err != nil {
			return err
		}
	}
	s.run(ctx)
	if err := s.loaded(ctx, subID(0)); err != nil {
		return err
	}
	if err := enc.Encode(true); err != nil {
		return err
	}
	if writers > 0 {
		_, err = s.appendWith(ctx, writers, func(int) bool { return ctx.Err() == nil })
		return err
	}
	<-ctx.Done()
	return nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"
)

// idle measures what the program itself takes while nothing happens: linked to a simulator, one
// webhook, no messages.
type idle struct {
	program string
	warm    time.Duration // before that, not counted
	length  time.Duration
}

func idleFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x idle
	fs.StringVar(&x.program, "program", "", "the built program (./cmd/waoutbox)")
	fs.DurationVar(&x.warm, "warm", 30*time.Second, "time after the link before anything is counted")
	fs.DurationVar(&x.length, "for", 10*time.Minute, "how long it is watched")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.program == "" || x.length < time.Second {
			return report{}, fmt.Errorf("idle needs --program, and a second: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x idle) measure(ctx context.Context, b *bench) (_ report, err error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return report{}, err
	}
	p, stop, err := startAlone(ctx, x.program)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := p.addWebhook(ctx, urls[0]); err != nil {
		return report{}, err
	}
	var memory, share series
	if err := rest(ctx, x.warm); err != nil {
		return report{}, err
	}
	for round := range b.rounds {
		before, _ := processUse(p.pid)
		if err := rest(ctx, x.length/time.Duration(b.rounds)); err != nil {
			return report{}, err
		}
		after, ok := processUse(p.pid)
		if !ok {
			return report{}, errors.New("the service has ended")
		}
		memory = append(memory, mebibytes(after.resident))
		share = append(share, 100*float64(after.cpu-before.cpu)/float64(x.length/time.Duration(b.rounds)))
		b.progress("part %d: %s MiB resident, %s %% of a processor", round+1, number(memory[round]), number(share[round]))
	}
	return report{
		Settings: map[string]any{"minutes": x.length.Minutes()},
		Rows: []row{
			{Design: "12", Name: "idle process: resident memory", Unit: "MiB", Value: memory, Floor: 60, Aim: 40, Lower: true},
			{Design: "12", Name: "idle process: processor", Unit: "%", Value: share, Floor: 0.2, Aim: 0.05, Lower: true},
		},
		Notes: []string{"the real program, linked to the simulator, one webhook, no messages; the rounds are parts of the whole time; per cent of one processor"},
	}, nil
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

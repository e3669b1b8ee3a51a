package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"
)

// written measures how many bytes go to the disk for an event and for a delivery.
type written struct {
	count   int           // events in each run of many writers
	writers int           //
	slow    time.Duration // how long the run at 1 event/s takes
}

func writtenFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x written
	fs.IntVar(&x.count, "count", 10_000, "events in each run")
	fs.IntVar(&x.writers, "writers", 256, "writers")
	fs.DurationVar(&x.slow, "slow", 10*time.Second, "how long events come at 1 a second")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.count < 10 || x.writers < 1 || x.slow < time.Second {
			return report{}, fmt.Errorf("written needs 10 events, a writer and a second: %w", errUsage)
		}
		if _, ok := writtenBytes(); !ok {
			return report{}, errors.New("this system does not report how much a process writes (/proc/self/io): use Linux for this one")
		}
		return x.measure(ctx, b)
	}
}

func (x written) measure(ctx context.Context, b *bench) (report, error) {
	var perEvent, perDelivery, slow series
	for round := range b.rounds {
		one, err := x.fast(ctx, b, 1)
		if err != nil {
			return report{}, err
		}
		ten, err := x.fast(ctx, b, 10)
		if err != nil {
			return report{}, err
		}
		slowRun, err := x.oneASecond(ctx, b)
		if err != nil {
			return report{}, err
		}
		perEvent = append(perEvent, one/bodySize)
		perDelivery = append(perDelivery, ten/10/1024)
		slow = append(slow, slowRun/1024)
		b.progress("round %d: %s × payload an event, %s KiB a delivery, %s KiB an event at 1/s", round+1,
			number(perEvent[round]), number(perDelivery[round]), number(slow[round]))
	}
	return report{
		Settings: map[string]any{"events": x.count, "writers": x.writers, "slow_seconds": x.slow.Seconds()},
		Rows: []row{
			{Design: "9", Name: fmt.Sprintf("written ÷ payload an event, 1 webhook, %d writers", x.writers), Unit: "×", Value: perEvent, Floor: 2, Aim: 1.5, Lower: true},
			{Design: "9", Name: "written a delivery, 10 webhooks", Unit: "KiB", Value: perDelivery, Floor: 0.6, Aim: 0.4, Lower: true},
			{Design: "9", Name: "written an event at 1/s, 1 webhook", Unit: "KiB", Value: slow, Floor: 80, Aim: 56, Lower: true},
		},
		Notes: []string{
			"written: write_bytes of /proc/self/io of this process, which writes nothing but the outbox; appends and settlements together",
			"a delivery of 10 webhooks: all that is written, the event itself included, ÷ deliveries",
		},
	}, nil
}

// fast returns the bytes an event costs when many writers append while webhooks are served,
// settlement included.
func (x written) fast(ctx context.Context, b *bench, subs int) (float64, error) {
	return x.during(ctx, b, subs, x.count, func(s *service) error {
		_, err := s.appendWith(ctx, x.writers, func(n int) bool { return n <= x.count })
		return err
	})
}

// oneASecond returns the bytes an event costs at one event a second.
func (x written) oneASecond(ctx context.Context, b *bench) (float64, error) {
	n := int(x.slow.Seconds())
	return x.during(ctx, b, 1, n, func(s *service) error { return s.appendPaced(ctx, 1, n, chatsPaced) })
}

// during returns the bytes written for each of n events that feed appends, from an idle start until
// all is delivered and settled.
func (x written) during(ctx context.Context, b *bench, subs, n int, feed func(*service) error) (_ float64, err error) {
	urls, err := b.receivers.open(slices.Repeat([]string{answerOK}, subs)...)
	if err != nil {
		return 0, err
	}
	s, err := openService(ctx, b.newDir(), 16)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := s.subscribe(ctx, urls...); err != nil {
		return 0, err
	}
	before, _ := writtenBytes()
	s.run(ctx)
	if err := feed(s); err != nil {
		return 0, err
	}
	if err := b.receivers.wait(subs, n, settleLimit); err != nil {
		return 0, err
	}
	if err := s.halt(); err != nil { // settles what was delivered
		return 0, err
	}
	after, _ := writtenBytes()
	return float64(after-before) / float64(n), nil
}

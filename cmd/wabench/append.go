package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// appends measures durable appends/s against single fdatasyncs/s.
type appends struct {
	each    time.Duration
	writers []int
}

func appendFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	x := appends{writers: []int{1, 256}}
	fs.DurationVar(&x.each, "for", 2*time.Second, "how long each run takes")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.each <= 0 {
			return report{}, fmt.Errorf("append needs some time: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x appends) measure(ctx context.Context, b *bench) (_ report, err error) {
	r := report{
		Settings: map[string]any{"seconds": x.each.Seconds()},
		Notes: []string{
			"measured: one event a call, dedupe index included, on a fresh outbox; no webhook",
			"limit: fdatasync of a 4 KiB overwrite in a preallocated file, right before and after, their mean",
		},
	}
	f, err := newSyncFile(b.dir)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	bounds := map[int][2]float64{1: {0.28, 0.45}, 256: {9, 15}}
	for _, writers := range x.writers {
		var limit, ours series
		for round := range b.rounds {
			before, err := f.rate(ctx, x.each/2)
			if err != nil {
				return report{}, err
			}
			got, err := x.once(ctx, b, writers)
			if err != nil {
				return report{}, fmt.Errorf("%d writers: %w", writers, err)
			}
			after, err := f.rate(ctx, x.each/2)
			if err != nil {
				return report{}, err
			}
			ours, limit = append(ours, got), append(limit, (before+after)/2)
			b.say("round %d, %d writers: fdatasync %s/s, appends %s/s", round+1, writers, number(limit[round]), number(got))
		}
		r.Rows = append(r.Rows, ratio("2", fmt.Sprintf("appends, %d writer(s)", writers), "/s", ours, limit, bounds[writers][0], bounds[writers][1], false))
	}
	return r, nil
}

// once appends for a while with a number of writers and answers appends/s.
func (x appends) once(ctx context.Context, b *bench, writers int) (rate float64, err error) {
	s, err := openService(ctx, b.newDir(), 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	began := time.Now()
	until := began.Add(x.each)
	n, err := s.appendWith(ctx, writers, func(int) bool { return time.Now().Before(until) })
	if err != nil {
		return 0, err
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// appendWith has writers append one event after the other, as long as more says so of the next number. It answers how many
// were appended.
func (s *service) appendWith(ctx context.Context, writers int, more func(n int) bool) (int, error) {
	var next, done atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := int(next.Add(1)); more(n); n = int(next.Add(1)) {
				if _, err := s.box.Append(ctx, event(n, chatsBurst)); err != nil {
					errs[w] = err
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return 0, errs[i]
	}
	return int(done.Load()), nil
}

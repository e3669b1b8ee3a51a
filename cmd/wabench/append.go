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

	"golang.org/x/sync/errgroup"

	"waoutbox/outbox"
)

// appends measures durable appends/s against single fdatasyncs/s.
type appends struct {
	each  time.Duration
	known int // keys that are known in the last run
	// how much longer each sync takes than on this disk, of a commit and of the limit
	slower time.Duration
	runs   []appendRun
}

// appendRun is one way to append.
type appendRun struct {
	name       string
	writers    int
	days       uint32 // over which the stanza times are spread
	onKnown    bool   // on an outbox that knows many keys
	floor, aim float64
}

func appendFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	x := appends{runs: []appendRun{
		{name: "1 writer(s)", writers: 1, floor: 0.35, aim: 0.45},
		{name: "256 writer(s)", writers: 256, floor: 12, aim: 18},
		{name: "256 writers, stanza times of 20 days", writers: 256, days: 20, floor: 12, aim: 18},
	}}
	fs.DurationVar(&x.each, "for", 2*time.Second, "how long each run takes")
	fs.IntVar(&x.known, "known", 3_000_000, "keys that are known in the last run; 0 leaves it out")
	fs.DurationVar(&x.slower, "slower", 0, "how much longer each sync takes than on this disk")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.each <= 0 || x.known < 0 || x.slower < 0 {
			return report{}, fmt.Errorf("append needs some time: %w", errUsage)
		}
		if x.known > 0 {
			x.runs = append(x.runs, appendRun{name: fmt.Sprintf("256 writers, %d keys known", x.known), writers: 256, days: 20, onKnown: true, floor: 12, aim: 18})
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
	if x.slower > 0 {
		f.slower = x.slower
		r.Settings["slower_us"] = x.slower.Microseconds()
		r.Notes = append(r.Notes, fmt.Sprintf("each of the two syncs of a commit, and each of the limit's, takes %v longer than on this disk", x.slower))
	}
	knowing := b.newDir()
	for _, run := range x.runs {
		var limit, ours series
		if run.onKnown {
			b.progress("making %d keys known", x.known)
			if err := know(ctx, knowing, x.known, run.days); err != nil {
				return report{}, fmt.Errorf("make keys known: %w", err)
			}
		}
		for round := range b.rounds {
			before, err := f.rate(ctx, x.each/2)
			if err != nil {
				return report{}, err
			}
			// as much as is written to the file
			if err := useMemory(b.dir, int64(x.each.Seconds()*(256<<20))); err != nil {
				return report{}, err
			}
			got, err := x.once(ctx, b, run, knowing)
			if err != nil {
				return report{}, fmt.Errorf("%s: %w", run.name, err)
			}
			after, err := f.rate(ctx, x.each/2)
			if err != nil {
				return report{}, err
			}
			ours, limit = append(ours, got), append(limit, (before+after)/2)
			b.progress("round %d, %s: fdatasync %s/s, appends %s/s", round+1, run.name, number(limit[round]), number(got))
		}
		r.Rows = append(r.Rows, ratio("2", "appends, "+run.name, "/s", ours, limit, run.floor, run.aim, false))
	}
	return r, nil
}

// know makes keys known to a new outbox in dir, by events without bodies whose stanza times are
// spread over days.
func know(ctx context.Context, dir string, keys int, days uint32) (err error) {
	s, err := openService(ctx, dir, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range 16 {
		g.Go(func() error {
			for {
				end := int(next.Add(outbox.MaxBatch))
				if end-outbox.MaxBatch >= keys {
					return nil
				}
				evs := make([]outbox.Event, min(outbox.MaxBatch, keys-(end-outbox.MaxBatch)))
				for i := range evs {
					evs[i] = event(end+i, chatsBurst)
					evs[i].Stamp -= uint32((end+i)*7919) % (days * 24 * 3600)
					evs[i].Body = nil
				}
				if _, err := s.box.Append(ctx, evs...); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// once appends for a while and returns appends/s: to a fresh outbox, or to the one that knows many
// keys.
func (x appends) once(ctx context.Context, b *bench, run appendRun, knowing string) (rate float64, err error) {
	dir, end := b.newDir(), (*service).discard
	if run.onKnown {
		dir, end = knowing, (*service).close
	}
	with := around{}
	if x.slower > 0 {
		with.commit = func(commit func() error) error {
			err := commit()
			time.Sleep(2 * x.slower) //nolint:forbidigo // as a slower disk does, at both of its syncs
			return err
		}
	}
	s, err := openServiceWith(ctx, dir, 1, with)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end(s)) }()
	began := time.Now()
	until := began.Add(x.each)
	n, err := s.appendEach(ctx, run.writers, func(int) bool { return time.Now().Before(until) }, func(n int) outbox.Event {
		e := event(n, chatsBurst)
		if run.days > 0 {
			e.Stamp -= uint32(n*7919) % (run.days * 24 * 3600)
		}
		return e
	})
	if err != nil {
		return 0, err
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// appendWith has writers append one event after the other, as long as more says so of the next
// number. It returns how many were appended.
func (s *service) appendWith(ctx context.Context, writers int, more func(n int) bool) (int, error) {
	return s.appendEach(ctx, writers, more, func(n int) outbox.Event { return event(n, chatsBurst) })
}

// appendEach is appendWith of events that nth makes.
func (s *service) appendEach(ctx context.Context, writers int, more func(n int) bool, nth func(n int) outbox.Event) (int, error) {
	var next, done atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := int(next.Add(1)); more(n); n = int(next.Add(1)) {
				if _, err := s.box.Append(ctx, nth(n)); err != nil {
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

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/retention"
	"waoutbox/store"
)

const (
	// childLimit bounds a child whose parent has ended.
	childLimit = 30 * time.Minute
	// childAfterlife bounds how long a filled child goes on appending when nobody kills it.
	childAfterlife = 30 * time.Second
	memoryStep     = 20 * time.Millisecond
)

// filled is what a child that filled an outbox reports: appends/s of the first and last tenth, the
// processor time of one there, and its anonymous memory.
type filled struct {
	First, Last       float64
	FirstCPU, LastCPU float64 // µs
	Anon, Peak        int64   // bytes
}

// resumed is what a child that delivered a backlog reports.
type resumed struct {
	// from the opening of the state until the outbox is open and every lane has loaded
	Ready  time.Duration
	Posted time.Duration // until the first POST is finished
	Rate   float64       // deliveries/s
	CPU    float64       // µs of processor time a delivery
	Peak   int64         // bytes of anonymous memory
	// the file once all that was delivered is removed and the service had a minute: how long it
	// took to become small, and what it is then, in bytes
	Small      time.Duration
	File, Live int64
}

// What a child does.
const (
	childFill   = "fill"   // appends a backlog
	childResume = "resume" // delivers it
	childAppend = "append" // appends and delivers until it is killed
	childDrain  = "drain"  // delivers until it is killed
	childLanes  = "lanes"  // fills lanes, as many as follow after a colon
)

// backlogChild is `wabench backlog-child WHAT DIR URL N`: one JSON line on out when it has done its
// work, or has begun what it does until it is killed. N is the number of events, or of attempts at
// once.
func backlogChild(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 4 {
		return fmt.Errorf("backlog-child is run by wabench itself: %w", errUsage)
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return fmt.Errorf("%w: %w", err, errUsage)
	}
	ctx, cancel := context.WithTimeout(ctx, childLimit)
	defer cancel()
	peak := watchMemory(ctx)
	enc := json.NewEncoder(out)
	switch what, count, _ := strings.Cut(args[0], ":"); what {
	case childFill:
		return fillBacklog(ctx, args[1], args[2], n, peak, enc)
	case childResume:
		return resumeBacklog(ctx, args[1], n, peak, enc)
	case childAppend:
		return runChild(ctx, args[1], args[2], n, 256, enc)
	case childDrain:
		return runChild(ctx, args[1], args[2], n, 0, enc)
	case childLanes:
		webhooks, err := strconv.Atoi(count)
		if err != nil {
			return fmt.Errorf("%w: %w", err, errUsage)
		}
		return lanesChild(ctx, args[1], args[2], webhooks, n, peak, enc)
	}
	return fmt.Errorf("backlog-child %s: %w", args[0], errUsage)
}

// watchMemory samples the anonymous memory until ctx ends; what it returns is the highest so far.
func watchMemory(ctx context.Context) (peak func() int64) {
	var highest atomic.Int64
	sample := func() int64 {
		if n, ok := anonBytes(); ok && n > highest.Load() {
			highest.Store(n)
		}
		return highest.Load()
	}
	go func() {
		tick := time.NewTicker(memoryStep)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				sample()
			case <-ctx.Done():
				return
			}
		}
	}()
	return sample
}

// fillBacklog appends n events for a webhook nobody serves, reports its figures, and goes on
// appending until it is killed.
func fillBacklog(ctx context.Context, dir, url string, n int, peak func() int64, enc *json.Encoder) (err error) {
	s, err := openService(ctx, dir, 16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.subscribe(ctx, url); err != nil {
		return err
	}
	var f filled
	tenth := n / 10
	for i := range 10 {
		began, spent := time.Now(), cpuTime()
		if _, err := s.appendWith(ctx, 256, func(k int) bool { return k <= tenth }); err != nil {
			return err
		}
		f.Last = float64(tenth) / time.Since(began).Seconds()
		f.LastCPU = float64((cpuTime() - spent).Microseconds()) / float64(tenth)
		if i == 0 {
			f.First, f.FirstCPU = f.Last, f.LastCPU
		}
	}
	if _, err := s.appendWith(ctx, 1, func(k int) bool { return k <= n-10*tenth }); err != nil {
		return err
	}
	f.Anon, _ = anonBytes()
	f.Peak = peak()
	if err := enc.Encode(f); err != nil {
		return err
	}
	until := time.Now().Add(childAfterlife)
	_, err = s.appendWith(ctx, 4, func(int) bool { return time.Now().Before(until) })
	return err
}

// resumeBacklog opens a state with a backlog, takes the times of a start, and delivers n events.
func resumeBacklog(ctx context.Context, dir string, n int, peak func() int64, enc *json.Encoder) (err error) {
	began := time.Now()
	watch := &watchedSender{began: began, want: int64(n), all: make(chan struct{})}
	s, err := openServiceWith(ctx, dir, 16, around{sender: func(sender dispatcher.Sender) dispatcher.Sender {
		watch.sender = sender
		return watch
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	subs, err := s.box.Subs(ctx)
	if err != nil {
		return err
	}
	s.run(ctx)
	release := s.retain(ctx)
	defer func() { err = errors.Join(err, release()) }()
	for _, sub := range subs {
		if err := s.loaded(ctx, sub.ID); err != nil {
			return err
		}
	}
	r := resumed{Ready: time.Since(began)}
	spent := cpuTime()
	select {
	case <-watch.all:
	case <-ctx.Done():
		return fmt.Errorf("%d of %d delivered: %w", watch.done.Load(), n, ctx.Err())
	}
	r.Posted = time.Duration(watch.first.Load())
	r.Rate = float64(n) / (time.Since(began) - r.Posted).Seconds()
	r.CPU = float64((cpuTime() - spent).Microseconds()) / float64(n)
	r.Peak = peak()
	if err := s.settled(ctx); err != nil {
		return err
	}
	if err := s.shrink(ctx, &r); err != nil {
		return err
	}
	return enc.Encode(r)
}

const (
	// shrinkLimit is how long the file may take to become small after a drain.
	shrinkLimit = time.Minute
	// smallFile is a file that is small however little lives in it.
	smallFile = 64 << 20
)

// retain removes what was delivered, and compacts, as a service does that retains nothing. release
// ends it.
func (s *service) retain(ctx context.Context) (release func() error) {
	const month = 30 * 24 * time.Hour
	ctx, cancel := context.WithCancel(ctx)
	keep := retention.New(s.box, s.disp, retention.Policy{Pending: month, Dead: month}, time.Time{}, s.log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return keep.Run(ctx) })
	g.Go(func() error { return s.db.RunCompaction(ctx, store.DefaultCompactPolicy()) })
	return func() error {
		cancel()
		return g.Wait()
	}
}

// shrink waits until the file is small, or the time is over.
func (s *service) shrink(ctx context.Context, r *resumed) error {
	ctx, cancel := context.WithTimeout(ctx, shrinkLimit)
	defer cancel()
	began := time.Now()
	err := poll(ctx, 100*time.Millisecond, func() (bool, error) {
		stats, err := s.box.Stats(ctx)
		if err == nil {
			r.File, r.Live = stats.Bytes, stats.LiveBytes
		}
		return stats.Events == 0 && stats.Bytes <= max(smallFile, 3*stats.LiveBytes), err
	})
	r.Small = time.Since(began)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // the figure says so
	}
	return err
}

// watchedSender is the real sender; it notes when the first POST and the last wanted one were
// finished.
type watchedSender struct {
	sender dispatcher.Sender
	began  time.Time
	want   int64
	first  atomic.Int64 // nanoseconds after began
	done   atomic.Int64
	all    chan struct{}
}

// Send makes the attempt through the real sender.
func (w *watchedSender) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	res := w.sender.Send(ctx, r)
	if res.Class == outbox.ClassOK {
		w.first.CompareAndSwap(0, int64(time.Since(w.began)))
		if w.done.Add(1) == w.want {
			close(w.all)
		}
	}
	return res
}

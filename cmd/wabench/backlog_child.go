package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

const (
	// childLimit bounds a child whose parent is gone.
	childLimit = 30 * time.Minute
	// childAfterlife bounds how long a filled child goes on appending when nobody kills it.
	childAfterlife = 30 * time.Second
	memoryStep     = 20 * time.Millisecond
)

// filled is what a child that filled an outbox tells: appends/s of the first and last tenth, and its anonymous memory.
type filled struct {
	First, Last float64
	Anon, Peak  int64 // bytes
}

// resumed is what a child that delivered a backlog tells.
type resumed struct {
	Ready  time.Duration // from the opening of the state until the outbox is open and every lane has loaded
	Posted time.Duration // until the first POST is finished
	Rate   float64       // deliveries/s
	Peak   int64         // bytes of anonymous memory
}

// backlogChild is `wabench backlog-child fill|resume DIR URL EVENTS`: one JSON line on out when it has done its work.
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
	switch args[0] {
	case "fill":
		return fillBacklog(ctx, args[1], args[2], n, peak, enc)
	case "resume":
		return resumeBacklog(ctx, args[1], n, peak, enc)
	}
	return fmt.Errorf("backlog-child %s: %w", args[0], errUsage)
}

// watchMemory samples the anonymous memory until ctx ends; what it answers says the highest so far.
func watchMemory(ctx context.Context) (peak func() int64) {
	var highest atomic.Int64
	look := func() int64 {
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
				look()
			case <-ctx.Done():
				return
			}
		}
	}()
	return look
}

// fillBacklog appends n events for a webhook nobody serves, tells its figures, and goes on appending until it is killed.
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
		began := time.Now()
		if _, err := s.appendWith(ctx, 256, func(k int) bool { return k <= tenth }); err != nil {
			return err
		}
		rate := float64(tenth) / time.Since(began).Seconds()
		if i == 0 {
			f.First = rate
		}
		f.Last = rate
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
	s, err := openServiceWith(ctx, dir, 16, func(real dispatcher.Sender) dispatcher.Sender {
		watch.real = real
		return watch
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	subs, err := s.box.Subs(ctx)
	if err != nil {
		return err
	}
	s.run(ctx)
	for _, sub := range subs {
		for s.disp.State(sub.ID).Status == "" {
			if err := ctx.Err(); err != nil {
				return err
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
	r := resumed{Ready: time.Since(began)}
	select {
	case <-watch.all:
	case <-ctx.Done():
		return fmt.Errorf("%d of %d delivered: %w", watch.done.Load(), n, ctx.Err())
	}
	r.Posted = time.Duration(watch.first.Load())
	r.Rate = float64(n) / (time.Since(began) - r.Posted).Seconds()
	r.Peak = peak()
	return enc.Encode(r)
}

// watchedSender is the real sender, with a look at when the first POST and the last wanted one were finished.
type watchedSender struct {
	real  dispatcher.Sender
	began time.Time
	want  int64
	first atomic.Int64 // nanoseconds after began
	done  atomic.Int64
	all   chan struct{}
}

// Send makes the attempt through the real sender.
func (w *watchedSender) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	res := w.real.Send(ctx, r)
	if res.Class == outbox.ClassOK {
		w.first.CompareAndSwap(0, int64(time.Since(w.began)))
		if w.done.Add(1) == w.want {
			close(w.all)
		}
	}
	return res
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"waoutbox/outbox"
)

// part is what runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
	// what it does it does again and again, and beside the rest: after a panic it is run anew, and
	// nothing else ends
	anew bool
}

// partPause is how long a part that panicked rests before it is run anew.
const partPause = 10 * time.Second

// errPanicked is the error of a part that panicked.
var errPanicked = errors.New("something went wrong inside waoutbox; the log has more")

// contained runs a part until it returns. A panic is its error, or has it run anew after a rest.
func (p part) contained(ctx context.Context, log *slog.Logger) error {
	for {
		err := contained(log, p.name, func() error { return p.run(ctx) })
		if !errors.Is(err, errPanicked) || !p.anew {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(partPause):
		}
	}
}

// contained runs f. A panic is logged, which counts it, and is errPanicked. Of its value only a
// runtime error is written out: anything else may be text of somebody else.
func contained(log *slog.Logger, doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a part of the service panicked", "part", doing, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return f()
}

// runParts runs all parts at once, and extra beside them. When ctx ends or a part does, by a panic
// too, it stops them one after the other in the order given, each waited for. It returns the first
// failure.
func runParts(ctx context.Context, log *slog.Logger, parts []part, extra func(context.Context)) error {
	over, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = contained(log, "foreground", func() error { extra(over); return nil }) // it is logged
	})
	stops := make([]context.CancelFunc, len(parts))
	errs := make([]chan error, len(parts))
	for i, s := range parts {
		sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stops[i], errs[i] = cancel, make(chan error, 1)
		go func() {
			err := s.contained(sctx, log)
			if err != nil && sctx.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil
			}
			errs[i] <- err
			end() // one part down: the others follow
		}()
	}
	<-over.Done()
	log.Info("stopping")
	wg.Wait()
	var first error
	for i, s := range parts {
		stops[i]()
		if err := <-errs[i]; err != nil && first == nil {
			first = fmt.Errorf("%s: %w", s.name, err)
		}
	}
	log.Info("stopped")
	return first
}

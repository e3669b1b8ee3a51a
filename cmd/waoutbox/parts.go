package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// part is what runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// runParts runs all parts at once, and extra beside them. When ctx ends or a part does, it stops
// them one after the other in the order given, each waited for. It returns the first failure.
func runParts(ctx context.Context, log *slog.Logger, parts []part, extra func(context.Context)) error {
	over, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() { extra(over) })
	stops := make([]context.CancelFunc, len(parts))
	errs := make([]chan error, len(parts))
	for i, s := range parts {
		sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stops[i], errs[i] = cancel, make(chan error, 1)
		go func() {
			err := s.run(sctx)
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

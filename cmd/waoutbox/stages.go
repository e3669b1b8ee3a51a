package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// stage is a part that runs until its context ends.
type stage struct {
	name string
	run  func(context.Context) error
}

// runStages runs all stages at once, and extra beside them. When ctx ends or a stage does, it stops them one after the other in
// the order given, each waited for. The first failure is the answer.
func runStages(ctx context.Context, log *slog.Logger, stages []stage, extra func(context.Context)) error {
	over, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() { extra(over) })
	stops := make([]context.CancelFunc, len(stages))
	errs := make([]chan error, len(stages))
	for i, s := range stages {
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
	for i, s := range stages {
		stops[i]()
		if err := <-errs[i]; err != nil && first == nil {
			first = fmt.Errorf("%s: %w", s.name, err)
		}
	}
	log.Info("stopped")
	return first
}

// Package demo shows the whole way of an event on one machine, without a phone: a WhatsApp
// simulator, two receivers, and the service as a child process that is killed once on the way. It
// knows the service only from outside: through the simulator, the receivers, and the JSON of the
// command line.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waoutbox/cmd/internal/rmtree"
)

// limit bounds a run whatever happens. It takes about 20 s, most of them waits between attempts; a
// busy or slow machine may need several times that.
const limit = 2 * time.Minute

// Options say where the service is and where its steps are shown.
type Options struct {
	Executable string           // the waoutbox binary to run as the service
	Show       func(line Line)  // called for every step, one at a time; nil = silent
	Stay       bool             // keep everything running after the last step until ctx ends
	Ready      func(hint Hints) // called when Stay begins
}

// Hints are what a person needs to play with a demo that stays.
type Hints struct{ StateDir, ControlURL string }

// Summary is the result, and the JSON line of `demo --once --json`.
type Summary struct {
	Linked bool `json:"linked"`
	Events int  `json:"events"` // events the receivers got, each counted once
	// deliveries the receivers answered with 2xx: one per event and receiver
	Delivered    int `json:"delivered"`
	Retried      int `json:"retried"`       // deliveries that took more than one attempt
	DeadLettered int `json:"dead_lettered"` // deliveries that failed four times
	Replayed     int `json:"replayed"`      // dead letters delivered by the replay
	// deliveries whose signature was right on every attempt
	SignaturesValid int `json:"signatures_valid"`
	// deliveries that should have been made and were not
	Lost int `json:"lost"`
}

// Run goes through all steps once and returns what came of it. An error says where it broke off;
// the summary then holds what was counted until there. Everything it started has ended when it
// returns, and its temporary state is gone.
func Run(ctx context.Context, o Options) (sum Summary, err error) {
	if o.Show == nil {
		o.Show = func(Line) {}
	}
	base, err := os.MkdirTemp("", "waoutbox-demo-")
	if err != nil {
		return sum, fmt.Errorf("make a temporary directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, rmtree.Remove(base)) }()
	once, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := newSetup(filepath.Join(base, "state"), o)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.steps(once)
	sum = s.summary()
	if err == nil && sum.Lost > 0 {
		err = fmt.Errorf("%d deliveries were lost", sum.Lost)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("the demo did not end within %s: %w", limit, err)
		}
		return sum, errors.Join(err, s.service.lastLog())
	}
	if o.Stay && o.Ready != nil {
		o.Ready(Hints{StateDir: s.service.stateDir, ControlURL: s.sim.ControlURL()})
		<-ctx.Done()
	}
	return sum, nil
}

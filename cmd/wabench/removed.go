package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// removed measures what webhooks that were removed long ago still cost: outboxes without them, with
// many that left nothing, and with many that left dead letters are started, asked for their status
// and appended to in turn.
type removed struct {
	webhooks int // removed ones
	batches  int // appends in each run, of outbox.MaxBatch events
	asks     int // status calls in each run
}

func removedFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x removed
	fs.IntVar(&x.webhooks, "webhooks", 1000, "removed webhooks")
	fs.IntVar(&x.batches, "batches", 40, fmt.Sprintf("appends of %d events in each run", outbox.MaxBatch))
	fs.IntVar(&x.asks, "asks", 20, "status calls in each run")
	return func(ctx context.Context, b *bench) (report, error) {
		if min(x.webhooks, x.batches, x.asks) < 1 {
			return report{}, fmt.Errorf("removed needs a webhook, a batch and a status call: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

// removedRun is what one run on one outbox took, in milliseconds.
type removedRun struct{ start, first, status, append float64 }

// What is compared: the first is the limit of the others.
const (
	withoutRemoved = iota
	removedEmpty   // removed webhooks that left nothing
	removedDead    // removed webhooks with a dead-lettered backlog
	removedKinds
)

func (x removed) measure(ctx context.Context, b *bench) (report, error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return report{}, err
	}
	var dirs [removedKinds]string
	for kind := range dirs {
		dirs[kind] = b.newDir()
		if err := x.prepare(ctx, dirs[kind], urls[0], kind); err != nil {
			return report{}, fmt.Errorf("prepare an outbox: %w", err)
		}
	}
	var taken [removedKinds][]removedRun
	for round := range b.rounds {
		for i := range dirs {
			kind := i
			if round%2 == 1 {
				kind = len(dirs) - 1 - i
			}
			run, err := x.once(ctx, b, dirs[kind])
			if err != nil {
				return report{}, err
			}
			taken[kind] = append(taken[kind], run)
			b.progress("round %d, %s: start %s ms, status %s ms, append %s ms", round+1, x.name(kind),
				number(run.start), number(run.status), number(run.append))
		}
	}
	return x.report(taken), nil
}

func (x removed) name(kind int) string {
	switch kind {
	case removedEmpty:
		return fmt.Sprintf("%d removed", x.webhooks)
	case removedDead:
		return fmt.Sprintf("%d removed with dead letters", x.webhooks)
	}
	return "none removed"
}

// report sets the runs with removed webhooks against those without.
func (x removed) report(taken [removedKinds][]removedRun) report {
	r := report{
		Settings: map[string]any{"removed_webhooks": x.webhooks, "batches": x.batches, "status_calls": x.asks},
		Notes: []string{
			fmt.Sprintf("limit: the same outbox without removed webhooks, 1 webhook in use in all; with dead letters: each removed one has %d", outbox.MaxBatch),
			"a run starts the service, asks for its status, then appends with its dispatcher halted; append and status are medians of the run",
		},
	}
	for _, kind := range []int{removedEmpty, removedDead} {
		for _, f := range []struct {
			name       string
			floor, aim float64
			of         func(removedRun) float64
		}{
			{fmt.Sprintf("append of %d events", outbox.MaxBatch), 1.2, 1.05, func(r removedRun) float64 { return r.append }},
			{"start: outbox open, lane of the webhook in use loaded", 1.2, 1.05, func(r removedRun) float64 { return r.start }},
			{"status, over the control socket", 1.2, 1.05, func(r removedRun) float64 { return r.status }},
			{"first status after a start", 0, 0, func(r removedRun) float64 { return r.first }},
		} {
			var with, without series
			for i := range taken[kind] {
				with, without = append(with, f.of(taken[kind][i])), append(without, f.of(taken[withoutRemoved][i]))
			}
			r.Rows = append(r.Rows, ratio("6", x.name(kind)+": "+f.name, "ms", with, without, f.floor, f.aim, true))
		}
	}
	return r
}

// prepare makes an outbox with one webhook in use and the removed ones of its kind, all of it
// settled.
func (x removed) prepare(ctx context.Context, dir, url string, kind int) (err error) {
	s, err := openService(ctx, dir, 16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	webhooks := 1
	if kind != withoutRemoved {
		webhooks += x.webhooks
	}
	if err := s.subscribe(ctx, slices.Repeat([]string{url}, webhooks)...); err != nil {
		return err
	}
	fill := func() error { return s.appendAll(ctx, outbox.MaxBatch, chatsBurst) }
	remove := func() error { return s.removeAllButFirst(ctx) }
	steps := []func() error{fill, remove} // the removed ones are owed what was appended before
	if kind == removedEmpty {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	s.run(ctx)
	return s.settled(ctx)
}

// removeAllButFirst marks webhooks as removed; the dispatcher does the rest once it runs.
func (s *service) removeAllButFirst(ctx context.Context) error {
	subs, err := s.box.Subs(ctx)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if sub.ID == subID(0) {
			continue
		}
		// matches nothing from now on
		sub.Removed, sub.Epochs = true, append(sub.Epochs, outbox.Epoch{})
		if _, err := s.box.PutSub(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// once starts the outbox in dir and takes the times of what a person waits for.
func (x removed) once(ctx context.Context, b *bench, dir string) (r removedRun, err error) {
	began := time.Now()
	s, err := openService(ctx, dir, 16)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.run(ctx)
	if err := s.loaded(ctx, subID(0)); err != nil {
		return r, err
	}
	r.start = milliseconds(time.Since(began))
	status, stop, err := s.control(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if r.first, err = medianTime(1, status); err != nil {
		return r, err
	}
	if r.status, err = medianTime(x.asks, status); err != nil {
		return r, err
	}
	if err := errors.Join(s.halt(), b.receivers.reset()); err != nil {
		return r, err
	}
	r.append, err = medianTime(x.batches, func() error { return s.appendAll(ctx, outbox.MaxBatch, chatsBurst) })
	if err != nil {
		return r, err
	}
	s.run(ctx) // the next run finds nothing to deliver
	if err := b.receivers.wait(1, x.batches*outbox.MaxBatch, settleLimit); err != nil {
		return r, err
	}
	return r, s.settled(ctx)
}

// control serves the control socket as the daemon does, and returns what `waoutbox status` asks it.
func (s *service) control(ctx context.Context) (status func() error, stop func() error, err error) {
	ln, err := socket.Listen(s.dir)
	if err != nil {
		return nil, nil, err
	}
	daemon := &api.Daemon{PID: os.Getpid(), Version: "wabench"}
	server := control.NewServer(control.ServerOptions{
		Service: admin.New(admin.Options{Engine: s.box, Dispatcher: s.disp, Sender: s.sender, Seal: s.key.Seal, Unseal: s.key.Open, Daemon: daemon, Log: s.log}),
		Daemon:  *daemon, Stop: func() {}, Log: s.log,
	})
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	client := control.NewClient(s.dir, control.Agent{})
	status = func() error {
		_, err := client.Status(ctx)
		return err
	}
	return status, func() error { cancel(); return <-served }, nil
}

// medianTime calls do n times, one after the other, and returns the median time in milliseconds.
func medianTime(n int, do func() error) (float64, error) {
	var took series
	for range n {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took.median(), nil
}

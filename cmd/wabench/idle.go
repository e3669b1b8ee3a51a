package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// idle measures what the program itself takes while nothing happens: linked to a simulator, one
// webhook, no messages.
type idle struct {
	program string
	warm    time.Duration // before that, not counted
	length  time.Duration
}

func idleFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x idle
	fs.StringVar(&x.program, "program", "", "the built program (./cmd/waoutbox)")
	fs.DurationVar(&x.warm, "warm", 30*time.Second, "time after the link before anything is counted")
	fs.DurationVar(&x.length, "for", 10*time.Minute, "how long it is watched")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.program == "" || x.length < time.Second {
			return report{}, fmt.Errorf("idle needs --program, and a second: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x idle) measure(ctx context.Context, b *bench) (_ report, err error) {
	if _, ok := processUse(os.Getpid()); !ok {
		return report{}, errors.New("this system does not report what another process takes (/proc): use Linux for this one")
	}
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return report{}, err
	}
	sim, err := startSimulator()
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	// a unix socket's path is short
	dir, err := os.MkdirTemp("", "wo")
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	state := filepath.Join(dir, "state")
	serve := exec.CommandContext(ctx, x.program, "serve", "--state-dir", state, "--whatsapp-url", sim.URL(), "--whatsapp-root-key", sim.RootKey())
	serve.WaitDelay = time.Second
	if err := serve.Start(); err != nil {
		return report{}, fmt.Errorf("start %s: %w", x.program, err)
	}
	defer func() {
		_ = serve.Process.Kill()
		_ = serve.Wait() // "signal: killed" is what was wanted
	}()
	if err := x.link(ctx, sim, state); err != nil {
		return report{}, err
	}
	if out, err := exec.CommandContext(ctx, x.program, "--state-dir", state, "webhook", "add", urls[0]).CombinedOutput(); err != nil {
		return report{}, fmt.Errorf("webhook add: %w: %s", err, out)
	}
	var memory, share series
	if err := rest(ctx, x.warm); err != nil {
		return report{}, err
	}
	for round := range b.rounds {
		before, _ := processUse(serve.Process.Pid)
		if err := rest(ctx, x.length/time.Duration(b.rounds)); err != nil {
			return report{}, err
		}
		after, ok := processUse(serve.Process.Pid)
		if !ok {
			return report{}, errors.New("the service has ended")
		}
		memory = append(memory, mebibytes(after.resident))
		share = append(share, 100*float64(after.cpu-before.cpu)/float64(x.length/time.Duration(b.rounds)))
		b.progress("part %d: %s MiB resident, %s %% of a processor", round+1, number(memory[round]), number(share[round]))
	}
	return report{
		Settings: map[string]any{"minutes": x.length.Minutes()},
		Rows: []row{
			{Design: "12", Name: "idle process: resident memory", Unit: "MiB", Value: memory, Floor: 60, Aim: 40, Lower: true},
			{Design: "12", Name: "idle process: processor", Unit: "%", Value: share, Floor: 0.2, Aim: 0.05, Lower: true},
		},
		Notes: []string{"the real program, linked to the simulator, one webhook, no messages; the rounds are parts of the whole time; per cent of one processor"},
	}, nil
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// link pairs the program with a simulated phone, once the service is there.
func (x idle) link(ctx context.Context, sim *wasim.Server, state string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	phone := sim.NewAccount("491515550100", "Alice")
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		return exec.CommandContext(ctx, x.program, "--state-dir", state, "status", "--json").Run() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the service: %w", err)
	}
	cmd := exec.CommandContext(ctx, x.program, "--state-dir", state, "pair", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	scanned := false
	for dec := json.NewDecoder(out); ; {
		var step api.PairStep
		if dec.Decode(&step) != nil {
			break
		}
		if step.Step == api.StepQR && !scanned {
			scanned = true
			if err := phone.ScanQR(ctx, step.QR); err != nil {
				return errors.Join(err, cmd.Wait())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("pair: %w: %s", err, said.String())
	}
	return phone.WaitOnline(ctx)
}

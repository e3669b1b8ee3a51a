package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// linkedProgram is the built program as a process of its own, linked to a simulator.
type linkedProgram struct {
	path  string
	sim   *wasim.Server
	phone *wasim.Account
	state string // its state directory
	pid   int
	stop  func()
}

// startProgram starts the program at path, with more flags of serve, on a state in dir, and links
// it with a new phone of sim. The caller stops it.
func startProgram(ctx context.Context, path string, sim *wasim.Server, dir string, flags ...string) (*linkedProgram, error) {
	p := &linkedProgram{path: path, sim: sim, state: filepath.Join(dir, "s")}
	serve := exec.CommandContext(ctx, path, append([]string{"serve", "--state-dir", p.state, "--whatsapp-url", sim.URL(), "--whatsapp-root-key", sim.RootKey()}, flags...)...)
	serve.WaitDelay = time.Second
	if err := serve.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p.pid = serve.Process.Pid
	p.stop = func() {
		_ = serve.Process.Kill()
		_ = serve.Wait() // "signal: killed" is what was wanted
	}
	if err := p.link(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// startAlone starts the program with a simulator and a state of its own, all of which stop takes
// away.
func startAlone(ctx context.Context, path string, flags ...string) (_ *linkedProgram, stop func() error, err error) {
	if _, ok := processUse(os.Getpid()); !ok {
		return nil, nil, errors.New("this system does not report what another process takes (/proc): use Linux for this one")
	}
	sim, err := startSimulator()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "wo") // a unix socket's path is short
	if err != nil {
		return nil, nil, errors.Join(err, sim.Close())
	}
	p, err := startProgram(ctx, path, sim, dir, flags...)
	if err != nil {
		return nil, nil, errors.Join(err, sim.Close(), os.RemoveAll(dir))
	}
	return p, func() error {
		p.stop()
		return errors.Join(sim.Close(), os.RemoveAll(dir))
	}, nil
}

// addWebhook registers a webhook by the command line.
func (p *linkedProgram) addWebhook(ctx context.Context, url string, flags ...string) error {
	out, err := exec.CommandContext(ctx, p.path, append([]string{"--state-dir", p.state, "webhook", "add", url}, flags...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("webhook add: %w: %s", err, out)
	}
	return nil
}

// link waits until the service runs, and has a new phone scan its code.
func (p *linkedProgram) link(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.phone = p.sim.NewAccount("491515550100", "Alice")
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		return exec.CommandContext(ctx, p.path, "--state-dir", p.state, "status", "--json").Run() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the service: %w", err)
	}
	cmd := exec.CommandContext(ctx, p.path, "--state-dir", p.state, "pair", "--json")
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
			if err := p.phone.ScanQR(ctx, step.QR); err != nil {
				return errors.Join(err, cmd.Wait())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("pair: %w: %s", err, said.String())
	}
	return p.phone.WaitOnline(ctx)
}

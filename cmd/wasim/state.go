package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"waoutbox/connection/wasim"
)

// saveEvery is how often a run notes its state for the case that it is killed.
const saveEvery = 10 * time.Second

// stateFile is where --state keeps the simulator over restarts: FILE after a
// clean end, FILE.running during a run. A FILE.running without FILE was left by
// a run that was killed; it is a little old, so its sessions are renewed.
type stateFile string

func (f stateFile) running() string { return string(f) + ".running" }

// open loads the state, or makes a new server when there is none yet.
func (f stateFile) open(o wasim.Options, stderr io.Writer) (*wasim.Server, error) {
	if f == "" {
		return wasim.New(o)
	}
	s, err := load(string(f), o)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s, err = load(f.running(), o)
	if errors.Is(err, fs.ErrNotExist) {
		return wasim.New(o)
	}
	if err == nil {
		fmt.Fprintln(stderr, "note: the last run was killed; what happened in its last seconds is forgotten, and all sessions start afresh")
		s.RenewSessions()
	}
	return s, err
}

func load(path string, o wasim.Options) (*wasim.Server, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	s, err := wasim.Load(in, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; move it away to start with new accounts", path, err)
	}
	return s, nil
}

// begin notes that a run has started.
func (f stateFile) begin(s *wasim.Server) error {
	if f == "" {
		return nil
	}
	if err := save(f.running(), s); err != nil {
		return err
	}
	if err := os.Remove(string(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("begin a run with %s: %w", f, err)
	}
	return nil
}

// keep notes the state now and then until ctx ends.
func (f stateFile) keep(ctx context.Context, s *wasim.Server, stderr io.Writer) {
	if f == "" {
		return
	}
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := save(f.running(), s); err != nil {
				fmt.Fprintln(stderr, "warning:", err)
			}
		}
	}
}

// end writes the state of a closed server.
func (f stateFile) end(s *wasim.Server) error {
	if f == "" {
		return nil
	}
	if err := save(string(f), s); err != nil {
		return err
	}
	return os.Remove(f.running())
}

// save replaces a file in one step. It holds private keys of simulated users.
func save(path string, s *wasim.Server) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	err = s.Save(tmp)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name()) // the first error says more
		return fmt.Errorf("save the state to %s: %w", path, err)
	}
	return nil
}

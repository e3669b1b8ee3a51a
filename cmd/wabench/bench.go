package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// bench is what every benchmark gets: where it may write, how often it repeats, and the process of
// receivers beside it.
type bench struct {
	dir       string // temporary, on a real disk; removed at the end
	rounds    int
	receivers *receiverProcess
	progress  func(format string, args ...any) // progress, for a person
	dirs      int
}

// newDir returns a fresh directory for one outbox.
func (b *bench) newDir() string {
	b.dirs++
	return filepath.Join(b.dir, fmt.Sprintf("state-%d", b.dirs))
}

// options are the flags of every benchmark.
type options struct {
	dir                    string
	rounds                 int
	timeout                time.Duration
	json                   bool
	anyDisk                bool
	cpuProfile, memProfile string
}

// measure parses args, runs one benchmark and prints its report. It leaves neither files nor
// processes behind.
func measure(ctx context.Context, c command, args []string, stdout, stderr io.Writer) (err error) {
	fs := flag.NewFlagSet("wabench "+c.name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o options
	fs.StringVar(&o.dir, "dir", ".", "where the temporary state goes: a real disk, no tmpfs")
	fs.IntVar(&o.rounds, "rounds", 3, "interleaved rounds")
	fs.DurationVar(&o.timeout, "timeout", cmp.Or(c.limit, 10*time.Minute), "ends everything after this time")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	fs.BoolVar(&o.anyDisk, "any-disk", false, "also take a tmpfs: to try the program out, the figures mean nothing")
	fs.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile of this process")
	fs.StringVar(&o.memProfile, "memprofile", "", "write a profile of all allocations of this process")
	body := c.flags(fs)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", err, errUsage)
	}
	if fs.NArg() > 0 || o.rounds < 1 || o.timeout <= 0 {
		return fmt.Errorf("%s takes flags only, at least one round and a positive timeout: %w", c.name, errUsage)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done within --timeout %v", o.timeout))
	defer cancel()
	b, closeBench, err := openBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBench()) }()
	stopProfiles, err := startProfiles(o)
	if err != nil {
		return err
	}
	r, err := body(ctx, b)
	if perr := stopProfiles(); err == nil {
		err = perr
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	r.Bench, r.Machine = c.name, thisMachine(b.dir)
	if r.Settings == nil {
		r.Settings = map[string]any{}
	}
	r.Settings["rounds"] = o.rounds
	if o.json {
		return r.writeJSON(stdout)
	}
	return r.write(stdout)
}

// openBench makes the temporary directory and starts the process of receivers.
func openBench(ctx context.Context, o options, stderr io.Writer) (*bench, func() error, error) {
	if fs := fileSystem(o.dir); !o.anyDisk && (fs == "tmpfs" || fs == "ramfs") {
		return nil, nil, fmt.Errorf("%s lies on %s, which syncs nothing: name a directory on a disk with --dir: %w", o.dir, fs, errUsage)
	}
	dir, err := filepath.Abs(o.dir) // a state has an absolute path
	if err == nil {
		dir, err = os.MkdirTemp(dir, "wabench-")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a directory for the measurements: %w", err)
	}
	recv, err := startReceivers(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	b := &bench{dir: dir, rounds: o.rounds, receivers: recv, progress: func(format string, args ...any) {
		if !o.json {
			fmt.Fprintf(stderr, format+"\n", args...)
		}
	}}
	return b, func() error { return errors.Join(recv.close(), os.RemoveAll(dir)) }, nil
}

// startProfiles begins what was asked for; the function it returns writes the files.
func startProfiles(o options) (stop func() error, err error) {
	var cpu *os.File
	if o.cpuProfile != "" {
		if cpu, err = os.Create(o.cpuProfile); err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(fmt.Errorf("profile: %w", err), cpu.Close())
		}
	}
	return func() error {
		var errs []error
		if cpu != nil {
			pprof.StopCPUProfile()
			errs = append(errs, cpu.Close())
		}
		if o.memProfile != "" {
			errs = append(errs, writeMemProfile(o.memProfile))
		}
		return errors.Join(errs...)
	}, nil
}

func writeMemProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	runtime.GC() // what is in use now
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// useMemory writes size bytes to a file in dir and removes it. A virtual machine whose host has
// taken unused memory back pays several times the price of a page for its first use, and what is
// measured first would use what was freed just before.
func useMemory(dir string, size int64) error {
	f, err := os.CreateTemp(dir, "memory-*")
	if err != nil {
		return fmt.Errorf("use memory: %w", err)
	}
	piece := bytes.Repeat([]byte{'x'}, 1<<20)
	for ; size > 0 && err == nil; size -= int64(len(piece)) {
		_, err = f.Write(piece)
	}
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("use memory: %w", err)
	}
	return nil
}

// Command fuzz runs every fuzz target of the tree, and prints how often each was executed. Run it
// from the root:
//
//	go run ./.ci/fuzz [FLAGS] [DURATION [WORD…]]
//
// Each target runs for DURATION, a minute unless it is given; with words, only those whose name or
// package contains one of them. An input that fails is kept in testdata/fuzz of its package, where
// `go test` runs it from then on, and the exit status is 1. What was found before, in the cache of
// the go command, is where the search goes on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	atOnce int
	blind  bool
	within time.Duration
	keep   int
	table  string
	each   time.Duration
	words  []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	flags.IntVar(&o.atOnce, "at-once", 2, "how many targets are built, and then run, at a time, each on one processor")
	flags.BoolVar(&o.blind, "blind", false, "do not look which code an input reaches: the programs are those of go test, and are not built anew")
	flags.DurationVar(&o.within, "within", 0, "how long all of it may run, building left out; each target gets its share, and DURATION at most")
	flags.IntVar(&o.keep, "keep", 0, "copy up to so many of the inputs that were found into testdata of each target")
	flags.StringVar(&o.table, "table", "", "a file for the table, which is written every minute too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.each, o.words = time.Minute, flags.Args()
	if len(o.words) > 0 {
		if o.each, err = time.ParseDuration(o.words[0]); err != nil || o.each <= 0 {
			return o, fmt.Errorf("%q is no duration: write how long each target runs, like 30s, 10m or 1h, before the words", o.words[0])
		}
		o.words = o.words[1:]
	}
	if o.atOnce < 1 {
		return o, errors.New("-at-once is 1 or more")
	}
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	targets, err := find(ctx, o.words)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("there is no such target; without words all of them run")
	}
	dir, err := os.MkdirTemp("", "fuzz-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp, err := memory(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	began := time.Now()
	if err := build(ctx, targets, dir, o.blind, o.atOnce); err != nil {
		return err
	}
	if o.within > 0 {
		o.each = min(o.each, o.within*time.Duration(o.atOnce)/time.Duration(len(targets)))
	}
	fmt.Printf("%d targets, built in %s; each runs for %s, %d at a time\n", len(targets), time.Since(began).Round(time.Second), o.each.Round(time.Millisecond), o.atOnce)

	watched, done := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	if o.table != "" {
		watcher.Go(func() { writeEveryMinute(watched, o.table, targets) })
	}
	places := make(chan struct{}, o.atOnce)
	var running sync.WaitGroup
	for _, t := range targets {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			t.run(ctx, o.each, temp)
			if o.keep > 0 {
				t.keep(o.keep)
			}
		})
	}
	running.Wait()
	done()
	watcher.Wait()

	fmt.Print(table(targets))
	if o.table != "" {
		err = os.WriteFile(o.table, []byte(table(targets)), 0o600)
	}
	for _, t := range targets {
		if t.fault != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w\n%s", t, t.fault, t.tail()))
		}
	}
	if !slices.ContainsFunc(targets, func(t *target) bool { return t.execs > 0 }) {
		err = errors.Join(err, errors.New("no target said that it executed anything"))
	}
	return errors.Join(err, context.Cause(ctx))
}

// memory is a directory for temporary files, in memory where the system has one there: many targets
// write files and have them synced.
func memory(dir string) (string, error) {
	if temp, err := os.MkdirTemp("/dev/shm", "fuzz-"); err == nil {
		return temp, nil
	}
	return os.MkdirTemp(dir, "temp-")
}

// writeEveryMinute keeps the table of a run that goes on in a file.
func writeEveryMinute(ctx context.Context, path string, targets []*target) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := os.WriteFile(path, []byte(table(targets)), 0o600); err != nil {
				fmt.Fprintln(os.Stderr, "the table is not written:", err)
			}
		}
	}
}

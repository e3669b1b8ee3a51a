package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is one fuzz target, and what came of it. The lock is for what changes while it runs.
type target struct {
	pkg, dir, name string
	binary, cache  string

	mu      sync.Mutex
	output  []byte
	lasted  time.Duration
	execs   int64
	found   int64 // inputs that reach something new
	ended   bool
	fault   error
	crasher []string
}

func (t *target) String() string { return strings.TrimPrefix(t.pkg, "waoutbox/") + " " + t.name }

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\) \{`)

// find lists the targets of the module.
func find(ctx context.Context, words []string) (targets []*target, err error) {
	const format = `{{$d := .Dir}}{{$p := .ImportPath}}{{range .TestGoFiles}}{{$p}} {{$d}} {{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p}} {{$d}} {{.}}{{"\n"}}{{end}}`
	list, err := output(exec.CommandContext(ctx, "go", "list", "-f", format, "./..."))
	if err != nil {
		return nil, fmt.Errorf("run it from the root of the repository: %w", err)
	}
	cache, err := output(exec.CommandContext(ctx, "go", "env", "GOCACHE"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(list) {
		parts := strings.Fields(line)
		if len(parts) != 3 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(parts[1], parts[2]))
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			t := &target{pkg: parts[0], dir: parts[1], name: string(m[1]), cache: filepath.Join(strings.TrimSpace(cache), "fuzz", parts[0])}
			if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t.String(), w) }) {
				targets = append(targets, t)
			}
		}
	}
	return targets, nil
}

// build makes one test program a package, in dir, atOnce at a time; blind without what tells which
// code was reached.
func build(ctx context.Context, targets []*target, dir string, blind bool, atOnce int) error {
	command := []string{"test", "-c", "-fuzz=Fuzz"}
	if blind {
		command = command[:2]
	}
	built := map[string]string{}
	for _, t := range targets {
		if built[t.pkg] == "" {
			built[t.pkg] = filepath.Join(dir, strconv.Itoa(len(built))+".test")
		}
		t.binary = built[t.pkg]
	}
	places, failed := make(chan struct{}, atOnce), make(chan error, len(built))
	for pkg, binary := range built {
		places <- struct{}{}
		go func() {
			_, err := output(exec.CommandContext(ctx, "go", append(slices.Clone(command), "-o", binary, pkg)...))
			failed <- err
			<-places
		}()
	}
	var err error
	for range built {
		err = errors.Join(err, <-failed)
	}
	return err
}

func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

// grace is how long a target may take to end beyond its time: it may be in the middle of making an
// input smaller.
const grace = 2 * time.Minute

// run searches for a time, with temporary files below temp.
func (t *target) run(ctx context.Context, d time.Duration, temp string) {
	before := t.inputs()
	limited, cancel := context.WithTimeout(ctx, d+grace)
	defer cancel()
	cmd := exec.CommandContext(limited, t.binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+d.String(), "-test.fuzzminimizetime=10s",
		"-test.parallel=1", "-test.fuzzcachedir="+t.cache, "-test.timeout=0")
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "TMPDIR="+temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it then says how far it came
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = t, t
	err := cmd.Run()

	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for _, name := range t.inputs() {
		if !slices.Contains(before, name) {
			t.crasher = append(t.crasher, name)
		}
	}
	switch {
	case len(t.crasher) > 0:
		t.fault = fmt.Errorf("it fails with %s", strings.Join(t.crasher, ", "))
	case err != nil && ctx.Err() == nil && !t.timeUp():
		t.fault = err
	}
}

// timeUp reports whether a target ended since its time was up in the middle of something, which
// the go command takes for a failure.
func (t *target) timeUp() bool {
	return bytes.Contains(t.output, []byte("    context deadline exceeded\n")) && !bytes.Contains(t.output, []byte("Failing input"))
}

var progress = regexp.MustCompile(`fuzz: elapsed: (\S+), execs: (\d+) \([^)]*\)(?:, new interesting: (\d+))?`)

// Write takes what the program prints.
func (t *target) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.output = append(t.output, p...)
	if at := bytes.LastIndexByte(t.output, '\n'); at >= 0 {
		for _, m := range progress.FindAllSubmatch(t.output[:at], -1) {
			t.lasted, _ = time.ParseDuration(string(m[1]))
			t.execs, _ = strconv.ParseInt(string(m[2]), 10, 64)
			t.found, _ = strconv.ParseInt(string(m[3]), 10, 64)
		}
	}
	const kept = 64 << 10
	if len(t.output) > 2*kept {
		t.output = slices.Clone(t.output[len(t.output)-kept:])
	}
	return len(p), nil
}

// tail is the end of what it printed.
func (t *target) tail() string {
	lines := strings.Split(strings.TrimSpace(string(t.output)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// inputs lists the inputs that are kept for a target.
func (t *target) inputs() (paths []string) {
	paths, _ = filepath.Glob(filepath.Join(t.dir, "testdata", "fuzz", t.name, "*")) // the pattern is well-formed
	return paths
}

// largestKept bounds an input that is copied.
const largestKept = 2 << 10

// keep copies some of the inputs in the cache, of all sizes, to those that are kept.
func (t *target) keep(most int) {
	type input struct {
		name string
		text []byte
	}
	var all []input
	found, _ := filepath.Glob(filepath.Join(t.cache, t.name, "*")) // the pattern is well-formed
	for _, path := range found {
		if text, err := os.ReadFile(path); err == nil && len(text) <= largestKept {
			all = append(all, input{filepath.Base(path), text})
		}
	}
	slices.SortFunc(all, func(a, b input) int { return cmp.Or(len(a.text)-len(b.text), strings.Compare(a.name, b.name)) })
	to := filepath.Join(t.dir, "testdata", "fuzz", t.name)
	err := os.MkdirAll(to, 0o755)
	for i := range min(most, len(all)) {
		in := all[i*len(all)/min(most, len(all))]
		err = errors.Join(err, os.WriteFile(filepath.Join(to, in.name), in.text, 0o644))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inputs are not kept:", err)
	}
}

// table says what came of all targets.
func table(targets []*target) string {
	var b strings.Builder
	b.WriteString("| package | target | executions | ran for | new inputs | result |\n|---|---|--:|--:|--:|---|\n")
	var sum int64
	for _, t := range targets {
		t.mu.Lock()
		result := "runs"
		switch {
		case t.fault != nil:
			result = "FAILS"
		case t.ended:
			result = "ok"
		case t.output == nil:
			result = "waits"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %d | %s |\n", strings.TrimPrefix(t.pkg, "waoutbox/"), t.name, t.execs, t.lasted, t.found, result)
		sum += t.execs
		t.mu.Unlock()
	}
	fmt.Fprintf(&b, "| all | %d targets | %d | | | |\n", len(targets), sum)
	return b.String()
}

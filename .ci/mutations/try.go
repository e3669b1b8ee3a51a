package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// verdict is what became of a mutation. Only caught shows that a test proves something.
type verdict string

const (
	caught       verdict = "caught"
	survived     verdict = "survived"
	timedOut     verdict = "timed out"      // the test hung, or the machine was busy
	doesNotApply verdict = "does not apply" // the file has not the lines, or has them twice
	doesNotBuild verdict = "does not build"
	runsNoTest   verdict = "runs no test"
	redBefore    verdict = "red before" // the test fails without the mutation
	broken       verdict = "broken"     // nothing of these
)

var verdicts = []verdict{caught, survived, timedOut, doesNotApply, doesNotBuild, runsNoTest, redBefore, broken}

// result is what became of one mutation. The output is that of the command, or why there is none.
type result struct {
	mutation
	verdict
	by   []string // the tests that failed
	took time.Duration
	out  string
}

// String is one line, and when the mutation was not caught the head of the output.
func (r result) String() string {
	name := string(r.verdict)
	if r.verdict != caught {
		name = strings.ToUpper(name)
	}
	s := fmt.Sprintf("%-8s  %s:%d  %.1fs  %s  %s", name, list, r.at, r.took.Seconds(), r.file, strings.Join(r.packages(), " "))
	if r.verdict == caught {
		return s + "  by " + strings.Join(r.by, " ")
	}
	lines := strings.SplitN(r.out, "\n", 41)
	return s + " " + r.test() + "\n" + strings.Join(lines[:min(len(lines), 40)], "\n")
}

// tree is a copy of the sources.
type tree struct {
	dir   string
	limit time.Duration
}

// try applies the mutation, runs its test and takes the mutation back.
func (t tree) try(ctx context.Context, m mutation) (r result) {
	r.mutation = m
	name := filepath.Join(t.dir, filepath.FromSlash(m.file))
	whole, err := os.ReadFile(name)
	if err != nil {
		r.verdict, r.out = doesNotApply, err.Error()
		return r
	}
	if n := strings.Count(string(whole), m.before); n != 1 {
		r.verdict, r.out = doesNotApply, fmt.Sprintf("%s has these lines %d times:\n%s", m.file, n, m.before)
		return r
	}
	mutated := strings.Replace(string(whole), m.before, m.after, 1)
	err = os.WriteFile(name, []byte(mutated), 0o600)
	defer func() {
		if err := errors.Join(err, os.WriteFile(name, whole, 0o600)); err != nil {
			r.verdict, r.out = broken, err.Error()
		}
	}()
	// A test may build the program by itself, and fails then like one that catches the mutation.
	if dir := "./" + path.Dir(m.file); path.Ext(m.file) == ".go" && !slices.Contains(m.packages(), dir) {
		if out, err := t.command(ctx, append(strings.Fields("go list -export -f {{.Name}}"), dir)...); err != nil {
			r.verdict, r.out = doesNotBuild, out
			return r
		}
	}
	command := append(append([]string{}, m.command...), "-count=1", "-failfast", "-vet=off", "-ldflags=-w", "-timeout="+t.limit.String())
	out, failed := t.command(ctx, command...)
	if r.verdict, r.by = judge(out, failed); len(r.by) == 1 && r.by[0] == processEnded {
		r.by = []string{m.test(), processEnded}
	}
	r.out = out
	return r
}

// unbroken runs the tests of mutations of the same packages on the tree as it is, and returns what
// those print that fail, by name.
func (t tree) unbroken(ctx context.Context, ms []mutation) (failed map[string]string) {
	failed = map[string]string{}
	command := append([]string{"go", "test", "-count=1", "-vet=off", "-ldflags=-w", "-timeout=20m"}, ms[0].packages()...)
	var names []string
	for _, m := range ms {
		names = append(names, m.test())
	}
	if !slices.Contains(names, "") {
		command = append(command, "-run", "^("+strings.Join(names, "|")+")$")
	}
	out, err := t.command(ctx, command...)
	if err == nil {
		return failed
	}
	v, by := judge(out, err)
	for _, name := range names {
		if v != caught || name == "" || slices.Contains(by, name) {
			failed[name] = "without the mutation:\n" + out
		}
	}
	return failed
}

var (
	failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	// ended is what the process of a test prints that ends by a panic or a fault of the runtime.
	ended = regexp.MustCompile(`(?m)^(?:panic: |fatal error: )`)
	// noBuild is what the go command prints, also when a test runs it: a package's name above the
	// errors of the compiler.
	noBuild = regexp.MustCompile(`(?m)\[(?:build|setup) failed\]|^\s*# waoutbox/[\w/]+( \[.*\])?$`)
)

// processEnded stands behind the test that ended the process, or which one did is not known.
const processEnded = "(the process ended)"

// judge tells what a command that ran with a mutation shows, and which tests failed.
func judge(out string, failed error) (v verdict, by []string) {
	for _, m := range failedTest.FindAllStringSubmatch(out, -1) {
		by = append(by, m[1])
	}
	if ended.MatchString(out) {
		by = append(by, processEnded)
	}
	switch {
	case noBuild.MatchString(out):
		return doesNotBuild, by
	case strings.Contains(out, "panic: test timed out"):
		return timedOut, by
	case failed != nil && len(by) > 0:
		return caught, by
	case failed != nil:
		return broken, by
	case strings.Contains(out, "no tests to run"), strings.Contains(out, "no test files"):
		return runsNoTest, by
	}
	return survived, by
}

// command runs a command in the tree and returns what it prints. Paths of the tree are left out of
// what is compiled, so that it is compiled once for all trees, and for the next run.
func (t tree) command(ctx context.Context, command ...string) (out string, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	b, err := cmd.CombinedOutput()
	if err != nil && len(b) == 0 {
		b = []byte(err.Error())
	}
	return string(b), err
}

// newTree copies the sources to a directory of its own.
func newTree(limit time.Duration) (t tree, err error) {
	if t.dir, err = os.MkdirTemp("", "mutations-"); err != nil {
		return t, err
	}
	t.limit = limit
	return t, fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(t.dir, filepath.FromSlash(name))
		switch {
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
}

// Command mutations breaks the lines that docs/MUTATIONS.md lists, one at a time in a copy of the
// tree, and runs the test that is named with each: it must fail. Run it from the root:
//
//	go run ./.ci/mutations [WORD…]    only the mutations whose text contains one of the words
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

const list = "docs/MUTATIONS.md"

// mutation is one fenced block of the list: the file, the lines that go ("-"), those that come
// instead ("+"), and the command that must fail.
type mutation struct {
	at            int // line in the list
	file          string
	before, after string
	command       []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) (err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return fmt.Errorf("run it from the root of the repository: %w", err)
	}
	all, err := parse(string(text))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutations-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := copyTree(dir); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	missed := 0
	for _, m := range all {
		if !m.selected(words) {
			continue
		}
		isRed, out, err := m.try(ctx, dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "red"
		switch {
		case err != nil:
			verdict, out = "BROKEN", err.Error()
		case !isRed:
			verdict = "SURVIVED"
		}
		fmt.Printf("%-8s  %s:%d  %s  %s  %s\n", verdict, list, m.at, m.file, strings.Join(m.command, " "), strings.Join(failedTests(out), " "))
		if verdict != "red" {
			missed++
			fmt.Println(firstLines(out, 40))
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d mutations show nothing: the test stayed green, or they do not apply", missed)
	}
	return nil
}

// firstLines returns at most n lines of text.
func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(len(lines), n)], "\n")
}

// failedTests returns the names of the tests that failed.
func failedTests(out string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^--- FAIL: (\S+)`).FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	if strings.Contains(out, "panic: test timed out") {
		names = append(names, "(timed out)") // is the machine busy, or does the test hang?
	}
	return names
}

// parse reads every block that begins with ```mutation.
func parse(text string) (all []mutation, err error) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != "```mutation" {
			continue
		}
		m := mutation{at: i + 1}
		var before, after []string
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			line := lines[i]
			switch {
			case m.file == "":
				m.file = line
			case strings.HasPrefix(line, "-"):
				before = append(before, line[1:])
			case strings.HasPrefix(line, "+"):
				after = append(after, line[1:])
			case strings.HasPrefix(line, "go test "):
				m.command = strings.Fields(line)
			default:
				return nil, fmt.Errorf("%s:%d: %q is no part of a mutation", list, i+1, line)
			}
		}
		m.before, m.after = strings.Join(before, "\n"), strings.Join(after, "\n")
		if m.file == "" || m.before == "" || m.command == nil {
			return nil, fmt.Errorf("%s:%d: a mutation has a file, lines that go and a go test", list, m.at)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no mutations", list)
	}
	return all, nil
}

func (m mutation) selected(words []string) bool {
	text := m.file + "\n" + m.before + "\n" + m.after + "\n" + strings.Join(m.command, " ")
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return len(words) == 0
}

// red is what a test that failed prints, or one that ended the process.
var red = regexp.MustCompile(`(?m)--- FAIL: |^panic: |^fatal error: `)

// try applies the mutation in dir, runs its test and takes the mutation back. A tree that does not
// build is an error: it shows nothing.
func (m mutation) try(ctx context.Context, dir string) (isRed bool, out string, err error) {
	name := filepath.Join(dir, filepath.FromSlash(m.file))
	whole, err := os.ReadFile(name)
	if err != nil {
		return false, "", err
	}
	if n := strings.Count(string(whole), m.before); n != 1 {
		return false, "", fmt.Errorf("%s has the lines %d times:\n%s", m.file, n, m.before)
	}
	mutated := strings.Replace(string(whole), m.before, m.after, 1)
	if err := os.WriteFile(name, []byte(mutated), 0o600); err != nil {
		return false, "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(name, whole, 0o600)) }()
	command := append(append([]string{}, m.command[1:]...), "-count=1", "-timeout=2m", "-vet=off")
	cmd := exec.CommandContext(ctx, m.command[0], command...)
	cmd.Dir = dir
	b, failed := cmd.CombinedOutput()
	out = string(b)
	switch {
	case ctx.Err() != nil:
		return false, out, ctx.Err()
	case failed != nil && red.MatchString(out):
		return true, out, nil
	case failed != nil:
		return false, out, fmt.Errorf("%s failed without a failing test:\n%s", strings.Join(m.command, " "), out)
	case strings.Contains(out, "no tests to run"):
		return false, out, fmt.Errorf("%s runs no test", strings.Join(m.command, " "))
	}
	return false, out, nil
}

// copyTree copies the sources to dir.
func copyTree(dir string) error {
	return fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
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

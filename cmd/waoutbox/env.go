package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/outbox/api/untrusted"
	"waoutbox/outbox/api/wording"
	"waoutbox/store"
)

// env is all that commands share: the arguments and streams of one run, the global flags, and the
// way to the service. One command runs at a time in it.
type env struct {
	args           []string
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer

	stateDir string // --state-dir, resolved before a command runs
	named    bool   // it was given as that flag
	json     bool   // --json
	// with --json: what would be said on stderr
	remarks []string

	settings   map[string]string // settings given as flags
	daemonArgs []string          // arguments for a daemon this command starts
	daemonEnv  []string          // variables for it besides this process's: NAME=value
	ready      func()            // a service of Windows: says that it is ready

	style, errStyle term.Style
	live            bool // stdout is a terminal
	width           int  // its columns, 0 for anything else
	stdinTerminal   bool // stdin is a terminal
	interactive     bool // a person can be asked: stdin and stderr are terminals
	loc             *time.Location
	connect         func(ctx context.Context, m mode) (backend, error)
	written         stickyWriter // what commands print goes through it to stdout
}

func newEnv(args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *env {
	e := &env{
		args: args, getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr,
		style: term.StyleFor(stdout, getenv), errStyle: term.StyleFor(stderr, getenv),
		live: term.IsTerminal(stdout), stdinTerminal: term.IsTerminal(stdin), interactive: term.IsTerminal(stdin) && term.IsTerminal(stderr),
		loc: time.Local, written: stickyWriter{w: stdout},
	}
	e.width, _ = term.Size(stdout)
	e.connect = e.connectService
	return e
}

// run executes the command line and returns the exit code.
func (e *env) run(ctx context.Context) int {
	root := newRootCmd(e)
	root.SetArgs(e.args)
	root.SetIn(e.stdin)
	root.SetOut(&e.written)
	root.SetErr(e.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && e.written.err != nil {
		err = fmt.Errorf("the output could not be written: %w", e.written.err)
	}
	if err != nil {
		// A command line that could not be parsed still says how errors are wanted.
		e.json = e.json || slices.Contains(argsBeforeDashes(e.args), "--json")
		e.report(err)
	}
	return exitCode(err)
}

func argsBeforeDashes(args []string) []string {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i]
	}
	return args
}

// resolveState settles the state directory that cmd works on.
func (e *env) resolveState(cmd *cobra.Command) error {
	e.named = cmd.Flags().Changed("state-dir")
	// more likely a variable that is not set than a wish for the usual place
	if e.stateDir == "" && e.named {
		return usagef("--state-dir is empty: give a directory, or leave the flag out")
	}
	return e.resolveStateDir()
}

// resolveStateDir settles the state directory: --state-dir, $WAOUTBOX_STATE_DIR, the platform's
// place.
func (e *env) resolveStateDir() (err error) {
	if e.stateDir != "" {
		e.stateDir, err = filepath.Abs(e.stateDir) // a daemon started with it lives elsewhere
	} else {
		e.stateDir, err = store.DefaultDir(runtime.GOOS, e.getenv)
	}
	if err != nil {
		return usageError(explain.State(err))
	}
	return nil
}

// stdoutTerminal reports whether a person watches stdout.
func (e *env) stdoutTerminal() bool { return e.live }

// home shortens the user's home directory in a path to ~.
func (e *env) home(path string) string {
	if h := e.getenv("HOME"); h != "" && (path == h || strings.HasPrefix(path, h+"/")) {
		return "~" + path[len(h):]
	}
	return path
}

// printf prints for people or programs on stdout. A write that fails is remembered and ends the run
// with exit 1.
func (e *env) printf(format string, args ...any) { fmt.Fprintf(&e.written, format, args...) }

// printWrapped prints one line, broken at the width of a terminal: what follows is set in by hang
// columns. Programs get it whole.
func (e *env) printWrapped(hang int, format string, args ...any) {
	e.printf("%s\n", term.Wrap(fmt.Sprintf(format, args...), e.width, hang))
}

// printJSON prints v as one line. What a terminal would obey or not show is an escape in its texts.
func (e *env) printJSON(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	if err == nil {
		_, err = e.written.Write(untrusted.EscapeJSON(b.Bytes()))
	}
	if err != nil && e.written.err == nil {
		e.written.err = err
	}
}

// table prints an aligned table.
func (e *env) table(t *term.Table, indent string) {
	t.Fit(e.width)
	_ = t.Write(&e.written, e.style, indent) // the writer remembers
}

// command is the command line that runs `waoutbox ARGS` on the state this one works on: with
// --state-dir where it takes one. Whatever command is printed for the user to run comes from here.
func (e *env) command(format string, args ...any) string {
	return term.CommandFor(e.getenv, e.stateDir, fmt.Sprintf(format, args...))
}

// say returns a sentence of a part that knows of no state directory, with its commands on the state
// that this one works on.
func (e *env) say(sentence string) string {
	return wording.ForShell(sentence, term.CommandFor(e.getenv, e.stateDir))
}

// next prints the next useful command, which every success ends with. A text that begins with the
// program's name is a command.
func (e *env) next(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if rest, ok := strings.CutPrefix(text, "waoutbox "); ok {
		text = e.command("%s", rest)
	}
	e.printf("%s %s\n", e.style.Bold("Next:"), text)
}

// nextWithout prints the command line that was typed, without a flag, as the next one.
func (e *env) nextWithout(flag string) {
	var words []string
	for i := 0; i < len(e.args); i++ {
		switch name, _, hasValue := strings.Cut(e.args[i], "="); {
		case name == flag:
		case name == "--state-dir": // every command that is printed names it
			if !hasValue {
				i++
			}
		default:
			words = append(words, term.Quote(e.args[i]))
		}
	}
	e.next("waoutbox %s", strings.Join(words, " "))
}

// note prints a remark on stderr, where it disturbs no pipe. With --json nothing but an error is
// there: the remark is kept for the results that have a place for it.
func (e *env) note(format string, args ...any) {
	text := e.say(fmt.Sprintf(format, args...))
	if e.json {
		e.remarks = append(e.remarks, text)
		return
	}
	fmt.Fprintf(e.stderr, "%s\n", text)
}

// warn prints what is not as it should be beside a result.
func (e *env) warn(warnings []string) {
	for _, w := range warnings {
		if e.json {
			e.note("%s", w)
		} else {
			e.note("warning: %s", term.Clean(w))
		}
	}
}

// clock renders a moment in local time.
func (e *env) clock(t time.Time) string { return term.Clock(t, time.Now(), e.loc) }

// confirm asks a person before something is destroyed. Off a terminal nobody can answer: the
// command needs --yes, and so does one whose output a program reads.
func (e *env) confirm(what string) error {
	if !e.interactive || e.json {
		return usagef("this would %s. Run it with --yes to do so.", what)
	}
	fmt.Fprintf(e.stderr, "This will %s. Continue? [y/N] ", what)
	answer, err := readLine(e.stdin)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return nil
	}
	return fmt.Errorf("nothing was changed")
}

// readLine reads up to a newline without taking more from r.
func readLine(r io.Reader) (string, error) {
	var b []byte
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		if n == 1 {
			if one[0] == '\n' {
				return string(b), nil
			}
			b = append(b, one[0])
		}
		if err == io.EOF {
			return string(b), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// withService runs do with the service a command needs and closes it afterwards.
func (e *env) withService(ctx context.Context, m mode, do func(svc api.Service) error) error {
	svc, closeFn, err := e.backend(ctx, m)
	if err != nil {
		return err
	}
	err = do(svc)
	if cerr := closeFn(); err == nil && cerr != nil {
		err = fmt.Errorf("close the state: %w", cerr)
	}
	return err
}

// stickyWriter remembers the first error and writes nothing after it.
type stickyWriter struct {
	w   io.Writer
	err error
}

func (s *stickyWriter) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

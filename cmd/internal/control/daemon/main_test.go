package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// helperEnv makes the test binary a small daemon; its value is how that daemon behaves. It passes
// the daemon's minimal environment because of its prefix.
const helperEnv = "WAOUTBOX_TEST_DAEMON"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperEnv); mode != "" {
		os.Exit(helper(mode, os.Args[1:]))
	}
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks returns which goroutines are left. It has more patience than one look: each daemon of the
// last tests has one that collects it, and with the race detector a process takes a second to end.
func leaks() (err error) {
	// the log's library keeps one goroutine for as long as the process lives
	library := goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")
	for range 5 {
		if err = goleak.Find(library); err == nil {
			return nil
		}
	}
	return err
}

// helper does what a daemon does for Ensure: `serve --state-dir DIR`, the report, the state's lock,
// the socket, the end on Stop.
func helper(mode string, args []string) int {
	if len(args) < 3 || args[0] != "serve" || args[1] != "--state-dir" {
		fmt.Fprintf(os.Stderr, "error: started with %q\n", args)
		return 2
	}
	dir := args[2]
	report := Inherited(os.Getenv)
	if err := appendLine(filepath.Join(dir, "starts"), fmt.Sprint(os.Getpid())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch mode {
	case "fail":
		fmt.Fprintf(os.Stderr, "some line\nerror: something else\n")
		report.Failed(api.CodeInternal, "the disk is on fire. Put it out.")
		return 1
	case "usage":
		report.Failed(api.CodeInvalidArguments, "no such setting")
		return 2
	case "panic":
		panic("oh no")
	case "orphan":
		return orphan(dir, report)
	case "linger":
		awaitPath(filepath.Join(dir, "end"), time.Minute)
		return 7
	case "lose":
		return lose(dir, report)
	case "slow":
		if !awaitPath(filepath.Join(dir, "go"), time.Minute) {
			return 1
		}
	}
	cwd, _ := os.Getwd()
	stdin, _ := io.ReadAll(os.Stdin)
	facts := fmt.Sprintf("cwd=%s\nargs=%q\nstdin=%q\nenv=%q\n", cwd, args[3:], stdin, os.Environ())
	if err := os.WriteFile(filepath.Join(dir, "facts"), []byte(facts), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// whatever the test does, this process ends
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := ownState(ctx, dir, report, mode == "deaf"); err != nil {
		report.Failed(api.CodeOf(err), err.Error())
		return 1
	}
	return 0
}

// lose is a daemon that ends because somebody else has taken the state. It leaves the file "lost"
// when it does.
func lose(dir string, report *Report) int {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); runtime.Gosched() {
		if _, held, err := store.ReadOwner(dir); err == nil && held {
			report.Failed(api.CodeInternal, store.Owned.Error())
			_ = appendLine(filepath.Join(dir, "lost"), "")
			return 1
		}
	}
	return 2
}

// orphan is a daemon that hands its report on to a process that outlives it, and ends without a
// word: the pipe stays open until the file "end" is there.
func orphan(dir string, report *Report) int {
	cmd := exec.Command(os.Args[0], "serve", "--state-dir", dir)
	cmd.Env = append(os.Environ(), helperEnv+"=linger")
	cmd.Stdout = report.pipe
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 7
}

// ownState is a daemon without a service behind it: lock, socket, report, serve until ctx ends or
// Stop is called, unlock. A deaf one serves nobody who comes first.
func ownState(ctx context.Context, dir string, report *Report, deaf bool) error {
	st, err := store.OpenState(ctx, dir, store.Options{Version: "0.1.0"})
	if err != nil {
		return err
	}
	defer st.Close()
	ln, err := socket.Listen(dir)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	info := api.Daemon{PID: os.Getpid(), Version: "0.1.0"}
	report.Ready(info)
	if deaf {
		first, err := ln.Accept()
		if err != nil {
			return err
		}
		defer first.Close()
	}
	return newServer(info, stop).Serve(ctx, ln)
}

// newServer returns a server that knows its own routes only.
func newServer(info api.Daemon, stop func()) *control.Server {
	return control.NewServer(control.ServerOptions{Service: struct{ api.Service }{}, Daemon: info, Stop: stop, Log: slog.New(slog.DiscardHandler)})
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n") // in one write: a reader sees all of it or nothing
	return errors.Join(err, f.Close())
}

// awaitPath reports whether a file appears in time.
func awaitPath(path string, limit time.Duration) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

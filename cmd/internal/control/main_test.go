package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// helperEnv makes the test binary a small daemon; its value is how that daemon behaves. It passes the daemon's minimal environment
// because of its prefix.
const helperEnv = "WAOUTBOX_TEST_DAEMON"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperEnv); mode != "" {
		os.Exit(helper(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// helper does what a daemon does for Ensure: `serve --state-dir DIR`, the state's lock, the socket, the end on Stop.
func helper(mode string, args []string) int {
	if len(args) < 3 || args[0] != "serve" || args[1] != "--state-dir" {
		fmt.Fprintf(os.Stderr, "error: started with %q\n", args)
		return 2
	}
	dir := args[2]
	if err := appendLine(filepath.Join(dir, "starts"), fmt.Sprint(os.Getpid())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if mode == "fail" {
		fmt.Fprintf(os.Stderr, "some line\nerror: the disk is on fire. Put it out\n")
		return 1
	}
	if mode == "usage" {
		fmt.Fprintf(os.Stderr, "error: no such setting\n")
		return 2
	}
	if mode == "lose" {
		return lose(dir)
	}
	cwd, _ := os.Getwd()
	stdin, _ := io.ReadAll(os.Stdin)
	facts := fmt.Sprintf("cwd=%s\nargs=%q\nstdin=%q\nenv=%q\n", cwd, args[3:], stdin, os.Environ())
	if err := os.WriteFile(filepath.Join(dir, "facts"), []byte(facts), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // whatever the test does, this process ends
	defer cancel()
	if err := ownState(ctx, dir, discardLog(), &recordingService{}); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		return 1
	}
	return 0
}

// lose is a daemon that ends because somebody else has taken the state. It leaves the file "lost" when it does.
func lose(dir string) int {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); runtime.Gosched() {
		if _, held, err := store.ReadOwner(dir); err == nil && held {
			fmt.Fprintln(os.Stderr, "error: another waoutbox owns the state")
			_ = appendLine(filepath.Join(dir, "lost"), "")
			return 1
		}
	}
	return 2
}

// ownState is a daemon without a service behind it: lock, socket, serve until ctx ends or Stop is called, unlock.
func ownState(ctx context.Context, dir string, log *slog.Logger, svc api.Service) error {
	st, err := store.OpenState(ctx, dir, store.Options{Version: "0.1.0"})
	if err != nil {
		return err
	}
	defer st.Close()
	ln, err := Listen(dir)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := NewServer(ServerOptions{Service: svc, Daemon: api.Daemon{PID: os.Getpid(), Version: "0.1.0"}, Stop: stop, Log: log})
	return s.Serve(ctx, ln)
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line + "\n")
	return err
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/goleak"

	"waoutbox/outbox/api"
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

// ownState is a daemon without a service behind it: lock, socket, serve until ctx ends or Stop is called, unlock.
func ownState(ctx context.Context, dir string, log *slog.Logger, svc api.Service) error {
	lock := flock.New(filepath.Join(dir, lockName))
	defer lock.Close()
	lockCtx, cancelLock := context.WithTimeout(ctx, 2*time.Second)
	defer cancelLock()
	if ok, err := lock.TryLockContext(lockCtx, 10*time.Millisecond); !ok {
		return fmt.Errorf("another waoutbox owns %s: %w", dir, err)
	}
	if err := os.WriteFile(lock.Path(), fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), "0.1.0"), 0o600); err != nil {
		return err
	}
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

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// ensureOptions makes the test binary the daemon. Whatever was started is stopped at the end, and
// its collector has ended by then.
func ensureOptions(t *testing.T, mode string) Options {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		c := control.NewClient(dir, control.Agent{Name: "test"})
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := Stop(ctx, c); err != nil && api.CodeOf(err) != api.CodeServiceUnavail {
			t.Errorf("stop the daemon: %v", err)
		}
	})
	return Options{
		StateDir: dir, Agent: control.Agent{Name: "cli", Version: "0.1.0"}, Args: []string{"--log-format", "json"},
		Env: append(os.Environ(), helperEnv+"="+mode, "AGENT_SECRET=x", "XDG_CACHE_HOME=/c"),
	}
}

func starts(t *testing.T, dir string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "starts"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Fields(string(raw))
}

// awaitStart returns the process id of the first daemon that was started.
func awaitStart(t *testing.T, dir string) string {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if pids := starts(t, dir); len(pids) > 0 {
			return pids[0]
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("no daemon was started")
		}
	}
}

func TestTwelveEnsuresStartOneDaemon(t *testing.T) {
	o := ensureOptions(t, "run")
	var wg sync.WaitGroup
	pids := make([]int, 12)
	for i := range pids {
		wg.Go(func() {
			c, err := Ensure(t.Context(), o)
			if err != nil {
				t.Errorf("ensure %d: %v", i, err)
				return
			}
			defer c.Close()
			d, err := c.Daemon(t.Context())
			if err != nil {
				t.Errorf("daemon %d: %v", i, err)
			}
			pids[i] = d.PID
		})
	}
	wg.Wait()
	if got := starts(t, o.StateDir); len(got) != 1 || got[0] != fmt.Sprint(pids[0]) {
		t.Errorf("started %v, running %d", got, pids[0])
	}
	if len(slices.Compact(pids)) != 1 || pids[0] == os.Getpid() {
		t.Errorf("the clients talk to %v", pids)
	}
}

// The daemon depends on nothing of the process that happened to start it.
func TestSpawnedDaemonIsDetached(t *testing.T) {
	o := ensureOptions(t, "run")
	c, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := os.ReadFile(filepath.Join(o.StateDir, "facts"))
	if err != nil {
		t.Fatal(err)
	}
	facts := string(raw)
	real, _ := filepath.EvalSymlinks(o.StateDir)
	for _, want := range []string{"cwd=" + real + "\n", `args=["--log-format" "json"]`, `stdin=""`, `"XDG_CACHE_HOME=/c"`} {
		if !strings.Contains(facts, want) {
			t.Errorf("%s is not in\n%s", want, facts)
		}
	}
	if strings.Contains(facts, "AGENT_SECRET") {
		t.Error("the starter's own environment leaked into the daemon")
	}
	if strings.Contains(facts, reportEnv) {
		t.Error("the daemon's processes would take its report for theirs")
	}
	d, err := c.Daemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkDetached(t, d.PID)
	for _, name := range []string{store.LogFile, stderrFile, startLockName} {
		if info, err := os.Stat(filepath.Join(o.StateDir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestEnsureTakesTheRunningDaemon(t *testing.T) {
	dir := t.TempDir()
	startServer(t, dir, func() {})
	c, err := Ensure(t.Context(), Options{StateDir: dir, Executable: "/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestNoSpawn(t *testing.T) {
	o := ensureOptions(t, "run")
	o.NoSpawn = true
	_, err := Ensure(t.Context(), o)
	if api.CodeOf(err) != api.CodeServiceUnavail || !strings.HasSuffix(err.Error(), "Start it: waoutbox --state-dir "+o.StateDir+" start") {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadDir(o.StateDir); len(got) != 0 {
		t.Errorf("it left %v", got)
	}
}

// A daemon that cannot start: what it reported, and where the rest is. What stands in its log or
// stderr is no report.
func TestEnsureTellsWhyTheDaemonEnded(t *testing.T) {
	o := ensureOptions(t, "fail")
	if err := os.WriteFile(logPath(o.StateDir), []byte("error: from another time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Ensure(t.Context(), o)
	if api.CodeOf(err) != CodeStartFailed {
		t.Fatalf("got %v", err)
	}
	if want := "waoutbox could not start: the disk is on fire. Put it out. Its log: " + logPath(o.StateDir); err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// A daemon that does not like its settings reports the code for that: the caller typed something
// wrong.
func TestEnsureTellsOfWrongSettings(t *testing.T) {
	_, err := Ensure(t.Context(), ensureOptions(t, "usage"))
	if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "could not start: no such setting") {
		t.Errorf("got %v (%s)", err, api.CodeOf(err))
	}
}

// A state that cannot be used is not an unresponsive daemon.
func TestEnsureWithAnUnusableState(t *testing.T) {
	o := ensureOptions(t, "run")
	blocked := filepath.Join(o.StateDir, "blocked")
	for _, name := range []string{startLockName, store.LogFile, stderrFile} {
		if err := os.MkdirAll(filepath.Join(blocked+name, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(o.StateDir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		blocked + startLockName:      startLockName + " is a directory, not a file; move it away",
		blocked + store.LogFile:      store.LogFile + " is a directory, not a file; move it away",
		blocked + stderrFile:         stderrFile + " is a directory, not a file; move it away",
		filepath.Join(file, "below"): "is a file and not a directory. Name another place",
	} {
		at := o
		at.StateDir = dir
		_, err := Ensure(t.Context(), at)
		if api.CodeOf(err) != CodeStateUnusable || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v (%s), want %q", dir, err, api.CodeOf(err), want)
		}
	}
	if n := starts(t, o.StateDir); len(n) != 0 {
		t.Errorf("started %v", n)
	}
}

func TestEnsureWithoutAnExecutable(t *testing.T) {
	o := ensureOptions(t, "run")
	o.Executable = filepath.Join(o.StateDir, "no-such-program")
	_, err := Ensure(t.Context(), o)
	if want := "waoutbox --state-dir " + o.StateDir + " serve"; api.CodeOf(err) != CodeStartFailed || !strings.Contains(err.Error(), "no-such-program") || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// A daemon that was started by hand and is on its way up is waited for, never doubled.
func TestEnsureWaitsForTheLockHolder(t *testing.T) {
	o := ensureOptions(t, "run")
	holdLock(t, o.StateDir)
	got := make(chan error, 1)
	go func() {
		c, err := Ensure(t.Context(), o)
		if err == nil {
			c.Close()
		}
		got <- err
	}()
	// it found nothing and is about to look again
	awaitFile(t, filepath.Join(o.StateDir, startLockName))
	startServer(t, o.StateDir, func() {})
	if err := <-got; err != nil {
		t.Error(err)
	}
	if n := starts(t, o.StateDir); len(n) != 0 {
		t.Errorf("started %v beside the holder", n)
	}
}

// A command that works on the state without a daemon holds the lock for a moment: the daemon is
// started when it is done.
func TestEnsureStartsAfterACommand(t *testing.T) {
	o := ensureOptions(t, "run")
	st, err := store.OpenState(t.Context(), o.StateDir, store.Options{Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { st.Close() }) // long after Ensure has met it
	c, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := starts(t, o.StateDir); len(n) != 1 {
		t.Errorf("started %v, want one", n)
	}
}

// The daemon that Ensure started loses the state to one that was started by hand at the same
// moment: that one is as good.
func TestEnsureTakesTheWinner(t *testing.T) {
	o := ensureOptions(t, "lose")
	got := make(chan error, 1)
	go func() {
		c, err := Ensure(t.Context(), o)
		if err == nil {
			c.Close()
		}
		got <- err
	}()
	awaitStart(t, o.StateDir)
	holdLock(t, o.StateDir)
	// before anyone serves calls, so that Ensure meets its end
	awaitFile(t, filepath.Join(o.StateDir, "lost"))
	startServer(t, o.StateDir, func() {})
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// holdLock makes this process the owner of a state, until the test ends.
func holdLock(t *testing.T, dir string) {
	t.Helper()
	st, err := store.OpenState(t.Context(), dir, store.Options{Version: "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	if !awaitPath(path, time.Minute) {
		t.Fatalf("%s did not appear", path)
	}
}

// startServer serves a state's socket until the test ends.
func startServer(t *testing.T, dir string, stop func()) {
	t.Helper()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- newServer(api.Daemon{PID: os.Getpid(), Version: "0.1.0"}, stop).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// What holds the lock and never serves a call is named after the limit. It is not ended, and
// nothing is started beside it.
func TestEnsureNamesAnUnresponsiveLockHolder(t *testing.T) {
	t.Parallel()
	o := ensureOptions(t, "run")
	holdLock(t, o.StateDir)
	_, err := Ensure(t.Context(), o)
	if api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), fmt.Sprintf("pid %d, version 0.1.0", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if n := starts(t, o.StateDir); len(n) != 0 {
		t.Errorf("started %v beside the holder", n)
	}
}

func TestEnsureEndsWithItsContext(t *testing.T) {
	o := ensureOptions(t, "run")
	lock := flock.New(filepath.Join(o.StateDir, startLockName))
	if ok, err := lock.TryLock(); !ok {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ensure(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestMinimalEnv(t *testing.T) {
	got := minimalEnv([]string{"PATH=/bin", "HOME=/h", "OPENAI_API_KEY=k", "WAOUTBOX_LOG_LEVEL=debug", "XDG_STATE_HOME=/s", "LD_PRELOAD=/evil", reportEnv + "=9", "broken", "TZ=UTC"})
	if want := []string{"PATH=/bin", "HOME=/h", "WAOUTBOX_LOG_LEVEL=debug", "XDG_STATE_HOME=/s", "TZ=UTC"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := minimalEnv(nil); got == nil {
		t.Error("nil would hand the whole environment on")
	}
}

// A daemon that is ready and gives its first connection to nobody, as Wine's pipes do, keeps nobody
// waiting: before, the first call after the start had no response for as long as its caller had
// patience.
func TestEnsureOffersADaemonThatResponds(t *testing.T) {
	o := ensureOptions(t, "deaf")
	c, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.DaemonWithin(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	if n := starts(t, o.StateDir); len(n) != 1 {
		t.Errorf("started %v", n)
	}
}

package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/control"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// Stop comes back when the state is free for the next owner: the process has ended its work and
// given the lock back.
func TestStopWaitsForTheLock(t *testing.T) {
	o := ensureOptions(t, "run")
	for range 3 {
		c, err := Ensure(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := Stop(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, held, err := store.ReadOwner(o.StateDir); held || err != nil {
			t.Fatalf("after Stop the lock is held: %v, %v", held, err)
		}
		if err := Stop(t.Context(), c); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "not running") {
			t.Errorf("second Stop: %v", err)
		}
		c.Close()
	}
	if n := starts(t, o.StateDir); len(n) != 3 {
		t.Errorf("started %v", n)
	}
}

func TestStopEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	startServer(t, dir, func() {})
	holdLock(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Stop(ctx, control.NewClient(dir, control.Agent{})); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

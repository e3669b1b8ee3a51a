package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/control"
	"waoutbox/outbox/api"
)

// A daemon that dies without a report: how it ended and where its own words are, at once. Its panic
// is kept although its log was not open yet.
func TestEnsureTellsOfASilentEnd(t *testing.T) {
	o := ensureOptions(t, "panic")
	began := time.Now()
	_, err := Ensure(t.Context(), o)
	if api.CodeOf(err) != CodeStartFailed || !strings.Contains(err.Error(), "(exit status 2)") || !strings.HasSuffix(err.Error(), stderrPath(o.StateDir)+")") {
		t.Errorf("got %v (%s)", err, api.CodeOf(err))
	}
	if took := time.Since(began); took >= startLimit {
		t.Errorf("it took %v", took)
	}
	if text, err := os.ReadFile(stderrPath(o.StateDir)); err != nil || !strings.Contains(string(text), "panic: oh no") {
		t.Errorf("%s, %v", text, err)
	}
}

// A process that got hold of the pipe and outlives the daemon keeps nobody waiting.
func TestEnsureDoesNotWaitForALeakedPipe(t *testing.T) {
	o := ensureOptions(t, "orphan")
	defer func() {
		if err := appendLine(filepath.Join(o.StateDir, "end"), ""); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	_, err := Ensure(t.Context(), o)
	if api.CodeOf(err) != CodeStartFailed || !strings.Contains(err.Error(), "(exit status 7)") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took >= startLimit {
		t.Errorf("it took %v", took)
	}
}

// A caller that gives up while the daemon starts leaves a good one: the report that nobody reads
// does not end it.
func TestEnsureGivenUpLeavesAGoodDaemon(t *testing.T) {
	o := ensureOptions(t, "slow")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := Ensure(ctx, o)
		got <- err
	}()
	awaitStart(t, o.StateDir)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := appendLine(filepath.Join(o.StateDir, "go"), ""); err != nil {
		t.Fatal(err)
	}
	c := control.NewClient(o.StateDir, o.Agent)
	defer c.Close()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for ping(t.Context(), c) != nil {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("no daemon is there")
		}
	}
	again, err := Ensure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if n := starts(t, o.StateDir); len(n) != 1 {
		t.Errorf("started %v", n)
	}
}

// Mutation of report.go: the report of a service that starts is read whatever its length.
func TestReadMessage(t *testing.T) {
	for text, want := range map[string]bool{
		`{"ready":true,"pid":7,"version":"1"}` + "\n":         true,
		`{"error":{"code":"internal","message":"no"}}` + "\n": true,
		`{"ready":true,"mood":"good"}` + "\nand more":         true,
		`{"ready":true}`: false, // cut off
		"":               false,
		"\n":             false,
		"{}\n":           false,
		"panic: no\n":    false,
		strings.Repeat(" ", maxReportBytes) + `{"ready":true}` + "\n":      false,
		`{"error":{"message":"` + strings.Repeat("x", 4000) + `"}}` + "\n": true,
	} {
		if m, ok := readMessage(strings.NewReader(text)); ok != want {
			t.Errorf("%.40q: %+v, %v", text, m, ok)
		}
	}
}

// A daemon that somebody started by hand has nobody to report to.
func TestNoReport(t *testing.T) {
	var r *Report
	r.Ready(api.Daemon{})
	r.Failed(api.CodeInternal, "why")
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"waoutbox/cmd/internal/logtest"
	"waoutbox/outbox/api"
)

// The log file is opened at the first line, since the state directory is made only then; stderr
// takes over when it cannot be.
func TestServeLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var stderr bytes.Buffer
	e := &env{stateDir: dir, stderr: &stderr}
	l := e.serveLog(true)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(l, nil)).Info("hello")
	l.close()
	text, err := os.ReadFile(filepath.Join(dir, "serve.log"))
	info, statErr := os.Stat(l.path)
	if err != nil || statErr != nil || !bytes.Contains(text, []byte("hello")) || info.Mode().Perm() != 0o600 || stderr.Len() != 0 {
		t.Errorf("log file: %q, %v, %v; stderr %q", text, err, info.Mode(), stderr.String())
	}
	e.stateDir = filepath.Join(dir, "none")
	slog.New(slog.NewTextHandler(e.serveLog(true), nil)).Info("elsewhere")
	if !bytes.Contains(stderr.Bytes(), []byte("elsewhere")) {
		t.Errorf("stderr %q", stderr.String())
	}
	stderr.Reset()
	e.stateDir = dir
	slog.New(slog.NewTextHandler(e.serveLog(false), nil)).Info("for the service manager")
	if !bytes.Contains(stderr.Bytes(), []byte("for the service manager")) {
		t.Errorf("stderr %q", stderr.String())
	}
}

// brokenFile fails until it is mended.
type brokenFile struct{ err error }

func (f *brokenFile) Write(p []byte) (int, error) { return len(p), f.err }
func (f *brokenFile) Close() error                { return nil }

// What fails is said once, not with every line, and again after it had gone well.
func TestServeLogTellsOfAFaultOnce(t *testing.T) {
	var stderr bytes.Buffer
	file := &brokenFile{}
	l := &serveLog{path: "/state/serve.log", stderr: &stderr, file: file}
	for _, err := range []error{nil, errors.New("full"), errors.New("full"), nil, errors.New("again"), errors.New("again")} {
		file.err = err
		if _, got := l.Write([]byte("line\n")); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
	want := "the log /state/serve.log cannot be written: full\nthe log /state/serve.log cannot be written: again\n"
	if got := stderr.String(); got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// Go ends a process that panics with 2, and so does the watchdog's signal: a manager that was told
// not to start a service again that ended with 2 would leave it dead. It is told another number.
//
// Mutation of cmd/internal/servicemanager/notify.go: a service that panics, or that the watchdog
// ends, is taken for one with wrong settings and stays dead.
func TestWrongSettingsUnderAServiceManager(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"drain-timeout":"soon"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for socket, want := range map[string]int{"": exitUsage, "/run/notify": 78} {
		var out, errs bytes.Buffer
		getenv := func(name string) string {
			return map[string]string{"NOTIFY_SOCKET": socket, "WAOUTBOX_STATE_DIR": dir}[name]
		}
		code := newEnv([]string{"serve"}, getenv, strings.NewReader(""), &out, &errs).run(t.Context())
		if code != want || !strings.Contains(errs.String(), "drain-timeout") {
			t.Errorf("told over %q it ends with %d and says %q, want %d", socket, code, errs.String(), want)
		}
	}
}

func TestLinkWords(t *testing.T) {
	for want, l := range map[string]api.Link{
		"connected as +491515550100 (Alice)":       {State: api.LinkConnected, Account: "491515550100@s.whatsapp.net", Name: "Alice"},
		"connecting (no route to host)":            {State: api.LinkConnecting, Reason: "no route to host"},
		"not linked: waoutbox pair (logged out)":   {State: api.LinkUnlinked, Reason: "logged out"},
		"disconnected: waoutbox connect (closed)":  {State: api.LinkDisconnected, Closed: true, Reason: "closed"},
		"disconnected (another session took over)": {State: api.LinkDisconnected, Reason: "another session took over"},
	} {
		if got := linkWords(l); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Parts stop in their order, each waited for, whichever ends first; the first failure is returned.
func TestPartsStopInOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		fails string
		want  string
	}{"by the context": {"", "<nil>"}, "because one failed": {"b", "b: broke"}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var mu sync.Mutex
			var ended []string
			parts := []part{}
			for _, s := range []string{"a", "b", "c"} {
				parts = append(parts, part{name: s, run: func(ctx context.Context) error {
					if tc.fails == s {
						return errors.New("broke")
					}
					<-ctx.Done()
					mu.Lock()
					defer mu.Unlock()
					ended = append(ended, s)
					return ctx.Err()
				}})
			}
			err := runParts(ctx, slog.New(slog.DiscardHandler), parts, func(ctx context.Context) {
				if tc.fails == "" {
					cancel()
				}
				<-ctx.Done()
			})
			if got := fmt.Sprint(err); got != tc.want {
				t.Errorf("error %s, want %s", got, tc.want)
			}
			want := []string{"a", "b", "c"}
			if tc.fails != "" {
				want = []string{"a", "c"}
			}
			if !slices.Equal(ended, want) {
				t.Errorf("stopped in the order %v", ended)
			}
		})
	}
}

// A part that panics ends nothing else when what it does it does again and again: it is run anew.
// Any other one stops the service in order. Each is logged, once.
//
// Mutation of parts.go: a part of the service that panics ends the process, or is never run again.
// Mutation of parts.go: a part that panicked is not started anew.
func TestAPartThatPanicsIsContained(t *testing.T) {
	for name, anew := range map[string]bool{"anew": true, "stops": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var out logtest.Buffer
				runs, other := 0, "runs"
				parts := []part{{name: "a", anew: anew, run: func(ctx context.Context) error {
					if runs++; runs == 1 {
						panic("text of somebody")
					}
					cancel()
					<-ctx.Done()
					return nil
				}}, {name: "b", run: func(ctx context.Context) error {
					<-ctx.Done()
					other = "stopped"
					return nil
				}}}
				err := runParts(ctx, slog.New(slog.NewTextHandler(&out, nil)), parts, func(ctx context.Context) { <-ctx.Done() })
				if want := map[bool]int{true: 2, false: 1}[anew]; runs != want || other != "stopped" || errors.Is(err, errPanicked) == anew {
					t.Errorf("ran %d times, the other one %s: %v", runs, other, err)
				}
				if text := out.String(); strings.Count(text, " panic=") != 1 || strings.Contains(text, "somebody") {
					t.Errorf("the log has:\n%s", text)
				}
			})
		})
	}
}

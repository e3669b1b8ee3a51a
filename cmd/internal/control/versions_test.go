package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// What every version promises to every other: whatever else differs, they can find each other out
// and replace each other. Whoever changes this test breaks `stop`, `restart` and `status` between
// two versions.
func TestWhatEveryVersionPromises(t *testing.T) {
	stopped := make(chan struct{}, 3)
	r := startServerWith(t, t.TempDir(), ServerOptions{Service: &recordingService{}, Log: discardLog(),
		Daemon: api.Daemon{PID: 4711, Version: "0.1.0"}, Stop: func() { stopped <- struct{}{} }})
	for _, ask := range []struct{ method, path string }{{"GET", "/v1/daemon"}, {"POST", "/v1/stop"}} {
		status, body := post(t, r, ask.method, ask.path, "")
		var got struct {
			PID     int    `json:"pid"`
			Version string `json:"version"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.PID != 4711 || got.Version != "0.1.0" {
			t.Errorf("%s %s: %d %s, %v", ask.method, ask.path, status, body, err)
		}
	}
	<-stopped // it follows the response
	if len(stopped) != 0 {
		t.Errorf("stopped %d times more", len(stopped))
	}
	newer := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Method + " " + r.URL.Path; !slices.Contains([]string{"GET /v1/daemon", "POST /v1/stop"}, asked) {
			t.Errorf("asked for %s", asked)
		}
		fmt.Fprint(w, `{"pid":12,"version":"9.0.0","began":"2030-01-01T00:00:00Z","more":{"than":["today"]}}`)
	})
	if d, err := newer.Daemon(t.Context()); err != nil || d.PID != 12 || d.Version != "9.0.0" {
		t.Errorf("a newer daemon is %+v, %v", d, err)
	}
	if d, err := newer.RequestStop(t.Context()); err != nil || d.PID != 12 {
		t.Errorf("a newer daemon that stops is %+v, %v", d, err)
	}
}

// A service that is older than what calls it does nothing of what it does not know, and that is
// said with both versions: of what was asked for nothing is left open.
func TestAnOlderServiceDoesNothing(t *testing.T) {
	for name, body := range map[string]string{
		"an operation": `{"error":{"code":"unknown_route","message":"waoutbox 0.0.9 has no POST /v1/link/disconnect"}}`,
		"a method":     `{"error":{"code":"method_not_allowed","message":"takes no POST"}}`,
		"a field":      `{"error":{"code":"unknown_field","message":"unknown field cancel"}}`,
	} {
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerVersion, "0.0.9")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, body)
		})
		_, closed := c.Disconnect(t.Context())
		_, cancelled := c.ContinuePairing(t.Context(), api.ContinuePairing{Cancel: true})
		for _, err := range []error{closed, cancelled} {
			e, ok := errors.AsType[*api.Error](err)
			if !ok || e.Code != api.CodeServiceUnavail || !e.NothingDone() || !strings.Contains(e.Message, "version 0.0.9") || !strings.Contains(e.Message, "nothing was done") {
				t.Errorf("%s: %+v", name, err)
			}
		}
	}
	gone := NewClient(t.TempDir(), Agent{})
	_, err := gone.Disconnect(t.Context())
	if e, ok := errors.AsType[*api.Error](err); !ok || !e.NothingDone() {
		t.Errorf("none is there: %+v", err)
	}
}

// One that keeps no such promise cannot be stopped by a command: the sentence says how its process
// is ended. Before, it told whoever ran `stop` to run `stop`.
func TestWhatCannotBeStoppedIsEndedByHand(t *testing.T) {
	for name, body := range map[string]string{
		"unknown route": `{"error":{"code":"unknown_route","message":"no such route"}}`,
		"another shape": `["stopped"]`,
	} {
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerVersion, "9.0.0")
			if strings.HasPrefix(body, "{") {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, body)
		})
		holdLock(t, c.StateDir())
		_, daemon := c.Daemon(t.Context())
		_, stop := c.RequestStop(t.Context())
		for asked, err := range map[string]error{"daemon": daemon, "stop": stop} {
			if api.CodeOf(err) != api.CodeServiceUnavail || strings.Contains(err.Error(), " stop &&") || !strings.HasSuffix(err.Error(), " start") {
				t.Errorf("%s, %s: %v", name, asked, err)
			}
			if !strings.Contains(err.Error(), "version 9.0.0") || !strings.Contains(err.Error(), fmt.Sprint("kill ", os.Getpid())) && !strings.Contains(err.Error(), fmt.Sprint("taskkill /PID ", os.Getpid())) {
				t.Errorf("%s, %s: %v", name, asked, err)
			}
		}
		if _, err := c.Status(t.Context()); !strings.Contains(err.Error(), " stop && ") {
			t.Errorf("%s, another operation: %v", name, err)
		}
	}
	if got := killCommand("windows", 12); got != "taskkill /PID 12" {
		t.Error(got)
	}
}

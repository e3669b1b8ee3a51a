package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is what is told, or refuses.
type endpoint struct {
	mu    sync.Mutex
	fails bool
	tries int
	got   []Message
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tries++
	if e.fails {
		return nil, errors.New("refused")
	}
	var m Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	e.got = append(e.got, m)
	return &http.Response{StatusCode: 204, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (e *endpoint) set(fails bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = fails
}

// told lists what it was told: + a code for a rise, - for its end.
func (e *endpoint) told() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, m := range e.got {
		out = append(out, map[string]string{Raised: "+", Cleared: "-"}[m.Event]+m.Data.Code+m.Data.Webhook)
	}
	return strings.Join(out, " ")
}

// world is a service whose alarms a test sets.
type world struct {
	mu     sync.Mutex
	alarms []api.Alarm
}

func (w *world) set(codes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alarms = nil
	for _, c := range codes {
		code, hook, _ := strings.Cut(c, "@")
		w.alarms = append(w.alarms, api.Alarm{Code: code, Webhook: hook, Message: "mend it", Since: time.Now()})
	}
}

func (w *world) status(context.Context) (api.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return api.Status{Alarms: w.alarms}, nil
}

// inBubble runs a test with simulated time.
func inBubble(t *testing.T, test func(t *testing.T, w *world, e *endpoint, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		w, e, log := &world{}, &endpoint{}, &bytes.Buffer{}
		a := New(Options{URL: "https://alerts.example/in?token=hidden", Client: &http.Client{Transport: e}, Status: w.status, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		test(t, w, e, log)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Mutation of alerts.go: an alarm that comes and goes is told each time.
func TestAlarmsAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, e *endpoint, _ *bytes.Buffer) {
		after := func(d time.Duration, want string) {
			t.Helper()
			<-time.After(d)
			synctest.Wait()
			if got := e.told(); got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		w.set("link_down")
		after(20*time.Second, "") // it may be over at once
		w.set()
		after(time.Minute, "") // as it was
		w.set("webhook_failing@wh_1", "outbox_disk_low")
		<-time.After(time.Minute)
		w.set("webhook_failing@wh_1", "webhook_failing@wh_2")
		<-time.After(time.Minute)
		got := e.told()
		for _, want := range []string{"+webhook_failingwh_1", "+webhook_failingwh_2", "+outbox_disk_low", "-outbox_disk_low"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("told %q, want %s once", got, want)
			}
		}
		w.set()
		<-time.After(time.Hour)
		if n := len(strings.Fields(e.told())); n != 6 {
			t.Errorf("told %q", e.told())
		}
		ids := map[string]int{}
		for _, m := range e.got {
			ids[m.Data.ID]++
		}
		for id, n := range ids {
			if n != 2 || !strings.HasPrefix(id, "alarm_") {
				t.Errorf("%s occurs %d times", id, n)
			}
		}
	})
}

// A webhook whose dead letters rise and that then fails is one message more, that it fails: what
// was told before is not over, and ends with that. Before, its end was told in the same second.
func TestRisingDeadLettersThatBecomeAFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, e *endpoint, _ *bytes.Buffer) {
		w.set("dead_letters_rising@wh_1", "dead_letters_rising@wh_2")
		<-time.After(time.Hour)
		w.set("webhook_failing@wh_1")
		<-time.After(time.Hour)
		if got := e.told(); got != "+dead_letters_risingwh_1 +dead_letters_risingwh_2 -dead_letters_risingwh_2 +webhook_failingwh_1" {
			t.Errorf("told %q", got)
		}
		w.set()
		<-time.After(time.Hour)
		if got := e.told(); !strings.HasSuffix(got, " -dead_letters_risingwh_1 -webhook_failingwh_1") || len(e.got) != 6 {
			t.Errorf("at the end told %q", got)
		}
	})
}

// What was told is over for the endpoint also when that is so only after a restart, and is not told
// anew where it goes on; what waited is told then.
//
// Mutation of kept.go: after a restart the alert-webhook is never told that an alarm is over.
// Mutation of alerts.go: a link that is not yet down again counts as up after a restart, and is
// told anew.
func TestARestartForgetsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w, e, log := &world{}, &endpoint{}, &bytes.Buffer{}
		serve := func(during func()) {
			t.Helper()
			a := New(Options{URL: "https://alerts.example/in", Client: &http.Client{Transport: e}, Status: w.status, Log: slog.New(slog.NewTextHandler(log, nil)), Path: filepath.Join(dir, "alerts.json")})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			during()
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		serve(func() {
			w.set("link_down", "webhook_failing@wh_1")
			<-time.After(time.Minute)
			e.set(true)
			w.set("link_down", "webhook_failing@wh_1", "outbox_disk_low")
			<-time.After(time.Minute)
		})
		w.set() // the link is not yet down again
		e.set(false)
		serve(func() {
			<-time.After(time.Minute)
			w.set("link_down")
			<-time.After(time.Hour)
		})
		const want = "+link_down +webhook_failingwh_1 +outbox_disk_low -outbox_disk_low -webhook_failingwh_1"
		if got := e.told(); got != want || log.Len() == 0 {
			t.Errorf("told %q, want %q; logged %q", got, want, log.String())
		}
		if first, last := e.got[1].Data.ID, e.got[4].Data.ID; first != last {
			t.Errorf("what is over is %s, and was %s", last, first)
		}
		if err := os.WriteFile(filepath.Join(dir, "alerts.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		serve(func() { <-time.After(time.Minute) })
		if got := e.told(); got != want+" +link_down" || !strings.Contains(log.String(), "not known") {
			t.Errorf("with a file that is damaged: told %q, logged %q", got, log.String())
		}
	})
}

// An endpoint that is down is tried less and less, is told in order when it is back, and its
// failure is logged a few times, without the token in its URL.
//
// Mutation of alerts.go: an endpoint that is down is called all the time.
func TestAnEndpointThatIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, e *endpoint, log *bytes.Buffer) {
		e.set(true)
		w.set("link_down")
		<-time.After(2 * time.Minute)
		w.set()
		<-time.After(24 * time.Hour)
		e.mu.Lock()
		tries := e.tries
		e.mu.Unlock()
		if tries > 40 {
			t.Errorf("%d tries in a day", tries)
		}
		if n := strings.Count(log.String(), "level=WARN"); n < 1 || n > 7 || strings.Contains(log.String(), "hidden") {
			t.Errorf("%d lines were logged: %s", n, log)
		}
		e.set(false)
		<-time.After(2 * time.Hour)
		if got := e.told(); got != "+link_down -link_down" {
			t.Errorf("told %q", got)
		}
	})
}

// What is told goes where deliveries may go, and nowhere else.
func TestTheAddressIsJudged(t *testing.T) {
	t.Parallel()
	arrived := make(chan Message, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Header.Get("X-Webhook-Event") != Raised {
			t.Errorf("%v, %v", err, r.Header)
		}
		arrived <- m
	}))
	defer srv.Close()
	sender := webhook.New(webhook.Options{})
	defer sender.Close()
	for url, ok := range map[string]bool{srv.URL: true, "http://169.254.169.254/": false} {
		a := New(Options{URL: url, Client: sender.FetchClient(false), Log: slog.New(slog.DiscardHandler)})
		err := a.post(t.Context(), Message{Event: Raised, Data: Data{Code: "link_down"}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if m := <-arrived; m.Data.Code != "link_down" {
		t.Errorf("it arrived as %+v", m)
	}
}

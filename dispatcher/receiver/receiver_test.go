package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o Options) *Receiver {
	t.Helper()
	r := New(o)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// post sends one event and returns the status, 0 when there was no response.
func post(t *testing.T, url, id string, seq string, body string, header ...string) int {
	t.Helper()
	return postWithin(t, time.Minute, url, id, seq, body, header...)
}

// postWithin is post with another limit than what a busy machine needs.
func postWithin(t *testing.T, limit time.Duration, url, id string, seq string, body string, header ...string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Webhook-Id", id)
	req.Header.Set("X-Webhook-Sequence", seq)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestParseScript(t *testing.T) {
	got, err := ParseScript("500, hang, reset,429+2, 200@50ms")
	if err != nil {
		t.Fatal(err)
	}
	want := Script{{Status: 500}, {Hang: true}, {Reset: true}, {Status: 429, RetryAfter: "2"}, {Status: 200, After: 50 * time.Millisecond}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"20", "teapot", "200@soon", "700"} {
		if _, err := ParseScript(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestScriptOverAllPostsLastStepRepeats(t *testing.T) {
	r := start(t, Options{Script: MustScript("500, hang, reset, 200")})
	var got []int
	for i := range 5 {
		limit := time.Minute
		if i == 1 { // it hangs
			limit = time.Second
		}
		got = append(got, postWithin(t, limit, r.URL(), "evt_1", "1", "{}"))
	}
	if want := []int{500, 0, 0, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("responses %v, want %v", got, want)
	}
}

func TestScriptPerEventAndSwitch(t *testing.T) {
	r := start(t, Options{Script: MustScript("500,200"), PerEvent: true})
	got := []int{post(t, r.URL(), "a", "1", "{}"), post(t, r.URL(), "b", "2", "{}"), post(t, r.URL(), "a", "1", "{}")}
	if want := []int{500, 500, 200}; !slices.Equal(got, want) {
		t.Errorf("responses %v, want %v", got, want)
	}
	r.SetScript(MustScript("204"), false)
	if got := post(t, r.URL(), "c", "3", "{}"); got != 204 {
		t.Errorf("after SetScript: %d, want 204", got)
	}
}

func TestCountsDuplicatesOrderAndReplays(t *testing.T) {
	r := start(t, Options{})
	alice, bob := `{"data":{"messages":[{"key":{"remoteJid":"alice"}}]}}`, `{"data":[{"key":{"remoteJid":"bob"}}]}`
	post(t, r.URL(), "a2", "2", alice)
	post(t, r.URL(), "b1", "1", bob)                            // lower, but another chat
	post(t, r.URL(), "a1", "1", alice)                          // out of order
	post(t, r.URL(), "a2", "2", alice)                          // duplicate
	post(t, r.URL(), "a0", "0", alice, "X-Webhook-Replay", "1") // replays may be late
	post(t, r.URL(), "a3", "3", alice, "X-Webhook-Attempt", "2")
	post(t, r.URL(), "x2", "2", `{"a":1}`) // no chat: no order
	post(t, r.URL(), "x1", "1", `{"a":1}`)
	post(t, r.URL(), "k2", "2", "{}", "X-Webhook-Event", "connection.update")
	post(t, r.URL(), "k1", "1", "{}", "X-Webhook-Event", "connection.update") // out of order
	c := r.Counts()
	want := Counts{Posts: 10, Accepted: 10, Events: 9, Retried: 1, Replayed: 1, Duplicates: 1, OutOfOrder: 2}
	if c != want {
		t.Errorf("counts %+v, want %+v", c, want)
	}
	d := r.Deliveries()
	if !d[2].OutOfOrder || !d[3].Duplicate || d[4].OutOfOrder || d[5].Attempt != 2 || string(d[0].Body) != alice {
		t.Errorf("deliveries %+v", d)
	}
}

func TestSignatures(t *testing.T) {
	r := start(t, Options{Secret: "whsec_test"})
	mac := hmac.New(sha256.New, []byte("whsec_test"))
	mac.Write([]byte("{}"))
	good := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	post(t, r.URL(), "a", "1", "{}", "X-Webhook-Signature", good)
	post(t, r.URL(), "b", "2", "{} ", "X-Webhook-Signature", good)
	post(t, r.URL(), "c", "3", "{}")
	d := r.Deliveries()
	got := []Signature{d[0].Signature, d[1].Signature, d[2].Signature}
	if want := []Signature{SignatureValid, SignatureInvalid, SignatureAbsent}; !slices.Equal(got, want) {
		t.Errorf("signatures %v, want %v", got, want)
	}
	if c := r.Counts(); c.SignaturesValid != 1 || c.SignaturesInvalid != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestKeepBoundsMemory(t *testing.T) {
	r := start(t, Options{Keep: 2, DropBodies: true})
	for _, id := range []string{"a", "b", "c"} {
		post(t, r.URL(), id, "1", "{}")
	}
	d := r.Deliveries()
	if len(d) != 2 || d[0].EventID != "b" || d[1].EventID != "c" || d[0].Body != nil {
		t.Errorf("kept %+v", d)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	r := start(t, Options{})
	post(t, r.URL(), "a", "1", "{}")
	if err := r.Wait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx, 2); err == nil {
		t.Error("waited for a POST that never came, and got no error")
	}
}

func TestChatOfTheGoldenBodies(t *testing.T) {
	dir := filepath.Join("..", "..", "connection", "translate", "testdata", "events")
	for file, want := range map[string]string{
		"message.received-text.json":       "204813927440123@lid",
		"message.received-group-text.json": "120363025846172094@g.us",
		"message.update-read.json":         "204813927440123@lid",
		"group.update-subject.json":        "120363025846172094@g.us",
		"connection.update-open.json":      "",
	} {
		body, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := chatOf(body); got != want {
			t.Errorf("%s: chat %q, want %q", file, got, want)
		}
	}
}

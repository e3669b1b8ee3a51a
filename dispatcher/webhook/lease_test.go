package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

func leaseSecret(n byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('a'+n)), 32)))
}

// leaseSender is a sender that knows how bodies of leases are made: what it was asked for.
func leaseSender(t *testing.T) *Sender {
	t.Helper()
	s := New(Options{
		UserAgent: "waoutbox/test", Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil },
		Occurrence: func(ev outbox.Event, preview bool, watermark outbox.Seq) ([]byte, error) {
			if ev.Name == "unknown" {
				return nil, errors.New("no such event")
			}
			if ev.Name == "huge" {
				return make([]byte, maxLeaseBody+1), nil
			}
			return fmt.Appendf(nil, `{"eventId":%q,"preview":%v,"cursor":"%d"}`, ev.Key, preview, watermark), nil
		},
		Cursor: func(watermark outbox.Seq) string { return fmt.Sprint(watermark) },
	})
	t.Cleanup(s.Close)
	return s
}

func leaseRequest(url string) dispatcher.Request {
	r := request(url, leaseSecret(0), `{"data":{"secret":"stored body"}}`)
	r.Webhook.Headers, r.Webhook.HeaderNames = []byte(`{"Authorization":"Bearer owner"}`), []string{"Authorization"}
	r.Webhook.Lease = &outbox.Lease{ID: "mcps_1", Principal: "local", Name: "message.received", Generation: 1}
	r.Watermark, r.Replay = 40, 3
	return r
}

// TestWhatTheReceiverOfALeaseGets: the headers that the extension names, and no other: nothing of
// the account, of the attempt, or of headers of the webhook; the thin body and never the stored
// one; signatures under each secret that counts.
//
// Mutation of lease.go: the receiver gets the stored body.
// Mutation of sender.go: or headers of an ordinary webhook.
func TestWhatTheReceiverOfALeaseGets(t *testing.T) {
	var got []sent
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, sent{r.Header.Clone(), b})
		w.WriteHeader(http.StatusNoContent)
	})
	s := leaseSender(t)
	r := leaseRequest(url)
	old := leaseRequest(url)
	old.Webhook.PreviousSecret, old.Webhook.PreviousUntil = []byte(leaseSecret(1)), time.Now().Add(time.Minute)
	over := leaseRequest(url)
	over.Webhook.PreviousSecret, over.Webhook.PreviousUntil = []byte(leaseSecret(1)), time.Now().Add(-time.Minute)
	for _, r := range []dispatcher.Request{r, old, over} {
		if res := s.Send(t.Context(), r); res.Class != outbox.ClassOK {
			t.Fatalf("Send: %+v", res)
		}
	}
	if res := s.Gap(t.Context(), r); res.Class != outbox.ClassOK {
		t.Fatalf("Gap: %+v", res)
	}
	sub := outbox.Subscription{ID: "wh_1", Epochs: []outbox.Epoch{{From: 1}}}
	if err := s.Terminated(t.Context(), sub, r.Webhook, map[string]any{"code": -32012}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.clients); n != 0 { // nobody is left who would have it forgotten
		t.Errorf("%d clients are kept of a lease that has ended", n)
	}
	names := []string{"Content-Length", "Content-Type", "User-Agent", "Webhook-Id", "Webhook-Signature", "Webhook-Timestamp", "X-Mcp-Subscription-Id"}
	for i, g := range got {
		var all []string
		for name := range g.header {
			all = append(all, name)
		}
		if slices.Sort(all); !slices.Equal(all, names) {
			t.Errorf("request %d has the headers %v", i, all)
		}
		for n, want := range map[byte]bool{0: true, 1: i == 1} {
			v, err := standardwebhooks.NewWebhook(leaseSecret(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Verify(g.body, g.header); (err == nil) != want {
				t.Errorf("request %d under secret %d: %v", i, n, err)
			}
		}
		if id := g.header.Get("X-MCP-Subscription-Id"); id != "mcps_1" {
			t.Errorf("request %d is of %q", i, id)
		}
	}
	if len(got) != 5 {
		t.Fatalf("%d requests", len(got))
	}
	for i, want := range []string{
		`{"eventId":"evt_1","preview":false,"cursor":"40"}`, `{"eventId":"evt_1","preview":false,"cursor":"40"}`, `{"eventId":"evt_1","preview":false,"cursor":"40"}`,
		`{"cursor":"40","type":"gap"}`, `{"error":{"code":-32012},"type":"terminated"}`,
	} {
		id := "evt_1"
		if i > 2 {
			id = "msg_" + []string{"gap", "terminated"}[i-3] + "_"
		}
		if string(got[i].body) != want || !strings.HasPrefix(got[i].header.Get("webhook-id"), id) {
			t.Errorf("request %d is %q: %s", i, got[i].header.Get("webhook-id"), got[i].body)
		}
	}
}

// TestWhatIsNotSentOfALease: nothing unsigned, nothing too large, nothing whose body cannot be
// made.
func TestWhatIsNotSentOfALease(t *testing.T) {
	var arrived atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	for name, c := range map[string]struct {
		change func(*dispatcher.Request)
		class  outbox.Class
	}{
		"unsigned": {func(r *dispatcher.Request) { r.Webhook.Secret = nil }, outbox.ClassLocal},
		"unknown":  {func(r *dispatcher.Request) { r.Event.Name = "unknown" }, outbox.ClassInternal},
		"huge":     {func(r *dispatcher.Request) { r.Event.Name = "huge" }, outbox.ClassInternal},
	} {
		r := leaseRequest(url)
		c.change(&r)
		if res := leaseSender(t).Send(t.Context(), r); res.Class != c.class {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if res := sender(t).Send(t.Context(), leaseRequest(url)); res.Class != outbox.ClassInternal {
		t.Errorf("a sender that knows no bodies: %+v", res)
	}
	if arrived.Load() != 0 {
		t.Errorf("%d requests arrived", arrived.Load())
	}
}

// repeatsChallenge is a receiver that agrees.
func repeatsChallenge(w http.ResponseWriter, r *http.Request) {
	var in struct{ Type, Challenge string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Type != "verification" || in.Challenge == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"challenge": in.Challenge})
}

// TestChallenge: a receiver agrees by repeating what it was sent, signed; whatever else one does is
// told as one word, and is never followed.
//
// Mutation of envelope.go: whoever responds has agreed.
func TestChallenge(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var first sent
	agrees := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		first = sent{r.Header.Clone(), b}
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		repeatsChallenge(w, r)
	})
	say := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	var followed atomic.Int64
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		followed.Add(1)
		repeatsChallenge(w, r)
	})
	silent := listen(t, nil, readRequest)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	tlsOnly := httptest.NewTLSServer(http.HandlerFunc(repeatsChallenge))
	t.Cleanup(tlsOnly.Close)
	s := leaseSender(t)
	s.challenge = 500 * time.Millisecond
	s.resolver = testResolver(t, map[string]string{"rebinds.example": "127.0.0.1", "cloud.example": "169.254.169.254"})
	for name, c := range map[string]struct {
		url, want string
		public    bool
	}{
		"agrees":       {url: agrees},
		"another word": {url: serve(t, say(200, `{"challenge":"AAAA"}`)), want: "challenge_failed"},
		"empty":        {url: serve(t, say(204, "")), want: "challenge_failed"},
		"no JSON":      {url: serve(t, say(200, "ok")), want: "challenge_failed"},
		"an array":     {url: serve(t, say(200, `["AAAA"]`)), want: "challenge_failed"},
		"without end":  {url: serve(t, say(200, strings.Repeat(" ", 64<<10))), want: "challenge_failed"},
		"400":          {url: serve(t, say(400, "internal text")), want: "http_4xx"},
		"410":          {url: serve(t, say(410, "")), want: "http_4xx"},
		"503":          {url: serve(t, say(503, "internal text")), want: "http_5xx"},
		"redirect": {url: serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}), want: "http_4xx"},
		"silent":        {url: silent.url, want: "timeout"},
		"refuses":       {url: closed.URL, want: "connection_refused"},
		"unknown CA":    {url: tlsOnly.URL, want: "tls_error"},
		"no such name":  {url: "https://nowhere.example/", want: "connection_refused"},
		"rebinds":       {url: "https://rebinds.example/", want: "connection_refused", public: true},
		"metadata":      {url: "https://cloud.example/", want: "connection_refused"},
		"private":       {url: agrees, want: "connection_refused", public: true},
		"no URL at all": {url: "ftp://x/", want: "connection_refused"},
	} {
		w := outbox.Webhook{URL: c.url, Lease: &outbox.Lease{Public: c.public}}
		err := s.Challenge(t.Context(), w, []byte(leaseSecret(0)), "mcps_1")
		e, ok := errors.AsType[*ChallengeError](err)
		if c.want == "" && err != nil || c.want != "" && (!ok || e.Class != c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "127.0") || strings.Contains(err.Error(), "internal text") || strings.Contains(err.Error(), "example")) {
			t.Errorf("%s tells more than a word: %v", name, err)
		}
	}
	if followed.Load() != 0 {
		t.Error("a redirect was followed")
	}
	v, err := standardwebhooks.NewWebhook(leaseSecret(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(first.body, first.header); err != nil || !strings.HasPrefix(first.header.Get("webhook-id"), "msg_verification_") || first.header.Get("X-MCP-Subscription-Id") != "mcps_1" {
		t.Errorf("the challenge has %v: %v", first.header, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Challenge(gone, outbox.Webhook{URL: agrees}, []byte(leaseSecret(0)), "mcps_1"); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asked has left: %v", err)
	}
}

// TestALeaseStaysPublic: the receiver of a lease was public when it was subscribed. Its name
// resolves to this machine later, and nothing is sent.
//
// Mutation of address.go: a public name is followed into a private network.
func TestALeaseStaysPublic(t *testing.T) {
	var arrived atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	s := leaseSender(t)
	r := leaseRequest(url)
	if res := s.Send(t.Context(), r); res.Class != outbox.ClassOK {
		t.Fatalf("Send: %+v", res)
	}
	lease := *r.Webhook.Lease
	lease.Public = true
	r.Webhook.Lease = &lease
	if res := s.Send(t.Context(), r); res.Class != outbox.ClassAddress || arrived.Load() != 1 {
		t.Errorf("Send: %+v, %d arrived", res, arrived.Load())
	}
}

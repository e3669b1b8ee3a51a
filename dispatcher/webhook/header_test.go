package webhook

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// written is what net/http writes for an attempt: the same headers as the ones of the head.
func written(t *testing.T, raw string, r dispatcher.Request, cred *credentials, now time.Time) string {
	t.Helper()
	u, err := parseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	h := cred.headers.Clone()
	if h == nil {
		h = http.Header{}
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set("Content-Type", "application/json")
	set("Accept-Encoding", "gzip")
	set("User-Agent", "waoutbox/test")
	set("X-Webhook-Id", r.Event.Key)
	set("X-Webhook-Event", r.Event.Name)
	set("X-Webhook-Attempt", strconv.Itoa(r.Attempt))
	set("X-Webhook-Subscription", string(r.Sub))
	set("X-Webhook-Sequence", strconv.FormatUint(uint64(r.Event.Seq), 10))
	set("idempotency-key", r.Event.Key)
	set("X-Webhook-Account", r.Event.Account)
	if r.Replay > 0 {
		set("X-Webhook-Replay", strconv.Itoa(r.Replay))
	}
	if cred.sign != nil {
		at := strconv.FormatInt(now.Unix(), 10)
		set("X-Webhook-Signature", Signature(cred.sign.raw.key, r.Event.Body))
		set("Webhook-Id", r.Event.Key)
		set("Webhook-Timestamp", at)
		set("Webhook-Signature", string(cred.sign.appendStandard(nil, []byte(r.Event.Key+"."+at+"."), r.Event.Body)))
	}
	q, err := http.NewRequest(http.MethodPost, u.String(), bytes.NewReader(r.Event.Body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header = h
	var b bytes.Buffer
	if err := q.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A request is byte for byte the one that net/http writes.
func TestTheRequestIsWhatNetHTTPWrites(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		url     string
		secret  string
		headers string
		change  func(*dispatcher.Request)
	}{
		"plain":          {url: "http://127.0.0.1:8080/hook"},
		"signed":         {url: "https://crm.example/hook?a=b", secret: "whsec_c2VjcmV0IGtleQ=="},
		"no path":        {url: "https://crm.example"},
		"IPv6":           {url: "http://[::1]:8080/a b"},
		"default port":   {url: "https://crm.example:443/x"},
		"custom":         {url: "http://n8n/x", secret: "s", headers: `{"Authorization":"Bearer x","x-tenant":" bl\u00fc ","ZZ":"1","Accept":"a, b","X-Idempotency-Key":"k"}`},
		"replayed":       {url: "http://n8n/x", change: func(r *dispatcher.Request) { r.Replay, r.Attempt = 12, 4 }},
		"no account":     {url: "http://n8n/x", change: func(r *dispatcher.Request) { r.Event.Account = "" }},
		"large sequence": {url: "http://n8n/x", change: func(r *dispatcher.Request) { r.Event.Seq = 1<<64 - 1 }},
		"large body":     {url: "http://n8n/x", secret: "s", change: func(r *dispatcher.Request) { r.Event.Body = make([]byte, 1<<20) }},
	} {
		r := request(c.url, c.secret, `{"a":1}`)
		if c.change != nil {
			c.change(&r)
		}
		cred := &credentials{}
		if c.secret != "" {
			cred.sign = newSigner([]byte(c.secret))
		}
		if c.headers != "" {
			var err error
			if cred.headers, err = parseHeaders([]byte(c.headers)); err != nil {
				t.Fatal(err)
			}
		}
		u, err := parseURL(c.url)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := newHead(u, "waoutbox/test", r.Sub, cred).append(nil, &r, cred, now)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Event.Body...)
		if want := written(t, c.url, r, cred, now); string(got) != want {
			t.Errorf("%s:\n%.1500s\nwant\n%.1500s", name, got, want)
		}
	}
}

// What would break a request is not sent: neither an event that says so, nor a header in a database
// that other hands wrote.
func TestNothingBreaksOutOfAHeader(t *testing.T) {
	posts := 0
	url := serve(t, func(http.ResponseWriter, *http.Request) { posts++ })
	for _, evil := range []string{"x\r\nX-Injected: 1", "x\n", "\x00", "\x7f"} {
		for _, change := range []func(*outbox.Event){
			func(e *outbox.Event) { e.Key = evil }, func(e *outbox.Event) { e.Name = evil }, func(e *outbox.Event) { e.Account = evil },
		} {
			r := request(url, "s", "{}")
			change(&r.Event)
			if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassInternal || strings.ContainsAny(res.Message, "\r\n") {
				t.Errorf("%q: %+v", evil, res)
			}
		}
		for _, headers := range []map[string]string{{"X-Token": evil}, {"X-" + evil: "v"}, {"": "v"}, {"X Y": "v"}} {
			r := request(url, "s", "{}")
			r.Webhook.Headers = headersOf(t, headers)
			if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassLocal {
				t.Errorf("%q: %+v, want it held", headers, res)
			}
		}
	}
	if posts != 0 {
		t.Errorf("%d POSTs arrived", posts)
	}
}

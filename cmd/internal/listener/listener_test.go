package listener_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"waoutbox/cmd/internal/listener"
	"waoutbox/dispatcher/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// headers are those of a delivery, signed by the sender's code and by the library of Standard
// Webhooks.
func headers(t *testing.T, body []byte, at time.Time) http.Header {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := wh.Sign("evt_1", at, body)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("X-Webhook-Signature", webhook.Signature([]byte(secret), body))
	h.Set("webhook-id", "evt_1")
	h.Set("webhook-timestamp", unix(at))
	h.Set("webhook-signature", "v1,other "+sig)
	return h
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// Mutation of listener.go: a signature that nobody checks.
func TestVerify(t *testing.T) {
	t.Parallel()
	body, now := []byte(`{"event":"x"}`), time.Now()
	for name, change := range map[string]func(http.Header, *[]byte){
		"":                         func(http.Header, *[]byte) {},
		"of another body":          func(_ http.Header, b *[]byte) { *b = []byte(`{"event":"y"}`) },
		"no X-Webhook-Signature":   func(h http.Header, _ *[]byte) { h.Del("X-Webhook-Signature") },
		"no webhook-timestamp":     func(h http.Header, _ *[]byte) { h.Del("webhook-timestamp") },
		"another body, time":       func(h http.Header, _ *[]byte) { h.Set("webhook-id", "evt_2") },
		"from now":                 func(h http.Header, _ *[]byte) { h.Set("webhook-timestamp", unix(now.Add(-time.Hour))) },
		"another body, time or s":  func(h http.Header, _ *[]byte) { h.Set("webhook-signature", "v1,AAAA") },
		"is of another body or se": func(h http.Header, _ *[]byte) { h.Set("X-Webhook-Signature", "sha256="+strings.Repeat("0", 64)) },
	} {
		h, b := headers(t, body, now), bytes.Clone(body)
		change(h, &b)
		err := listener.Verify(secret, h, b, now)
		if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A delivery that the library of Standard Webhooks refuses is not valid: its receivers use that.
// Signed each time is what the headers say in letters.
func TestVerifyIsAsStrictAsTheLibrary(t *testing.T) {
	t.Parallel()
	body, now := []byte(`{"event":"x"}`), time.Now()
	standard, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		id, timestamp, before, after string
		valid                        bool
	}{
		{id: "evt_1", timestamp: unix(now), valid: true},
		{id: "evt_1", timestamp: unix(now), before: "v1,other  ", after: " v2,other", valid: true},
		{id: "evt_1", timestamp: unix(now), before: "\n"},
		{id: "evt_1", timestamp: unix(now), before: "v1,other\t"},
		{id: "evt_1", timestamp: unix(now), after: "\u00a0"},
		{id: "evt_1", timestamp: "+" + unix(now)},
		{id: "evt_1", timestamp: "0" + unix(now)},
		{timestamp: unix(now)},
	} {
		m := hmac.New(sha256.New, raw)
		m.Write([]byte(x.id + "." + x.timestamp + "." + string(body)))
		h := http.Header{}
		h.Set("X-Webhook-Signature", webhook.Signature([]byte(secret), body))
		h.Set("webhook-id", x.id)
		h.Set("webhook-timestamp", x.timestamp)
		h.Set("webhook-signature", x.before+"v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil))+x.after)
		ours, theirs := listener.Verify(secret, h, body, now), standard.Verify(body, h)
		if (ours == nil) != x.valid || (theirs == nil) != x.valid {
			t.Errorf("%q: ours %v, theirs %v", h, ours, theirs)
		}
	}
}

// What arrives is shown one at a time, and answered with the status that was asked for.
func TestListener(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan listener.Delivery, 2)
	l := listener.New(ln, 503, func(d listener.Delivery) { shown <- d })
	defer l.Close()
	l.Serve(secret)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, signed := range []bool{true, false} {
		body := []byte(`{"event":"message.received"}`)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ln.Addr().String(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if signed {
			req.Header = headers(t, body, time.Now())
		}
		req.Header.Set("X-Webhook-Event", "message.received")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		d := <-shown
		if resp.StatusCode != 503 || d.Event != "message.received" || !bytes.Equal(d.Body, body) || (d.Fault == "") != signed {
			t.Errorf("signed %v: %s, %+v", signed, resp.Status, d)
		}
	}
}

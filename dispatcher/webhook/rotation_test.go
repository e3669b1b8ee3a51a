package webhook

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// rotating is a request whose webhook's secret was rotated, with both valid for a while longer.
func rotating(url string, left time.Duration) dispatcher.Request {
	r := request(url, newSecret, `{"a":1}`)
	r.Webhook.PreviousSecret, r.Webhook.PreviousUntil = []byte(oldSecret), time.Now().Add(left)
	return r
}

const (
	oldSecret = "whsec_b2xkIGtleSBvZiB0aGUgcm90YXRpb24gdGVzdCE="
	newSecret = "whsec_bmV3IGtleSBvZiB0aGUgcm90YXRpb24gdGVzdCE="
)

// While both secrets count, receivers that hold either of them verify, whichever scheme they
// use: webhook-signature carries both, the current first, and X-Webhook-Signature stays with the
// previous one. Afterwards the previous one counts no more. The previous secret was not used: its
// receivers got "no matching signature found".
//
// Mutation of credentials.go: receivers that still have the secret before a rotation cannot verify
// any more.
// Mutation of credentials.go: the secret before a rotation counts for ever.
func TestBothSecretsCountDuringARotation(t *testing.T) {
	var got http.Header
	var body []byte
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		got = r.Header.Clone()
	})
	s := sender(t)
	for name, c := range map[string]struct {
		left       time.Duration
		old        bool // the previous secret counts
		signatures int
	}{
		"during": {time.Hour, true, 2},
		"after":  {-time.Second, false, 1},
	} {
		if res := s.Send(t.Context(), rotating(url, c.left)); res.Class != outbox.ClassOK {
			t.Fatalf("%s: %+v", name, res)
		}
		current, previous := verifies(t, newSecret, body, got), verifies(t, oldSecret, body, got)
		if !current || previous != c.old {
			t.Errorf("%s: the current secret verifies: %v, the previous one: %v", name, current, previous)
		}
		signatures := strings.Fields(got.Get("Webhook-Signature"))
		if len(signatures) != c.signatures {
			t.Errorf("%s: %d signatures", name, len(signatures))
		}
		// The first one alone, as receivers see it that know of one only.
		first := got.Clone()
		first.Set("Webhook-Signature", signatures[0])
		if !verifies(t, newSecret, body, first) {
			t.Errorf("%s: the first signature is not the current secret's", name)
		}
		want := Signature([]byte(newSecret), body)
		if c.old {
			want = Signature([]byte(oldSecret), body)
		}
		if got.Get("X-Webhook-Signature") != want {
			t.Errorf("%s: X-Webhook-Signature %s, want %s", name, got.Get("X-Webhook-Signature"), want)
		}
	}
}

// verifies asks the library of Standard Webhooks.
func verifies(t *testing.T, secret string, body []byte, h http.Header) bool {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(body, h) == nil
}

// The end of a rotation is met by the attempt that is made then, without any change of the webhook.
func TestARotationEndsByItself(t *testing.T) {
	now := time.Now()
	c := &credentials{sign: newSigner([]byte("new")), previous: newSigner([]byte("old")), until: now}
	r := request("http://x", "", "{}")
	h := newHead(mustParse(t, "http://x/"), "ua", "wh_1", c)
	for at, want := range map[time.Time]string{now.Add(-1): "old", now: "new", now.Add(1): "new"} {
		_, sent, err := h.append(nil, &r, c, at)
		if err != nil || sent.plain != Signature([]byte(want), r.Event.Body) {
			t.Errorf("%v after its end: not signed with the %s secret (%v)", at.Sub(now), want, err)
		}
	}
}

// A previous secret that cannot be opened holds the webhook as long as it counts; afterwards nobody
// needs it.
func TestAPreviousSecretThatCannotBeOpenedHolds(t *testing.T) {
	posts := 0
	url := serve(t, func(http.ResponseWriter, *http.Request) { posts++ })
	s := New(Options{Unseal: func(sealed []byte, as string) ([]byte, error) {
		if as == outbox.PreviousContext("wh_1") {
			return nil, errors.New("moved here from another webhook")
		}
		return sealed, nil
	}})
	defer s.Close()
	if res := s.Send(t.Context(), rotating(url, time.Hour)); res.Class != outbox.ClassLocal || !strings.Contains(res.Message, "before the rotation") {
		t.Errorf("during: %+v", res)
	}
	if posts != 0 {
		t.Errorf("%d POSTs arrived", posts)
	}
	if res := s.Send(t.Context(), rotating(url, -time.Second)); res.Class != outbox.ClassOK {
		t.Errorf("after: %+v", res)
	}
}

// A webhook that is not signed any more has no rotation either.
func TestAPreviousSecretSignsNothingByItself(t *testing.T) {
	var got http.Header
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	r := rotating(url, time.Hour)
	r.Webhook.Secret = nil
	sender(t).Send(t.Context(), r)
	if got == nil || got.Get("X-Webhook-Signature") != "" || got.Get("Webhook-Signature") != "" {
		t.Errorf("headers %v", got)
	}
}

// An excerpt holds neither of the secrets, during the rotation and after it.
//
// Mutation of credentials.go: the excerpt of a webhook whose secret was rotated holds the one
// before.
func TestExcerptHoldsNeitherSecretOfARotation(t *testing.T) {
	for _, left := range []time.Duration{time.Hour, -time.Second} {
		var signatures []string
		url := echoing(t, func(r *http.Request) string {
			signatures = strings.Fields(strings.ReplaceAll(r.Header.Get("Webhook-Signature"), "v1,", ""))
			return strings.Join([]string{"known:", oldSecret, newSecret, strings.TrimPrefix(oldSecret, "whsec_"),
				r.Header.Get("Webhook-Signature"), r.Header.Get("X-Webhook-Signature")}, "\n")
		})
		got := string(sender(t).Send(t.Context(), rotating(url, left)).Excerpt)
		if !strings.HasPrefix(got, "known:") {
			t.Fatalf("excerpt %q", got)
		}
		for _, hidden := range append(signatures, "b2xkIGtleSBv", "bmV3IGtleSBv") {
			if strings.Contains(got, hidden) {
				t.Errorf("%q is in the excerpt:\n%s", hidden, got)
			}
		}
	}
}

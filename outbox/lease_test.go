package outbox

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

func leased() (Subscription, Webhook) {
	s := Subscription{ID: "wh_1", Epochs: []Epoch{{From: 7, Filter: Filter{Events: []string{"message.received"}, Chats: []string{"1@lid"}}}}}
	return s, Webhook{URL: "https://a.example/", Secret: []byte("sealed"), Lease: &Lease{
		ID: "mcps_1", Principal: "local", Client: "agent", Name: "message.received", Arguments: json.RawMessage(`{"chats":["<1&2>"]}`),
		Ends:       time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.FixedZone("x", 3600)),
		VerifiedAt: time.Date(2026, 11, 28, 11, 0, 0, 0, time.UTC), Generation: 3,
	}}
}

// TestALeaseIsBound: whatever decides who gets what, and for how long, is part of the seal, in the
// form it has when it is read again.
//
// Mutation of binding.go: a lease can be made longer without the key.
func TestALeaseIsBound(t *testing.T) {
	t.Parallel()
	plain := func(b []byte, _ string) ([]byte, error) { return slices.Clone(b), nil }
	s, w := leased()
	if err := SealSettings(&s, &w, plain); err != nil {
		t.Fatal(err)
	}
	read, err := DecodeWebhook(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	check := func(w Webhook) error {
		b, err := Bind(s, w)
		if err != nil {
			t.Fatal(err)
		}
		return CheckSeal(s.ID, w, b, plain)
	}
	if err := check(read); err != nil {
		t.Fatalf("the lease that was stored: %v", err)
	}
	for name, change := range map[string]func(*Lease){
		"id":         func(l *Lease) { l.ID = "mcps_2" },
		"principal":  func(l *Lease) { l.Principal = "other" },
		"client":     func(l *Lease) { l.Client = "other" },
		"name":       func(l *Lease) { l.Name = "message.sent" },
		"arguments":  func(l *Lease) { l.Arguments = json.RawMessage(`{}`) },
		"preview":    func(l *Lease) { l.Preview = true },
		"asked":      func(l *Lease) { l.Asked = 3 },
		"public":     func(l *Lease) { l.Public = true },
		"end":        func(l *Lease) { l.Ends = l.Ends.Add(time.Hour) },
		"no end":     func(l *Lease) { l.Ends = time.Time{} },
		"verified":   func(l *Lease) { l.VerifiedAt = l.VerifiedAt.Add(time.Hour) },
		"generation": func(l *Lease) { l.Generation++ },
		"ended":      func(l *Lease) { l.Ended = ReasonLeaseExpired },
	} {
		changed := read
		lease := *read.Lease
		change(&lease)
		changed.Lease = &lease
		if err := check(changed); !errors.Is(err, ErrSeal) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	ordinary := read
	ordinary.Lease = nil
	if err := check(ordinary); !errors.Is(err, ErrSeal) {
		t.Errorf("no lease any more: %v", err)
	}
}

// TestEndLease: one write fixes the cut, keeps the reason, and changes nothing of what it was
// given.
func TestEndLease(t *testing.T) {
	t.Parallel()
	s, w := leased()
	sub, ended, err := EndLease(s, w, ReasonLeaseExpired)
	if err != nil || !sub.Removed || len(sub.Epochs) != 2 || len(sub.Epochs[1].Filter.Events) != 0 || ended.Lease.Ended != ReasonLeaseExpired {
		t.Errorf("EndLease = %+v, %+v, %v", sub, ended, err)
	}
	if s.Removed || len(s.Epochs) != 1 || w.Lease.Ended != "" || w.Filter != nil || ended.Filter == nil || !ended.Filter.Equal(s.Epochs[0].Filter) {
		t.Errorf("what it was given: %+v, %+v", s, w)
	}
	if _, _, err := EndLease(s, Webhook{URL: "https://a.example/"}, ""); err == nil {
		t.Error("a webhook without a lease was ended")
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	never := 0
	_, w := leased()
	w.HoldAfter = &never
	if w.Kind() != KindMCP || (Webhook{}).Kind() != KindWebhook || w.HoldLimit() != DefaultHoldAfter || w.Lease.Own() {
		t.Errorf("%+v", w)
	}
	w.Lease.Name = "message.sent"
	if !w.Lease.Own() || (*Lease)(nil).Own() {
		t.Error("Own")
	}
}

// TestPosition: what was given is found again, and of anything else nothing.
func TestPosition(t *testing.T) {
	t.Parallel()
	for _, seq := range []Seq{1, 1 << 40} {
		if got, ok := ParsePosition(Position("log", seq), "log"); got != seq || !ok {
			t.Errorf("%d came back as %d, %v", seq, got, ok)
		}
	}
	for _, p := range []string{"", "AAAA", "%", Position("log", 0), Position("other", 5), Position("", 5)} {
		if got, ok := ParsePosition(p, "log"); ok {
			t.Errorf("%q is taken for %d", p, got)
		}
	}
}

// TestLeaseErrors: every class has a word, and none tells more.
func TestLeaseErrors(t *testing.T) {
	t.Parallel()
	words := []string{LeaseErrorRefused, LeaseErrorTimeout, LeaseErrorTLS, LeaseErrorHTTP4xx, LeaseErrorHTTP5xx}
	for _, c := range Classes() {
		for _, status := range []int{0, 302, 404, 503} {
			if w := LeaseError(c, status); (c == ClassOK) != (w == "") || w != "" && !slices.Contains(words, w) {
				t.Errorf("%s %d: %q", c, status, w)
			}
		}
	}
	if LeaseError(ClassHTTP, 503) != LeaseErrorHTTP5xx || LeaseError(ClassHTTP, 410) != LeaseErrorHTTP4xx || LeaseError(ClassTLS, 0) != LeaseErrorTLS {
		t.Error("a word is of another class")
	}
}

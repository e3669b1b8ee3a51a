package outbox_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"waoutbox/outbox"
)

// boundWebhook is a webhook with everything that its seal binds.
func boundWebhook() (outbox.Subscription, outbox.Webhook) {
	f := outbox.Filter{Events: []string{"message.received"}, Chats: []string{"2048@lid"}}
	return outbox.Subscription{ID: "wh_1", Epochs: []outbox.Epoch{{From: 1, Filter: f}, {From: 9, Filter: outbox.Filter{Events: []string{outbox.Any}}}}},
		outbox.Webhook{URL: "https://a.example/", Secret: []byte{1}, Headers: []byte{2}, HeaderNames: []string{"X-A"}, CA: []byte("pem"),
			PreviousSecret: []byte{3}, PreviousUntil: time.UnixMilli(1_800_000_000_000)}
}

func bind(t *testing.T, s outbox.Subscription, w outbox.Webhook) outbox.Binding {
	t.Helper()
	b, err := outbox.Bind(s, w)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every setting that decides where events go, which, and how they are signed, is bound.
//
// Mutation of binding.go: a seal says nothing of the URL.
// Mutation of binding.go: a filter that was made wider counts.
func TestABindingTellsEveryChange(t *testing.T) {
	sealed := bind(t, first(boundWebhook()), second(boundWebhook()))
	for name, edit := range map[string]func(s *outbox.Subscription, w *outbox.Webhook){
		"url":             func(_ *outbox.Subscription, w *outbox.Webhook) { w.URL = "https://b.example/" },
		"unsigned":        func(_ *outbox.Subscription, w *outbox.Webhook) { w.Secret = nil },
		"another secret":  func(_ *outbox.Subscription, w *outbox.Webhook) { w.Secret = []byte{9} },
		"no headers":      func(_ *outbox.Subscription, w *outbox.Webhook) { w.Headers = nil },
		"header names":    func(_ *outbox.Subscription, w *outbox.Webhook) { w.HeaderNames = []string{"X-B"} },
		"plain http":      func(_ *outbox.Subscription, w *outbox.Webhook) { w.AllowInsecureHTTP = true },
		"authority":       func(_ *outbox.Subscription, w *outbox.Webhook) { w.CA = []byte("other") },
		"previous secret": func(_ *outbox.Subscription, w *outbox.Webhook) { w.PreviousSecret = nil },
		"its end":         func(_ *outbox.Subscription, w *outbox.Webhook) { w.PreviousUntil = w.PreviousUntil.Add(time.Hour) },
		"removed":         func(s *outbox.Subscription, _ *outbox.Webhook) { s.Removed = true },
		"kept filter":     func(_ *outbox.Subscription, w *outbox.Webhook) { w.Filter = &outbox.Filter{Events: []string{"x"}} },
		"newest filter":   func(s *outbox.Subscription, _ *outbox.Webhook) { s.Epochs[1].Filter.NotChats = []string{"1@lid"} },
		"older filter":    func(s *outbox.Subscription, _ *outbox.Webhook) { s.Epochs[0].Filter.Chats = nil },
		"a filter more": func(s *outbox.Subscription, _ *outbox.Webhook) {
			s.Epochs = append(s.Epochs, outbox.Epoch{From: 10, Filter: outbox.Filter{Events: []string{"x"}}})
		},
		"a filter less": func(s *outbox.Subscription, _ *outbox.Webhook) { s.Epochs = s.Epochs[:1] },
		"filters turned": func(s *outbox.Subscription, _ *outbox.Webhook) {
			s.Epochs[0].Filter, s.Epochs[1].Filter = s.Epochs[1].Filter, s.Epochs[0].Filter
		},
	} {
		s, w := boundWebhook()
		edit(&s, &w)
		if sealed.Covers(bind(t, s, w)) {
			t.Errorf("%s: not noticed", name)
		}
	}
	for _, cut := range []outbox.Binding{"", sealed[:20], sealed[:len(sealed)-1]} {
		if cut.Covers(sealed) || sealed.Covers(cut) {
			t.Errorf("%d bytes of a binding count", len(cut))
		}
	}
}

// What an engine and a removal change by themselves is none: filters that nobody needs any more go,
// one that matches nothing comes, and the record is read again.
func TestABindingCoversWhatBecomesOfIt(t *testing.T) {
	s, w := boundWebhook()
	sealed := bind(t, s, w)
	raw, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var again outbox.Webhook
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	again.MaxRate, again.Unordered, again.HeaderNames = 5, true, append([]string{}, again.HeaderNames...)
	back := append(append([]outbox.Epoch(nil), s.Epochs...), outbox.Epoch{From: 12}, outbox.Epoch{From: 13, Filter: s.Epochs[1].Filter})
	for name, epochs := range map[string][]outbox.Epoch{"whole": s.Epochs, "newest only": s.Epochs[1:], "removed and added again": back} {
		if !sealed.Covers(bind(t, outbox.Subscription{ID: s.ID, Epochs: epochs}, again)) {
			t.Errorf("%s: taken for a change", name)
		}
	}
}

// A seal is for one webhook, and for what was sealed.
//
// Mutation of binding.go: what has no seal is trusted.
func TestCheckSeal(t *testing.T) {
	seal := func(plain []byte, context string) ([]byte, error) { return append([]byte(context+"|"), plain...), nil }
	open := func(sealed []byte, context string) ([]byte, error) {
		n := len(context) + 1
		if len(sealed) < n || string(sealed[:n]) != context+"|" {
			return nil, errors.New("of another one")
		}
		return sealed[n:], nil
	}
	s, w := boundWebhook()
	if err := outbox.SealSettings(&s, &w, seal); err != nil {
		t.Fatal(err)
	}
	stored, err := outbox.DecodeWebhook(s.Config)
	if err != nil || !reflect.DeepEqual(stored.Seal, w.Seal) {
		t.Fatalf("stored %+v, %v", stored, err)
	}
	b := bind(t, s, stored)
	if err := outbox.CheckSeal(s.ID, stored, b, open); err != nil {
		t.Errorf("as it was sealed: %v", err)
	}
	if err := outbox.CheckSeal("wh_2", stored, b, open); err == nil {
		t.Error("the seal of another webhook counts")
	}
	stored.URL = "https://b.example/"
	if err := outbox.CheckSeal(s.ID, stored, bind(t, s, stored), open); !errors.Is(err, outbox.ErrSeal) {
		t.Errorf("another URL: %v", err)
	}
	stored.Seal = nil
	if err := outbox.CheckSeal(s.ID, stored, b, open); !errors.Is(err, outbox.ErrSeal) {
		t.Errorf("no seal: %v", err)
	}
}

func first(s outbox.Subscription, _ outbox.Webhook) outbox.Subscription { return s }
func second(_ outbox.Subscription, w outbox.Webhook) outbox.Webhook     { return w }

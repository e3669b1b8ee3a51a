package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// A restored outbox is another log than the one it was copied from: the cursor of an MCP client
// that read on meanwhile names positions that are given again to other events.
//
// Mutation of cmd_restore.go: a restored outbox stays the log it was copied from.
func TestARestoredLogIsAnother(t *testing.T) {
	t.Parallel()
	box, err := boltbox.Open(t.Context(), storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := func() string {
		page, err := box.Events(t.Context(), outbox.EventQuery{})
		if err != nil || page.State == "" {
			t.Fatalf("%+v, %v", page, err)
		}
		return page.State
	}
	before := id()
	if err := renewRestored(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	if id() == before {
		t.Errorf("it is still the log %s", before)
	}
}

// A restored outbox resumes no lease: its clients subscribed at another one. Webhooks go on.
//
// Mutation of cmd/internal/admin/lease_restored.go: a backup that is put back sends again to whom
// its original sends.
func TestARestoredOutboxResumesNoLease(t *testing.T) {
	t.Parallel()
	box, err := boltbox.Open(t.Context(), storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for id, w := range map[outbox.SubID]outbox.Webhook{
		"wh_lease": {URL: "https://a.example/", Lease: &outbox.Lease{ID: "mcps_1", Principal: "local", Name: "message.received", Ends: time.Now().Add(time.Hour)}},
		"wh_other": {URL: "https://b.example/"},
	} {
		config, err := outbox.EncodeWebhook(w)
		if err != nil {
			t.Fatal(err)
		}
		all := []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}
		if _, err := box.PutSub(t.Context(), outbox.Subscription{ID: id, Config: config, Epochs: all}); err != nil {
			t.Fatal(err)
		}
	}
	if err := renewRestored(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	for id, removed := range map[outbox.SubID]bool{"wh_lease": true, "wh_other": false} {
		s, err := box.Sub(t.Context(), id)
		if err != nil || s.Removed != removed {
			t.Errorf("%s: removed %v, %v", id, s.Removed, err)
		}
		if w, err := outbox.DecodeWebhook(s.Config); removed && (err != nil || w.Lease.Ended != outbox.ReasonLeaseExpired) {
			t.Errorf("%s: %+v, %v", id, w.Lease, err)
		}
	}
	told, err := box.Audits(t.Context(), outbox.AuditQuery{Limit: 10})
	if err != nil || !slices.ContainsFunc(told, func(a outbox.Audit) bool { return bytes.Contains(a.Body, []byte("wh_lease")) }) {
		t.Errorf("the end of the lease is not on record: %v, %v", told, err)
	}
}

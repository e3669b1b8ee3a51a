package main

import (
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// A restored outbox is another log than the one it was copied from: the cursor of an MCP client
// that read on meanwhile names positions that are given again to other events.
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

package synced

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/store"
)

// TestABatchIsNotedWhenItIsCommitted: what is fetched from a version on is seen by what follows in
// the same fetch, is stored with Commit and not before, and is read again when there was none.
//
// Mutation of store.go: a star is noted as read before it is stored, and a kill keeps it from being
// told.
func TestABatchIsNotedWhenItIsCommitted(t *testing.T) {
	dev := linked(t)
	s := Whole(dev.AppState, dev.EventBuffer.DoDecryptionTxn)
	one := func(index, value byte) store.AppStateMutationMAC {
		return store.AppStateMutationMAC{IndexMAC: mac(index), ValueMAC: mac(value)}
	}
	stored := func(what string, wantVersion uint64, wantValues string) {
		t.Helper()
		if version, _, values := state(t, dev.AppState); version != wantVersion || values != wantValues {
			t.Errorf("%s: version %d with %q, want %d with %q", what, version, values, wantVersion, wantValues)
		}
		if version, err := Version(t.Context(), s, collection); err != nil || version != wantVersion {
			t.Errorf("%s: version %d, %v", what, version, err)
		}
	}
	fetch := func() *Batch {
		ctx, b := WithBatch(t.Context())
		version, _, err := s.GetAppStateVersion(ctx, collection)
		must(t, err)
		must(t, put(ctx, s, 3, version+1, nil, one(1, 'x')))
		return b
	}
	// all of it, of which nothing is told
	ctx, whole := WithBatch(t.Context())
	_, _, err := s.GetAppStateVersion(ctx, collection)
	must(t, err)
	must(t, put(ctx, s, 3, 1, nil, one(1, 'a')))
	stored("fetched whole", 1, "a--")
	must(t, whole.Commit(t.Context()))

	ctx, b := WithBatch(t.Context())
	_, _, err = s.GetAppStateVersion(ctx, collection)
	must(t, err)
	must(t, put(ctx, s, 3, 2, [][]byte{mac(1)}, one(2, 'b')))
	must(t, put(ctx, s, 3, 3, nil, one(3, 'c'), one(2, 'd')))
	stored("not committed", 1, "a--")
	for index, want := range map[byte]string{1: "", 2: string(mac('d')), 3: string(mac('c'))} {
		if value, err := s.GetAppStateMutationMAC(ctx, collection, mac(index)); err != nil || string(value) != want {
			t.Errorf("within the fetch index %d is %q, %v", index, value, err)
		}
	}
	if value, err := s.GetAppStateMutationMAC(ctx, "regular_low", mac(3)); err != nil || value != nil {
		t.Errorf("another collection has %q, %v", value, err)
	}
	must(t, b.Commit(t.Context()))
	stored("committed", 3, "-dc")
	must(t, b.Commit(t.Context())) // nothing is left

	fetch() // it was not told: the next one begins where this one did
	stored("given up", 3, "-dc")
	must(t, fetch().Commit(t.Context()))
	stored("fetched again", 4, "xdc")

	if _, _, err := s.GetAppStateVersion(t.Context(), collection); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), s, 3, 5, nil, one(3, 'z')); !errors.Is(err, ErrUntold) {
		t.Errorf("a fetch that nobody tells of returned %v", err)
	}
	stored("refused", 4, "xdc")
}

package synced

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/store/device"
)

const collection = "regular_high"

// linked is a device store of an account, as it is after pairing.
func linked(t *testing.T) *store.Device {
	t.Helper()
	s, err := device.Open(t.Context(), filepath.Join(t.TempDir(), "whatsapp.db"), "", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	dev, err := s.Current(t.Context())
	must(t, err)
	jid := types.NewADJID("491515550100", 0, 7)
	dev.ID = &jid
	dev.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte("details"), AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64),
	}
	must(t, dev.Save(t.Context()))
	return dev
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mac(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// put writes a patch as the library does, up to a call: what follows a kill or an error is not
// done.
func put(ctx context.Context, s store.AppStateStore, calls int, version uint64, removed [][]byte, added ...store.AppStateMutationMAC) error {
	if err := s.PutAppStateVersion(ctx, collection, version, [128]byte{byte(version)}); err != nil || calls == 1 {
		return err
	}
	if err := s.DeleteAppStateMutationMACs(ctx, collection, removed); err != nil || calls == 2 {
		return err
	}
	return s.PutAppStateMutationMACs(ctx, collection, version, added)
}

// state is a version with the checksums of the indexes 1, 2 and 3, as the next process finds it.
func state(t *testing.T, s store.AppStateStore) (version uint64, hash byte, values string) {
	t.Helper()
	version, h, err := s.GetAppStateVersion(t.Context(), collection)
	must(t, err)
	for i := byte(1); i <= 3; i++ {
		value, err := s.GetAppStateMutationMAC(t.Context(), collection, mac(i))
		must(t, err)
		values += string(append(value, '-')[:1])
	}
	return version, h[0], values
}

// TestAPatchIsStoredWholeOrNotAtAll: whatever ends the three calls, the collection is as before, or
// has all of the patch, which is then written as if nothing had been.
//
// Mutation of store.go: a kill within a change of the settings leaves a part of it.
func TestAPatchIsStoredWholeOrNotAtAll(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	good := []store.AppStateMutationMAC{{IndexMAC: mac(2), ValueMAC: mac('b')}, {IndexMAC: mac(3), ValueMAC: mac('c')}}
	for name, end := range map[string]struct {
		ctx   context.Context
		calls int
		added []store.AppStateMutationMAC
	}{
		"killed after the version":      {t.Context(), 1, good},
		"killed after the removals":     {t.Context(), 2, good},
		"stopped before the insertions": {ended, 3, good},
		"an insertion fails":            {t.Context(), 3, append(good[:1:1], store.AppStateMutationMAC{IndexMAC: mac(3), ValueMAC: []byte("short")})},
	} {
		t.Run(name, func(t *testing.T) {
			dev := linked(t)
			s := Whole(dev.AppState, dev.EventBuffer.DoDecryptionTxn)
			must(t, put(t.Context(), s, 3, 1, nil, store.AppStateMutationMAC{IndexMAC: mac(1), ValueMAC: mac('a')}))
			if err := put(end.ctx, s, end.calls, 2, [][]byte{mac(1)}, end.added...); (err != nil) != (end.calls == 3) {
				t.Errorf("the last call returned %v", err)
			}
			if version, hash, values := state(t, dev.AppState); version != 1 || hash != 1 || values != "a--" {
				t.Errorf("afterwards version %d with hash %d and %q, want it as it was", version, hash, values)
			}
			next := Whole(dev.AppState, dev.EventBuffer.DoDecryptionTxn)
			must(t, put(t.Context(), next, 3, 2, [][]byte{mac(1)}, good...))
			if version, hash, values := state(t, dev.AppState); version != 2 || hash != 2 || values != "-bc" {
				t.Errorf("fetched again: version %d with hash %d and %q", version, hash, values)
			}
		})
	}
}

// TestOtherCallsOfTheLibrary: a recovery removes nothing, a patch may add nothing, and what is held
// of a dropped collection goes with it.
func TestOtherCallsOfTheLibrary(t *testing.T) {
	ctx, dev := t.Context(), linked(t)
	s := Whole(dev.AppState, dev.EventBuffer.DoDecryptionTxn)
	if !IsWhole(s) || IsWhole(dev.AppState) {
		t.Error("a store that is whole is not told from one that is not")
	}
	must(t, s.PutAppStateVersion(ctx, collection, 1, [128]byte{1}))
	must(t, s.PutAppStateMutationMACs(ctx, collection, 1, []store.AppStateMutationMAC{{IndexMAC: mac(1), ValueMAC: mac('a')}}))
	must(t, put(ctx, s, 3, 2, nil))
	if version, _, values := state(t, dev.AppState); version != 2 || values != "a--" {
		t.Errorf("version %d with %q", version, values)
	}
	must(t, put(ctx, s, 1, 3, nil))
	if err := s.PutAppStateMutationMACs(ctx, collection, 4, nil); err == nil {
		t.Error("checksums of another version were stored")
	}
	must(t, put(ctx, s, 1, 3, nil))
	must(t, s.DeleteAppStateVersion(ctx, collection))
	must(t, s.DeleteAppStateMutationMACs(ctx, collection, [][]byte{mac(1)}))
	must(t, s.PutAppStateMutationMACs(ctx, collection, 3, nil))
	if version, _, values := state(t, s); version != 0 || values != "---" {
		t.Errorf("dropped: version %d with %q", version, values)
	}
}

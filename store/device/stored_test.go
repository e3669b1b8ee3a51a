package device

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What is known of the link is read from the file alone: whether an account is linked and whether
// the link is closed, also of a store that was not closed, and nothing is left beside it.
func TestReadStored(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "whatsapp.db")
	wantStored := func(when, account string, closed time.Time) {
		t.Helper()
		got, err := ReadStored(t.Context(), path)
		if err != nil || got.Account.String() != account || !got.Closed.Equal(closed) {
			t.Errorf("%s: %+v, %v; want %q, closed %v", when, got, err, account, closed)
		}
	}
	wantStored("before it is there", "", time.Time{})
	if _, err := os.Stat(path); err == nil {
		t.Error("reading made it")
	}
	s := open(t, path, "")
	link(t, s, "491515550100")
	at := time.Date(2026, 11, 27, 9, 0, 0, 5e6, time.UTC)
	if err := s.SetClosed(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	// what was written lies in the log beside the file
	wantStored("killed", "491515550100@s.whatsapp.net", at)
	if err := s.SetClosed(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	before := names(t, dir)
	wantStored("stopped", "491515550100@s.whatsapp.net", time.Time{})
	if after := names(t, dir); !slices.Equal(after, before) {
		t.Errorf("reading left %v where %v was", after, before)
	}
	s = open(t, path, "")
	if _, err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetLoggedOut(t.Context(), "the phone removed this device", at); err != nil {
		t.Fatal(err)
	}
	s.Close()
	wantStored("logged out", "", time.Time{})
	if got, err := ReadStored(t.Context(), path); err != nil || got.LoggedOut != "the phone removed this device" || !got.LoggedOutSince.Equal(at) {
		t.Errorf("logged out: %+v, %v", got, err)
	}
	for _, content := range []string{"no database at all", "SQLite format 3\x00 and then nothing"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadStored(t.Context(), path); err == nil {
			t.Errorf("%q: %+v", content, got)
		}
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

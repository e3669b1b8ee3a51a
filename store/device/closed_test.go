package device

import (
	"path/filepath"
	"testing"
	"time"
)

// A link that was closed is so after a restart, until it is opened or its account is forgotten.
func TestClosedIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	wantClosed := func(want time.Time) {
		t.Helper()
		if got, err := s.Closed(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("closed since %v, %v; want %v", got, err, want)
		}
	}
	set := func(since time.Time) {
		t.Helper()
		if err := s.SetClosed(t.Context(), since); err != nil {
			t.Fatal(err)
		}
	}
	wantClosed(time.Time{})
	at := time.Date(2026, 11, 27, 9, 0, 0, 5e6, time.UTC)
	set(at.Add(-time.Hour))
	set(at)
	s.Close()
	s = open(t, path, "")
	wantClosed(at)
	set(time.Time{})
	wantClosed(time.Time{})
	set(at)
	if _, err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantClosed(time.Time{})
}

package device

import (
	"path/filepath"
	"testing"
	"time"
)

func TestRestrictionIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	if until, _, err := s.Restriction(t.Context()); !until.IsZero() || err != nil {
		t.Errorf("before: %v, %v", until, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, until := range []time.Time{{}, at} {
		if err := s.SetRestriction(t.Context(), until, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, "")
	if until, named, err := s.Restriction(t.Context()); until != at || !named || err != nil {
		t.Errorf("after: %v, %v, %v", until, named, err)
	}
	if err := s.SetRestriction(t.Context(), time.Time{}, false); err != nil {
		t.Fatal(err)
	}
	if until, _, err := s.Restriction(t.Context()); !until.IsZero() || err != nil {
		t.Errorf("taken back: %v, %v", until, err)
	}
}

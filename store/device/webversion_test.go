package device

import (
	"path/filepath"
	"testing"
	"time"
)

func TestWebVersionIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	if v, asked, err := s.WebVersion(t.Context()); v != "" || !asked.IsZero() || err != nil {
		t.Errorf("before: %q, %v, %v", v, asked, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, version := range []string{"", "2.3000.1"} {
		if err := s.SetWebVersion(t.Context(), version, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Renew(t.Context()); err != nil { // another account, the same WhatsApp
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if v, asked, err := open(t, path, "").WebVersion(t.Context()); v != "2.3000.1" || asked != at || err != nil {
		t.Errorf("after: %q, %v, %v", v, asked, err)
	}
}

package device

import (
	"path/filepath"
	"testing"
)

// What was learned of an account is there after a restart, until the account is forgotten.
func TestKeptIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whatsapp.db")
	s := open(t, path, "")
	want := func(name, want string) {
		t.Helper()
		if got, err := s.Kept(t.Context(), name); err != nil || string(got) != want || (want == "") != (got == nil) {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	want("a", "")
	for _, kept := range [][2]string{{"a", "1"}, {"b", "2"}, {"a", "3"}} {
		if err := s.Keep(t.Context(), kept[0], []byte(kept[1])); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, path, "")
	want("a", "3")
	want("b", "2")
	want("c", "")
	if _, err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("a", "")
}

package rmtree

import (
	"os"
	"path/filepath"
	"testing"
)

// The demo ended with "unlinkat … serve.log: Invalid function" where os.RemoveAll cannot delete.
func TestEach(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "base")
	for _, d := range []string{"", "state/media/a", "state/media/b"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "file"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := each(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
}

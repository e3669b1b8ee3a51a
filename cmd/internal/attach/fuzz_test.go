package attach

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// FuzzPath: whatever path is named, what is opened lies in the directory that was set aside, and is
// nothing of the state.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"DIR/a.pdf", "DIR/../state/key", "DIR/link/key", "DIR/state/key", "DIR/sub/../a.pdf", "/etc/passwd", "DIR//a.pdf", "DIR/out", "DIR/.", "DIR/a.pdf/", "a.pdf", "DIR/a.pdf\x00.png"} {
		f.Add(p)
	}
	base, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	open, state := filepath.Join(base, "open"), filepath.Join(base, "open", "state")
	for path, content := range map[string]string{open + "/a.pdf": "inside", open + "/sub/b": "inside", state + "/key": "secret", base + "/c": "outside"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": state, "out": base + "/c"} {
		if err := os.Symlink(to, filepath.Join(open, link)); err != nil {
			f.Skipf("there are no links here: %v", err)
		}
	}
	f.Fuzz(func(t *testing.T, path string) {
		content, name, err := read(t, newSources(t, state, open), api.File{Path: strings.ReplaceAll(path, "DIR", open)})
		if err == nil && content != "inside" {
			t.Errorf("%q is %q", path, content)
		}
		for _, n := range []string{name, Name(path)} {
			if !utf8.ValidString(n) || strings.ContainsAny(n, "/\\\n\r\x00") || utf8.RuneCountInString(n) > maxName {
				t.Errorf("%q is called %q", path, n)
			}
		}
	})
}

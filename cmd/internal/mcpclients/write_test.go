package mcpclients

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func fileText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// only wants exactly these files in a directory: nothing temporary is left.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("in %s are %v, want %q", dir, entries, names)
	}
}

// wantMode wants a mode of a file, where modes mean something.
func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
		t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
	}
}

func to(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

// A file is made for its user alone, changed with a copy of what it was, and keeps its mode; a
// change that is none writes nothing.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "sub", "mcp.json")
	w, err := Write(path, func(old []byte) ([]byte, error) {
		if old != nil {
			t.Errorf("a file that is not there holds %q", old)
		}
		return []byte("one"), nil
	})
	if err != nil || w != (Written{Path: path, Created: true, Changed: true}) || fileText(t, path) != "one" {
		t.Errorf("%+v, %v", w, err)
	}
	wantMode(t, path, 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if w, err = Write(path, to("one")); err != nil || w != (Written{Path: path}) {
		t.Errorf("%+v, %v", w, err)
	}
	only(t, filepath.Dir(path), "mcp.json")
	for _, text := range []string{"two", "three"} {
		before := fileText(t, path)
		if w, err = Write(path, to(text)); err != nil || w != (Written{Path: path, Backup: path + backupSuffix, Changed: true}) {
			t.Errorf("%+v, %v", w, err)
		}
		if fileText(t, path) != text || fileText(t, w.Backup) != before {
			t.Errorf("%s: the file holds %q, its copy %q", text, fileText(t, path), fileText(t, w.Backup))
		}
		wantMode(t, path, 0o640)
		wantMode(t, w.Backup, 0o640)
	}
	only(t, filepath.Dir(path), "mcp.json", "mcp.json"+backupSuffix)
}

// A link to a file stays one, wherever its target is, and whether that is there.
//
// Mutation of write.go: a link to a client's file is replaced by a file.
func TestWriteThroughALink(t *testing.T) {
	t.Parallel()
	dir, dotfiles := t.TempDir(), t.TempDir()
	target, link, second := filepath.Join(dotfiles, "mcp.json"), filepath.Join(dir, "mcp.json"), filepath.Join(dotfiles, "link")
	for from, to := range map[string]string{link: second, second: "mcp.json"} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"made", "changed"} {
		if w, err := Write(link, to(text)); err != nil || w.Path != target || !w.Changed {
			t.Errorf("%s: %+v, %v", text, w, err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || fileText(t, target) != text {
			t.Errorf("%s: the link is %v, %v", text, info, err)
		}
	}
	only(t, dir, "mcp.json")
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(loop, to("x")); err == nil {
		t.Error("a link to itself was written")
	}
}

// Nothing is written when the change is refused, when another program was faster, and over what is
// no file.
//
// Mutation of write.go: a client's file that another program wrote meanwhile is replaced.
func TestWriteRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp.json")
	wrong := errors.New("wrong")
	if _, err := Write(path, func([]byte) ([]byte, error) { return nil, wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
	only(t, dir)
	if _, err := Write(path, func([]byte) ([]byte, error) { return []byte("ours"), os.WriteFile(path, []byte("theirs"), 0o600) }); err == nil {
		t.Error("another program's file was replaced")
	}
	if _, err := Write(path, func([]byte) ([]byte, error) { return []byte("ours"), os.WriteFile(path, []byte("newer"), 0o600) }); err == nil {
		t.Error("another program's text was replaced")
	}
	if got := fileText(t, path); got != "newer" {
		t.Errorf("it holds %q", got)
	}
	if _, err := Write(dir, to("x")); err == nil {
		t.Error("a directory was written")
	}
}

//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Mutation of dir.go: the state directory is left open to others.
func TestStateTightensLooseModes(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, store.LockFile), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	s := openState(t, dir)
	if d, l := mode(t, dir), mode(t, s.Path(store.LockFile)); d != 0o700 || l != 0o600 {
		t.Errorf("modes %o and %o, want 700 and 600", d, l)
	}
}

func TestStateRefusesWritableDirectory(t *testing.T) {
	for _, m := range []fs.FileMode{0o707, 0o777} {
		dir := t.TempDir()
		if err := os.Chmod(dir, m); err != nil {
			t.Fatal(err)
		}
		refused(t, store.Writable, dir, dir, fmt.Sprintf("%04o", m))
	}
}

// A volume that a container is given has modes of its own at every start: what its owner's group
// could do is taken away, and nothing is refused.
//
// Mutation of access_unix.go: what a volume's group may write stays so.
func TestAVolumeWithAGroupIsTightened(t *testing.T) {
	dir := t.TempDir()
	for name, m := range map[string]fs.FileMode{store.KeyFile: 0o660, store.ConfigFile: 0o664, store.OutboxFile: 0o600, store.LockFile: 0o660} {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), nil, m), os.Chmod(filepath.Join(dir, name), m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, store.SecretsDir), 0o770), os.Chmod(filepath.Join(dir, store.SecretsDir), 0o770), os.Chmod(dir, 0o770|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	changed, kept := store.Tighten(dir)
	slices.Sort(changed)
	if got := strings.Join(changed, " "); got != ". config.json key lock secrets" || len(kept) > 0 {
		t.Errorf("tightened: %s; kept: %v", got, kept)
	}
	for _, name := range []string{".", store.KeyFile, store.ConfigFile, store.OutboxFile, store.LockFile, store.SecretsDir} {
		if m := mode(t, filepath.Join(dir, name)); m&0o077 != 0 {
			t.Errorf("%s has mode %o", name, m)
		}
	}
	openState(t, dir)
}

// In a directory that everybody writes to, nothing is touched: a name there may lead elsewhere.
func TestADirectoryOfOthersIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, store.KeyFile)
	if err := errors.Join(os.WriteFile(path, nil, 0o660), os.Chmod(path, 0o660), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if changed, kept := store.Tighten(dir); len(changed)+len(kept) > 0 || mode(t, path) != 0o660 {
		t.Errorf("changed %v, kept %v, the file has mode %o", changed, kept, mode(t, path))
	}
}

func TestStateRefusesOtherOwner(t *testing.T) {
	dir := "/" // belongs to root, whom nobody else is
	if os.Geteuid() == 0 {
		dir = t.TempDir()
		if err := os.Chown(dir, 65534, -1); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chown(dir, 0, -1) })
	}
	refused(t, store.OtherOwner, dir, dir, "belongs to user")
}

func TestOpenRefusesADirectoryAndAFileOthersCanWrite(t *testing.T) {
	dir := t.TempDir()
	if _, err := store.Open(dir, store.DBOptions{Schema: storetest.Schema()}); err == nil {
		t.Error("a directory was opened")
	}
	path := filepath.Join(dir, store.OutboxFile)
	if err := os.WriteFile(path, good(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()}); err == nil {
		db.Close()
		t.Error("a file others can write was opened")
	}
}

// A directory that holds no state is left as it is, and so is what a link leads to that others
// could have put there.
func TestTightenLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "notes")
	if err := errors.Join(os.WriteFile(other, nil, 0o640), os.Chmod(other, 0o640), os.Chmod(dir, 0o750)); err != nil {
		t.Fatal(err)
	}
	if changed, kept := store.Tighten(dir); len(changed)+len(kept) > 0 || mode(t, dir) != 0o750 || mode(t, other) != 0o640 {
		t.Errorf("tightened %v, kept %v: modes %o and %o", changed, kept, mode(t, dir), mode(t, other))
	}
	shared := t.TempDir()
	key := filepath.Join(dir, store.KeyFile)
	way := filepath.Join(shared, "state")
	if err := errors.Join(os.WriteFile(key, nil, 0o600), os.Symlink(dir, way), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	if changed, _ := store.Tighten(way); len(changed) > 0 || mode(t, dir) != 0o750 {
		t.Errorf("over a link in a shared directory it tightened %v", changed)
	}
}

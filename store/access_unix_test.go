//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

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
	for _, m := range []fs.FileMode{0o770, 0o707, 0o777} {
		dir := t.TempDir()
		if err := os.Chmod(dir, m); err != nil {
			t.Fatal(err)
		}
		refused(t, store.Writable, dir, dir, fmt.Sprintf("%04o", m))
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

package explain_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// Every reason the system gives for a file ends in what to do, and no temporary name is shown.
func TestUnusableSaysHowToMendIt(t *testing.T) {
	for errno, want := range map[error]string{
		syscall.EROFS: "read-only. Mount it writable", syscall.ENOSPC: "Make space", syscall.ENAMETOOLONG: "Name a shorter one",
		syscall.ENOTDIR: "Name another place with --state-dir", syscall.EISDIR: "Move it away", syscall.EACCES: "no permission. Run it as the user",
		syscall.EIO: "Look into the system's log", errors.New("odd"): "X cannot be written: odd",
	} {
		cause := &fs.PathError{Op: "open", Path: "/tmp/.secret-1234.tmp", Err: errno}
		err := explain.Unusable(fmt.Errorf("write: %w", cause), "X cannot be written")
		if !strings.HasPrefix(err.Error(), "X cannot be written: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%v: %q, want %q", errno, err, want)
		}
		if !errors.Is(err, errno) {
			t.Errorf("%v is lost", errno)
		}
	}
}

// said wants a sentence that ends in advice, of an error whose kind is not lost.
func said(t *testing.T, err error, kind store.Kind, unusable bool, words ...string) {
	t.Helper()
	got := explain.State(err)
	if got == nil {
		t.Fatalf("there is no error of kind %q", kind)
	}
	for _, w := range words {
		if !strings.Contains(got.Error(), w) {
			t.Errorf("%q is said without %q", got, w)
		}
	}
	if strings.Contains(got.Error(), "\n") {
		t.Errorf("more than a sentence: %q", got)
	}
	if _, ok := errors.AsType[*explain.UnusableError](got); ok != unusable || !errors.Is(got, kind) {
		t.Errorf("%q: unusable %v, want %v and kind %q", got, ok, unusable, kind)
	}
	if again := explain.State(fmt.Errorf("more: %w", got)); strings.Count(again.Error(), words[len(words)-1]) != 1 {
		t.Errorf("explained twice it is %q", again)
	}
}

func TestStateDirectoryThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		kind  store.Kind
		words string
	}{
		file:                         {store.NotDirectory, "is not a directory: name another one with --state-dir"},
		filepath.Join(file, "below"): {store.System, "is a file and not a directory. Name another place"},
		filepath.Join(dir, strings.Repeat("x", 300)): {store.System, "Name a shorter one"},
	} {
		_, err := store.OpenState(t.Context(), path, store.Options{})
		said(t, err, want.kind, true, want.words)
	}
	_, err := store.DefaultDir("linux", func(string) string { return "" })
	said(t, err, store.NoPlace, false, "HOME is not set; name a directory with --state-dir")
}

func TestDirectoryOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no owners and modes there
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	said(t, store.CheckDir(dir), store.Writable, true, dir, "0777", ": run: chmod go-w "+dir)
	owned := "/" // belongs to root, whom nobody else is
	if os.Geteuid() == 0 {
		owned = t.TempDir()
		if err := os.Chown(owned, 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	said(t, store.CheckDir(owned), store.OtherOwner, true, "belongs to user", ": name a place of your own with --state-dir")
}

func TestHeldState(t *testing.T) {
	dir := t.TempDir()
	held, err := store.OpenState(t.Context(), dir, store.Options{Version: "9.9.9"})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	_, err = store.OpenState(t.Context(), dir, store.Options{LockTimeout: 20 * time.Millisecond})
	said(t, err, store.Owned, false, fmt.Sprintf("another waoutbox (pid %d, version 9.9.9) owns %s. Talk to it: waoutbox --state-dir %s status. Stop it: waoutbox --state-dir %s stop",
		os.Getpid(), dir, dir, dir))
}

func TestDatabaseThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, store.OutboxFile)
	open := func(schema store.Schema) error {
		db, err := store.Open(path, store.DBOptions{Schema: schema})
		if err == nil {
			err = db.Close()
		}
		return err
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	said(t, open(boltbox.Schema()), store.Damaged, true, path, "not an outbox database. Restore a backup: waoutbox --state-dir ", "restore FILE. Without one, set the file aside: ", "doctor --quarantine")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := open(boltbox.Schema()); err != nil {
		t.Fatal(err)
	}
	older := boltbox.Schema()
	older.Migrations, older.Buckets = older.Migrations[:1], nil
	said(t, open(older), store.NewerFormat, true, path, "knows formats up to 1: use the version that wrote it, or a newer one")
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	said(t, open(boltbox.Schema()), store.InUse, true, "open in another program; close that one")
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	_, err := store.OpenKey(path, true)
	said(t, err, store.KeyMissing, true, path, "put it back from a backup, or set the secrets again")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = store.OpenKey(path, true)
	said(t, err, store.WrongKey, true, "5 bytes", ": put the right file back from a backup")
}

func TestOtherErrorsStay(t *testing.T) {
	odd := errors.New("odd")
	if got := explain.State(odd); got != odd || explain.State(nil) != nil { //nolint:errorlint // the very same one
		t.Errorf("an error of another kind became %v", got)
	}
}

func TestAStateThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	said(t, store.CheckOutbox(dir), store.Missing, false, "no state at "+dir, "webhook add URL, or start the service")
	key := filepath.Join(dir, store.KeyFile)
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(filepath.Join(dir, store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), Companions: []string{key}})
	said(t, err, store.Lost, true, "Restore a backup: ", "--state-dir "+dir, "serve --new-outbox")
}

package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
		err := store.Unusable(fmt.Errorf("write: %w", cause), "X cannot be written")
		if !strings.HasPrefix(err.Error(), "X cannot be written: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%v: %q, want %q", errno, err, want)
		}
		if !errors.Is(err, errno) {
			t.Errorf("%v is lost", errno)
		}
	}
}

func TestStateDirectoryThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                         "is not a directory: name another one with --state-dir",
		filepath.Join(file, "below"): "is a file and not a directory. Name another place",
		filepath.Join(dir, strings.Repeat("x", 300)): "Name a shorter one",
	} {
		_, err := store.OpenState(t.Context(), path, store.Options{})
		if _, ok := errors.AsType[*store.UnusableError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", path, err, want)
		}
	}
}

func TestCommand(t *testing.T) {
	env := func(vars map[string]string) func(string) string { return func(key string) string { return vars[key] } }
	dir, err := filepath.Abs("a b")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(dir, " ", "_")
	for _, tt := range []struct {
		dir  string
		env  map[string]string
		want string
	}{
		{"", nil, "waoutbox status"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": plain}, "waoutbox status"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": plain + "/"}, "waoutbox status"},
		{plain, nil, "waoutbox --state-dir " + plain + " status"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": dir}, "waoutbox --state-dir " + plain + " status"},
	} {
		if got := store.Command(tt.dir, env(tt.env), "status"); got != tt.want {
			t.Errorf("%q with %v: %q, want %q", tt.dir, tt.env, got, tt.want)
		}
	}
	if got := store.Command(dir, env(nil), "status"); !strings.ContainsAny(got, `'"`) {
		t.Errorf("a path with a space is not quoted: %s", got)
	}
}

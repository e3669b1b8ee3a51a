package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/store"
)

// holdEnv makes the test binary a process that owns the named directory until its input ends.
const holdEnv = "WAOUTBOX_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		os.Exit(hold(dir))
	}
	if spec := os.Getenv(compactChildEnv); spec != "" {
		os.Exit(compactChild(spec))
	}
	goleak.VerifyTestMain(m)
}

func hold(dir string) int {
	s, err := store.OpenState(context.Background(), dir, store.Options{Version: "9.9.9"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		return 1
	}
	return 0
}

func openState(t *testing.T, dir string) *store.State {
	t.Helper()
	s, err := store.OpenState(t.Context(), dir, store.Options{Version: "0.1.0", LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// refused wants one sentence of a kind with the given words, from opening as from a client's check,
// and an unchanged directory.
func refused(t *testing.T, kind store.Kind, dir string, words ...string) {
	t.Helper()
	before, err := os.Lstat(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, openErr := store.OpenState(t.Context(), dir, store.Options{})
	for what, err := range map[string]error{"OpenState": openErr, "CheckDir": store.CheckDir(dir)} {
		if err == nil {
			t.Fatalf("%s took the directory", what)
		}
		if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != kind || e.Path != dir {
			t.Errorf("%s: %#v is not of kind %q for %s", what, err, kind, dir)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s says %q, without %q", what, err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s says more than a sentence: %q", what, err)
		}
	}
	if after, err := os.Lstat(dir); err != nil || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a refused directory was changed: %v, %v", after, err)
	}
}

func TestStateIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	if err := store.CheckDir(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("CheckDir of a missing directory: %v", err)
	}
	s := openState(t, dir)
	if s.Dir() != dir || s.Path("x") != filepath.Join(dir, "x") {
		t.Errorf("Dir %q, Path %q", s.Dir(), s.Path("x"))
	}
	if runtime.GOOS == "windows" {
		return // no mode bits there
	}
	if m := mode(t, dir); m != 0o700 {
		t.Errorf("directory has mode %o", m)
	}
	if m := mode(t, s.Path(store.LockFile)); m != 0o600 {
		t.Errorf("lock has mode %o", m)
	}
}

func TestStateRefusesFileAndRelativePath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, store.NotDirectory, file, "not a directory")
	if _, err := store.OpenState(t.Context(), "state", store.Options{}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("a relative path: %v", err)
	}
}

func TestLockNamesItsOwner(t *testing.T) {
	dir := t.TempDir()
	if o, held, err := store.ReadOwner(dir); held || err != nil {
		t.Fatalf("ReadOwner of an empty directory = %v, %v, %v", o, held, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Fatalf("ReadOwner created %v", entries)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	_, err = store.OpenState(t.Context(), dir, store.Options{LockTimeout: 50 * time.Millisecond})
	want := fmt.Sprintf("another waoutbox (pid %d, version 9.9.9) owns %s", cmd.Process.Pid, dir)
	if e, ok := errors.AsType[*store.Error](err); !ok || !errors.Is(err, store.Owned) || err.Error() != want || e.Owner.PID != cmd.Process.Pid {
		t.Errorf("a held lock gives %v, want %q", err, want)
	}
	if o, held, err := store.ReadOwner(dir); !held || err != nil || o != (store.Owner{PID: cmd.Process.Pid, Version: "9.9.9"}) {
		t.Errorf("ReadOwner = %v, %v, %v", o, held, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if _, held, err := store.ReadOwner(dir); held || err != nil {
		t.Errorf("ReadOwner after the owner ended: held %v, %v", held, err)
	}
	s := openState(t, dir)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Path(store.LockFile)); err != nil {
		t.Errorf("the lock file is gone: %v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	for _, c := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"HOME": "/home/a"}, "/home/a/.local/state/waoutbox"},
		{"linux", map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/x/"}, "/x/waoutbox"},
		{"linux", map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "rel"}, "/home/a/.local/state/waoutbox"},
		{"linux", map[string]string{"HOME": "/home/a", "WAOUTBOX_STATE_DIR": "/s"}, "/s"},
		{"linux", map[string]string{"HOME": "/home/a", "WAOUTBOX_STATE_DIR": "rel"}, ""},
		{"linux", map[string]string{"HOME": "/home/a", "STATE_DIRECTORY": "/var/lib/wa:/var/lib/other"}, "/var/lib/wa"},
		{"linux", map[string]string{"STATE_DIRECTORY": "/var/lib/wa", "WAOUTBOX_STATE_DIR": "/s"}, "/s"},
		{"linux", map[string]string{"HOME": "/home/a", "STATE_DIRECTORY": "rel"}, "/home/a/.local/state/waoutbox"},
		{"linux", nil, ""},
		{"darwin", map[string]string{"HOME": "/Users/a", "XDG_STATE_HOME": "/x"}, "/Users/a/Library/Application Support/waoutbox"},
		{"windows", map[string]string{"USERPROFILE": `C:\Users\a`}, `C:\Users\a\.waoutbox`},
		{"windows", map[string]string{"WAOUTBOX_STATE_DIR": `D:\s`}, `D:\s`},
		{"windows", nil, ""},
	} {
		got, err := store.DefaultDir(c.goos, func(k string) string { return c.env[k] })
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("DefaultDir(%s, %v) = %q, %v; want %q", c.goos, c.env, got, err, c.want)
		}
	}
}

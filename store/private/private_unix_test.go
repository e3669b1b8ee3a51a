//go:build unix

package private_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/store/private"
)

// another is a user that this one is not. Nobody's files are his here.
const another = 65533

// asRoot skips what needs two users.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this needs two users, and only root can be both: run it as root")
	}
}

// do runs a command of another user, in dir.
func do(t *testing.T, dir string, command ...string) error {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: another, Gid: another}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

// place returns a directory with the given mode, below one that everybody may pass.
func place(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	base := t.TempDir()
	for d := base; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(base, "place")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantKind(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// Whatever stands in the place of a file is refused at once, and nothing happens to it. A pipe as
// the key hung the program beyond SIGTERM; a link as the lock was followed, and what it led to was
// written to.
//
// Mutation of private_unix.go: a pipe in the place of a file is waited for.
// Mutation of private_unix.go: a link in the place of a file is followed, within its directory.
func TestWhatIsNoFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.WriteFile(target, []byte("precious"), 0o644), os.Symlink(target, at("link")), os.Symlink(at("file"), at("inside")),
		os.Symlink(at("nothing"), at("dangling")), syscall.Mkfifo(at("pipe"), 0o600), os.Mkdir(at("directory"), 0o700), os.WriteFile(at("file"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "inside", "dangling", "pipe", "directory"} {
		for _, flag := range []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_APPEND | os.O_CREATE, os.O_RDWR | os.O_TRUNC} {
			done := make(chan error, 1)
			go func() {
				f, err := private.Open(at(name), flag)
				if err == nil {
					f.Close()
				}
				done <- err
			}()
			select {
			case err := <-done:
				wantKind(t, name, err, private.ErrIrregular)
			case <-time.After(time.Minute):
				t.Fatalf("opening %s with %#x waits", name, flag)
			}
		}
		if f, err := private.Look(at(name)); !errors.Is(err, private.ErrIrregular) {
			t.Errorf("Look(%s): %v, %v", name, f, err)
		}
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "precious" {
		t.Errorf("what the link leads to is %q, %v", b, err)
	}
	if _, err := os.Lstat(at("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dangling link was followed: %v", err)
	}
}

// A file that others may read is closed to them, one that they may write is refused.
//
// Mutation of private_unix.go: a file that others can write is used.
func TestModesOfFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	for mode, want := range map[fs.FileMode]fs.FileMode{0o600: 0o600, 0o644: 0o600, 0o640: 0o600, 0o400: 0o400, 0o444: 0o400, 0o755: 0o700, 0o622: 0, 0o660: 0, 0o666: 0, 0o602: 0} {
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		b, err := private.Read(path, 10)
		info, serr := os.Stat(path)
		if serr != nil {
			t.Fatal(serr)
		}
		switch {
		case want == 0:
			wantKind(t, mode.String(), err, private.ErrWritable)
			if info.Mode().Perm() != mode {
				t.Errorf("%v was changed to %v", mode, info.Mode())
			}
		case err != nil || string(b) != "x" || info.Mode().Perm() != want:
			t.Errorf("%v: %q, %v, now %v, want %v", mode, b, err, info.Mode(), want)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("12345678901"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := private.Read(path, 10); !errors.Is(err, private.ErrTooLarge) {
		t.Errorf("11 bytes of 10: %v", err)
	}
	f, err := private.Open(path, os.O_RDWR|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("after O_TRUNC: %v, %v", info.Size(), err)
	}
}

// A directory above the state that others may write lets them swap what is in it, unless it is
// sticky. It was not looked at: `status` then set their link's target to 0700 and wrote into it.
//
// Mutation of private_unix.go: others can swap the state directory for a link, in a directory above
// it that they may write.
func TestDirectoriesAbove(t *testing.T) {
	for mode, want := range map[fs.FileMode]error{
		0o755: nil, 0o700: nil, 0o711: nil, 0o777: private.ErrWritable, 0o757: private.ErrWritable, 0o722: private.ErrWritable, 0o777 | fs.ModeSticky: nil,
	} {
		above := place(t, mode)
		dir := filepath.Join(above, "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil { // our own link is as good as what it leads to
			t.Fatal(err)
		}
		for _, dir := range []string{dir, link, link + "/../state", link + "/."} {
			err := private.CheckDir(dir)
			if want == nil && err != nil || want != nil && !errors.Is(err, want) {
				t.Errorf("below %v: CheckDir(%s) = %v, want %v", mode, dir, err, want)
			}
			e, refused := errors.AsType[*private.Error](err)
			if refused && !strings.HasPrefix(e.Error(), e.Path+" ") {
				t.Errorf("the sentence %q does not begin with what is to be mended, %s", e, e.Path)
			}
		}
	}
}

func TestCheckDirSaysWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	loop := filepath.Join(dir, "loop")
	if err := errors.Join(os.Chmod(dir, 0o700), os.WriteFile(file, nil, 0o600), os.Symlink(loop, loop)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"): fs.ErrNotExist, file: syscall.ENOTDIR, filepath.Join(file, "below"): syscall.ENOTDIR, loop: syscall.ELOOP, dir: nil,
		filepath.Join(dir, "none", "below"): fs.ErrNotExist,
	} {
		if err := private.CheckDir(path); want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("CheckDir(%s) = %v, want %v", path, err, want)
		}
	}
	if err := private.CheckDir("relative"); err == nil {
		t.Error("a relative path was judged")
	}
}

// What another user owns on the way, directory or link, he can change.
//
// Mutation of private_unix.go: a link of another user leads to the state.
func TestAnotherUserOnTheWay(t *testing.T) {
	asRoot(t)
	sticky := place(t, 0o777|fs.ModeSticky)
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := do(t, sticky, "ln", "-s", home, "link"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "his link", private.CheckDir(filepath.Join(sticky, "link")), private.ErrOwner)
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the home directory is %v, %v", info.Mode(), err)
	}
	if err := do(t, sticky, "mkdir", "his"); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(sticky, "his", "ours")
	if err := os.Mkdir(ours, 0o700); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a directory in his", private.CheckDir(ours), private.ErrOwner)
	wantKind(t, "his directory", private.CheckDir(filepath.Join(sticky, "his")), private.ErrOwner)
}

// The settings of another owner were believed: they decide with whom this program speaks.
//
// Mutation of private_unix.go: the settings of another owner are believed.
func TestAFileOfAnotherUser(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	if err := errors.Join(os.Chmod(dir, 0o700), os.WriteFile(path, []byte("{}"), 0o600), os.Chown(path, another, another)); err != nil {
		t.Fatal(err)
	}
	_, err := private.Read(path, 10)
	wantKind(t, "his file", err, private.ErrOwner)
	f, err := private.Look(path) // which is for showing
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// While another user swaps a directory for a link and back as fast as he can, nothing is opened
// outside of it.
func TestASwapIsNotFollowed(t *testing.T) {
	asRoot(t)
	open := place(t, 0o777)
	elsewhere := t.TempDir()
	for _, d := range []string{filepath.Join(open, "state"), elsewhere} {
		if err := errors.Join(os.MkdirAll(d, 0o700), os.Chmod(d, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	swap := exec.Command("sh", "-c", `trap exit TERM; while :; do mv state away && ln -s "$0" state; rm -f state; mv away state; done`, elsewhere)
	swap.Dir = open
	swap.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: another, Gid: another}}
	if err := swap.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		// It goes on for ever. Killed, it left behind what it ran, and that moved things about
		// while the directory was being removed; so it waits for that before it ends.
		_ = swap.Process.Signal(syscall.SIGTERM)
		_ = swap.Wait()
	}()
	for range 2000 {
		if f, err := private.Open(filepath.Join(open, "state", "file"), os.O_RDWR|os.O_CREATE); err == nil {
			f.Close()
			t.Fatal("a file was opened below a directory that everybody may write")
		}
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("there are %v, %v", left, err)
	}
}

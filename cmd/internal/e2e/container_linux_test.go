package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/connection/wasim"
)

// The user and the group of the service in a container, and the group that an engine gives its
// volumes.
const (
	containerUser = 65532
	volumeGroup   = 2000
)

// volume mounts a disk with the given owner and mode, as an engine does for a container.
func volume(t *testing.T, uid, gid int, mode fs.FileMode) string {
	t.Helper()
	base := shortDir(t)
	dir := filepath.Join(base, "data")
	for _, err := range []error{os.Chmod(base, 0o755), os.Mkdir(dir, 0o700), syscall.Mount("waoutbox-test", dir, "tmpfs", 0, "size=300m")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	own(t, dir, uid, gid, mode)
	return dir
}

func own(t *testing.T, path string, uid, gid int, mode fs.FileMode) {
	t.Helper()
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// containedProgram returns a copy of the program that every user may run.
func containedProgram(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	program := filepath.Join(dir, "waoutbox")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(binary, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// runContained runs the service as an engine does, as process 1 and as the container's user, until
// it is ready, and ends it with TERM. It returns what it printed, and its exit code; first says
// whether it is process 1.
func runContained(t *testing.T, sim *wasim.Server, program, stateDir string, first bool) (string, int) {
	t.Helper()
	cmd := exec.Command(program, "serve", "--state-dir", stateDir, "--whatsapp-url", sim.URL(), "--whatsapp-root-key", sim.RootKey())
	cmd.Env = []string{"HOME=/nonexistent"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: containerUser, Gid: containerUser, Groups: []uint32{volumeGroup}}}
	if first {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	output := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Kill() // it has ended by itself
		<-exited
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for ready := false; ; {
		if !ready && strings.Contains(output.since(0), "service started") {
			ready = true
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-exited:
			return output.since(0), cmd.ProcessState.ExitCode()
		case <-deadline:
			t.Fatalf("it neither ends nor is ready:\n%s", output.since(0))
		case <-tick.C:
		}
	}
}

// TestVolumesOfAContainer: whatever an engine makes of the volume, the service starts where it can
// write, says who else could reach the state, and ends on TERM as process 1; where it cannot, it
// says what mends it. Outside of a container the same directories are refused.
//
// Mutation of store/private/private_unix.go: the volume of a container that everybody writes to is
// refused, and the container starts again and again.
// Mutation of store/private/volume_linux.go: on a machine with other users a directory that they
// write to is taken for a container's.
// Mutation of store/private/volume_linux.go: in a container any directory is taken for its volume.
func TestVolumesOfAContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT RUN: a volume of another user needs root")
		return
	}
	noteSources(t)
	t.Parallel()
	program := containedProgram(t)
	sim, err := wasim.New(wasim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	const shared, closed, warned = "who could put something else", "made_private", "see that nobody else is given this volume"
	for name, tt := range map[string]struct {
		uid, gid int
		mode     fs.FileMode
		inside   string // of the volume, the state directory
		outside  bool   // it is no container
		code     int
		says     []string
		says0    string // what it does not say
	}{
		"of its user":                             {uid: containerUser, gid: containerUser, mode: 0o770, inside: "waoutbox", says0: warned},
		"an emptyDir":                             {mode: 0o777, inside: "waoutbox", says: []string{warned, shared, "mode 0777"}},
		"an fsGroup":                              {gid: volumeGroup, mode: 0o775 | fs.ModeSetgid, inside: "waoutbox", says0: warned},
		"an fsGroup and all others":               {gid: volumeGroup, mode: 0o777 | fs.ModeSetgid, inside: "waoutbox", says: []string{warned}},
		"of another user":                         {uid: 1000, gid: volumeGroup, mode: 0o770, inside: "waoutbox", says: []string{warned, "belongs to user 1000"}},
		"its user's, for everybody":               {uid: containerUser, gid: containerUser, mode: 0o777, says: []string{closed}},
		"its user's, with an fsGroup":             {uid: containerUser, gid: volumeGroup, mode: 0o775 | fs.ModeSetgid, says: []string{closed}},
		"of root":                                 {mode: 0o755, inside: "waoutbox", code: 1, says: []string{"belongs to user 0 (mode 0755) and you are user 65532", "fsGroup"}},
		"of root, for everybody":                  {mode: 0o777, code: 1, says: []string{"belongs to user 0", "such as one below it, which is made: ", "/data/waoutbox"}},
		"no container, for everybody":             {mode: 0o777, inside: "waoutbox", outside: true, code: 1, says: []string{shared, "chmod go-w"}},
		"no container, its user's, for everybody": {uid: containerUser, gid: containerUser, mode: 0o777, outside: true, code: 1, says: []string{"chmod go-w"}},
		"no container, of another user":           {uid: 1000, gid: volumeGroup, mode: 0o770, inside: "waoutbox", outside: true, code: 1, says: []string{"belongs to user 1000", "name a place of your own"}},
		"no container, of root":                   {mode: 0o755, inside: "waoutbox", outside: true, code: 1, says: []string{"sudo install -d -m 700 -o 65532 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := volume(t, tt.uid, tt.gid, tt.mode)
			state := filepath.Join(dir, tt.inside)
			said, code := runContained(t, sim, program, state, !tt.outside)
			for _, w := range tt.says {
				if !strings.Contains(said, w) {
					t.Errorf("it does not say %q", w)
				}
			}
			if code != tt.code || tt.says0 != "" && strings.Contains(said, tt.says0) || t.Failed() {
				t.Fatalf("exit %d:\n%s", code, said)
			}
			if info, err := os.Stat(state); code == 0 && (err != nil || info.Mode().Perm() != 0o700) {
				t.Errorf("the state directory: %v, %v", info, err)
			}
		})
	}
	t.Run("given a group again at each start", func(t *testing.T) {
		t.Parallel()
		dir := volume(t, 0, volumeGroup, 0o775|fs.ModeSetgid)
		state := filepath.Join(dir, "waoutbox")
		for i, want := range []string{"service started", closed} {
			said, code := runContained(t, sim, program, state, true)
			if code != 0 || !strings.Contains(said, want) {
				t.Fatalf("start %d: exit %d:\n%s", i+1, code, said)
			}
			if err := regroup(state); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a directory that is no volume", func(t *testing.T) {
		t.Parallel()
		dir := shortDir(t)
		own(t, dir, 0, 0, 0o777)
		if said, code := runContained(t, sim, program, filepath.Join(dir, "waoutbox"), true); code != 1 || !strings.Contains(said, shared) {
			t.Errorf("exit %d:\n%s", code, said)
		}
	})
}

// regroup does what an engine does to a volume with an fsGroup.
func regroup(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o660)
		if d.IsDir() {
			mode = 0o770 | fs.ModeSetgid
		}
		if err := os.Lchown(path, -1, volumeGroup); err != nil || d.Type() == fs.ModeSocket {
			return err
		}
		return os.Chmod(path, mode)
	})
}

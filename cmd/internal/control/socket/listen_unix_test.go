//go:build !windows

package socket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// Mutation of listen_unix.go: the control socket is open to others.
func TestListenModesAndEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.SocketFile)
	for p, want := range map[string]fs.FileMode{path: fs.ModeSocket | 0o600, dir: fs.ModeDir | 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", p, info.Mode(), err, want)
		}
	}
	ln.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	dir := t.TempDir()
	leaveStaleSocket(t, dir)
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()

	path := filepath.Join(dir, store.SocketFile)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if body, _ := os.ReadFile(path); string(body) != "precious" {
		t.Error("a file was replaced")
	}
}

// The boundary: the longest path that fits is used, and works.
func TestLongestPathThatFits(t *testing.T) {
	base := t.TempDir()
	room := maxSocketPath() - len(filepath.Join(base, "x", store.SocketFile)) + 1
	if room < 2 {
		t.Fatalf("the temporary directory %s is too long for this test", base)
	}
	fits, over := filepath.Join(base, strings.Repeat("d", room)), filepath.Join(base, strings.Repeat("d", room+1))
	if path, fallback, _ := socketPath(fits); fallback || len(path) != maxSocketPath() {
		t.Errorf("%d characters, fallback %v", len(path), fallback)
	}
	if _, fallback, _ := socketPath(over); !fallback {
		t.Error("one more character still fits")
	}
	ln, err := Listen(fits)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

func TestRuntimeDirMustBeOurs(t *testing.T) {
	base := t.TempDir()
	fine := filepath.Join(base, "fine")
	for range 2 { // made, then found
		if err := privateRuntimeDir(fine); err != nil {
			t.Fatal(err)
		}
	}
	open, link, file := filepath.Join(base, "open"), filepath.Join(base, "link"), filepath.Join(base, "file")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fine, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{open, link, file} {
		if err := privateRuntimeDir(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A client calls no socket in a directory for substitutes that another user could have filled:
// /tmp, where that is, is everyone's.
//
// Mutation of listen_unix.go: a client uses a socket outside its state whose directory is
// everybody's.
func TestAClientJudgesTheDirectoryOfASubstitute(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "waoutbox-0")
	if err := privateRuntimeDir(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.sock")
	ln, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := dialAt(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for _, mode := range []fs.FileMode{0o755, 0o770, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if conn, err := dialAt(t.Context(), path, true); err == nil || api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "cannot be trusted") {
			t.Errorf("mode %o: %v, %v", mode, conn, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Log("that of another user needs two users, and only root can be both: left out")
		return
	}
	if err := os.Chown(dir, 65533, 65533); err != nil {
		t.Fatal(err)
	}
	if conn, err := dialAt(t.Context(), path, true); err == nil || api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("of another user: %v, %v", conn, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// one that is not there is nobody's: the service does not run
	if conn, err := dialAt(t.Context(), filepath.Join(t.TempDir(), "none", "x.sock"), true); err == nil || api.CodeOf(err) == api.CodeServiceUnavail {
		t.Errorf("none: %v, %v", conn, err)
	}
}

// A service puts no socket where another user could take it away.
//
// Mutation of listen_unix.go: a service makes its socket in a directory outside its state that is
// everybody's.
func TestAServiceUsesNoSubstituteThatOthersCanReach(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep", 40), "state")
	path, fallback, err := socketPath(dir)
	if err != nil || !fallback {
		t.Fatalf("%s, %v, %v", path, fallback, err)
	}
	substitute := filepath.Join(t.TempDir(), "theirs")
	if err := errors.Join(os.Mkdir(substitute, 0o700), os.Chmod(substitute, 0o777)); err != nil {
		t.Fatal(err)
	}
	if ln, err := listenIn(dir, filepath.Join(substitute, "x.sock"), true); err == nil || !strings.Contains(err.Error(), "its substitute cannot be used") {
		t.Errorf("%v, %v", ln, err)
	}
}

// Mutation of peer_unix.go: any user may connect to the control socket whose mode was loosened.
func TestWhoMayConnect(t *testing.T) {
	for _, tc := range []struct {
		uid, owner int
		want       bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}, {65534, 1000, false}} {
		if got := mayConnect(tc.uid, tc.owner); got != tc.want {
			t.Errorf("mayConnect(%d, %d) = %v", tc.uid, tc.owner, got)
		}
	}
}

func TestPeerIsAsked(t *testing.T) {
	dir := t.TempDir()
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, conn, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for _, c := range []net.Conn{conn, accepted} {
		if uid, err := peerUID(c); err != nil || uid != os.Geteuid() {
			t.Errorf("peer is %d, %v", uid, err)
		}
	}
	if err := CheckPeer(struct{ net.Conn }{conn}); err == nil {
		t.Error("a connection without a socket was let in")
	}
}

// leaveStaleSocket leaves what a killed daemon leaves.
func leaveStaleSocket(t *testing.T, dir string) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(dir, store.SocketFile))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

func TestStateDirOthersCanWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "run: chmod go-w "+dir) {
		t.Errorf("Listen: %v", err)
	}
	if got, _ := os.ReadDir(dir); len(got) != 0 {
		t.Errorf("it left %v", got)
	}
}

// A state directory that is too deep for a socket has it elsewhere, at a place that server and
// clients agree on whatever way the directory is written and whatever their environment says.
func TestLongPathFallsBack(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, strings.Repeat("deep", 40), "state")
	path, fallback, err := socketPath(dir)
	if err != nil || !fallback || len(path) > 103 {
		t.Fatalf("%s, %v, %v", path, fallback, err)
	}
	if other, _, _ := socketPath(dir + "2"); other == path {
		t.Error("two states share a socket")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", base)
	t.Setenv("XDG_RUNTIME_DIR", base)
	link := filepath.Join(base, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, spelled := range []string{dir, dir + "/", dir + "/../state", link, "."} {
		_, conn, err := Dial(t.Context(), spelled)
		if err != nil {
			t.Errorf("%s: %v", spelled, err)
			continue
		}
		conn.Close()
	}
	path, _, _ = socketPath(dir)
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	ln.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

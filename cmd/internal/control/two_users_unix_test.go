//go:build unix

package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/cmd/internal/logtest"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// Two users that this one is not, and neither is the other. Nobody's files are theirs here.
const (
	stranger = 65533
	victim   = 65532
)

// envRole says which of the two a process of the test binary is, and envDir which state it is
// about.
const envRole, envDir = "WAOUTBOX_TEST_ROLE", "WAOUTBOX_TEST_DIR"

// Users do not reach each other over the control socket, also where the modes of directory and
// socket were loosened: a service takes no byte of another user's, and a client sends none to what
// another user put in the service's place. Both are real processes of two real users.
//
// Mutation of server.go: the service asks nobody who connects.
// Mutation of server.go: the service does not ask the kernel who connects.
// Mutation of cmd/internal/control/socket/listen_unix.go: a client asks nobody whom it calls.
func TestUsersDoNotReachEachOther(t *testing.T) {
	switch os.Getenv(envRole) {
	case "client":
		asStranger(os.Getenv(envDir))
		return
	case "impostor":
		asImpostor(os.Getenv(envDir))
		return
	case "victim":
		_, err := NewClient(os.Getenv(envDir), Agent{Name: "secret"}).Daemon(t.Context())
		fmt.Println("the victim got", api.CodeOf(err), err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("this needs two users, and only root can be both: run it as root")
	}
	binary := filepath.Join(open(t), "test")
	if err := copyFile(os.Args[0], binary); err != nil {
		t.Fatal(err)
	}
	t.Run("a service", func(t *testing.T) {
		dir, log := open(t), &logtest.Buffer{}
		startServerWith(t, dir, ServerOptions{Service: &recordingService{}, Log: log.Logger()})
		loosen(t, dir)
		if out := <-runAs(t, binary, stranger, "client", dir).end; !strings.Contains(out, "the stranger got 0 bytes") {
			t.Errorf("the client of another user: %s", out)
		}
		if want := fmt.Sprintf("user %d may not use the socket", stranger); !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	})
	t.Run("a client", func(t *testing.T) {
		dir := open(t)
		if err := os.Chown(dir, stranger, stranger); err != nil {
			t.Fatal(err)
		}
		impostor := runAs(t, binary, stranger, "impostor", dir)
		if line := <-impostor.begun; !strings.Contains(line, "listening") {
			t.Fatalf("%s%s", line, <-impostor.end)
		}
		loosen(t, dir)
		out := <-runAs(t, binary, victim, "victim", dir).end
		if want := fmt.Sprintf("runs as user %d, this is user %d", stranger, victim); !strings.Contains(out, "service_unavailable") || !strings.Contains(out, want) {
			t.Errorf("the client: %s", out)
		}
		if out := <-impostor.end; !strings.Contains(out, "the impostor got 0 bytes") {
			t.Errorf("whom it called: %s", out)
		}
	})
}

// asStranger calls the service of a state that is another user's.
func asStranger(dir string) {
	c, err := net.Dial("unix", filepath.Join(dir, store.SocketFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	// it fails when the other end is gone
	_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
	got, _ := io.ReadAll(c)
	fmt.Printf("the stranger got %d bytes %.100q\n", len(got), got)
}

// asImpostor listens where another user expects the service, and says what one client sent.
func asImpostor(dir string) {
	ln, err := net.Listen("unix", filepath.Join(dir, store.SocketFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	fmt.Println("listening")
	_ = ln.(*net.UnixListener).SetDeadline(time.Now().Add(30 * time.Second))
	c, err := ln.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	got := make([]byte, 100)
	n, _ := c.Read(got)
	fmt.Printf("the impostor got %d bytes %q\n", n, got[:n])
}

// open returns a directory that everybody may pass and read.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loosen lets everybody at the socket of a state.
func loosen(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, store.SocketFile), 0o666)); err != nil {
		t.Fatal(err)
	}
}

// child is a process of another user.
type child struct {
	begun chan string // its first line
	end   chan string // all that it wrote
}

// runAs runs this test as another user.
func runAs(t *testing.T, binary string, uid uint32, role, dir string) child {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, "-test.run=^TestUsersDoNotReachEachOther$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), envRole+"="+role, envDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := child{make(chan string, 1), make(chan string, 1)}
	go func() {
		in := bufio.NewReader(out)
		line, _ := in.ReadString('\n')
		c.begun <- line
		rest, _ := io.ReadAll(in)
		_ = cmd.Wait() // what it wrote says how it ended
		c.end <- line + string(rest)
	}()
	return c
}

// copyFile copies a program to where everybody may run it.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chmod(to, 0o755))
}

package socket

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// One name for all the ways to write a directory, another one for another directory, and this
// user's alone.
func TestPipePath(t *testing.T) {
	dir := t.TempDir()
	path, sid, err := pipePath(dir)
	if err != nil || !strings.HasPrefix(path, `\\.\pipe\waoutbox-S-1-`) || !strings.Contains(path, sid) {
		t.Fatalf("%s, %s, %v", path, sid, err)
	}
	for _, same := range []string{strings.ToUpper(dir), dir + `\`, strings.ReplaceAll(dir, `\`, "/"), dir + `\x\..`} {
		if got, _, err := pipePath(same); got != path || err != nil {
			t.Errorf("%s: %s, %v, want %s", same, got, err, path)
		}
	}
	if got, _, err := pipePath(dir + "2"); got == path || err != nil {
		t.Errorf("another directory has the same pipe: %v", err)
	}
}

// A client reaches the service of its directory, which has no second one beside it, and nobody
// where none listens.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, conn, err := Dial(ctx, dir); err == nil {
		conn.Close()
		t.Error("somebody listens before anybody does")
	}
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if second, err := Listen(dir); err == nil {
		second.Close()
		t.Error("two services listen on one pipe")
	}
	served := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			err = CheckPeer(conn)
		}
		if err == nil {
			_, err = io.WriteString(conn, "hello\n")
		}
		served <- err
	}()
	path, conn, err := Dial(ctx, dir)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Error(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
		t.Errorf("%q, %v", line, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A client finds the pipe of the service of Windows where no service of its user listens, and talks
// to nobody who has taken that pipe's name. The service is this user here, with its pipe's name.
func TestPipeOfAService(t *testing.T) {
	dir := t.TempDir()
	_, own, err := pipePath(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, sid, err := servicePipe(dir)
	if err != nil || !strings.HasPrefix(sid, "S-1-5-80-") || !strings.Contains(path, sid) {
		t.Fatalf("%s, %s, %v", path, sid, err)
	}
	ln, err := listen(path, own)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if used, conn, err := Dial(ctx, dir); used != path || api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "belongs to "+own) {
		t.Errorf("a pipe of another owner at %s: %v, %v", used, conn, err)
	}
	conn, err := dialChecked(ctx, path, func(conn net.Conn) error { return checkOwner(conn, own) })
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

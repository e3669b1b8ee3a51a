package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUnsolicitedEchoIsNotLogged: an endpoint that sends the request's headers back after its
// response, unasked. net/http writes such bytes to the standard logger, and so `serve` printed:
// "Unsolicited response received on idle HTTP channel starting with "Bearer hidden-7Qx…".
func TestUnsolicitedEchoIsNotLogged(t *testing.T) {
	t.Parallel()
	const token = "Bearer hidden-7Qx93kLm"
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	echoed := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // a failure shows as no echo
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		seen := req.Header.Get("Authorization")
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		time.AfterFunc(200*time.Millisecond, func() { _, _ = io.WriteString(conn, seen) })
		_, _ = io.Copy(io.Discard, conn) // until the client has read it and hangs up
		echoed <- seen
	}()

	r := newRig(t)
	r.serve()
	r.mustRun("webhook", "add", "http://"+ln.Addr().String()+"/hook", "--header", "Authorization: "+token)
	r.mustRun("webhook", "test", "http://"+ln.Addr().String()+"/hook")
	select {
	case seen := <-echoed:
		if seen != token {
			t.Fatalf("the endpoint got Authorization %q, want %q", seen, token)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the endpoint was not called, or its connection never given up")
	}
	r.stop()
	if out := r.output.since(0); strings.Contains(out, "hidden-7Qx") || strings.Contains(out, "Unsolicited") {
		t.Errorf("serve printed what the endpoint sent:\n%s", out)
	}
}

package connection

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// Whatever system this machine has, and whichever number its sockets fail with, a person reads the
// same words. On Windows the system's own sentence with addresses stood there before.
func TestInWords(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: err}
	}
	connect := func(number syscall.Errno) error { return dial(os.NewSyscallError("connectex", number)) }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{connect(syscall.ECONNREFUSED), "connection refused"},
		{connect(10061), "connection refused"},
		{connect(syscall.ENETUNREACH), "no route to it (is this machine online?)"},
		{connect(10051), "no route to it (is this machine online?)"},
		{connect(10065), "no route to it (is this machine online?)"},
		{connect(syscall.ETIMEDOUT), "no answer"},
		{connect(10060), "no answer"},
		{dial(os.ErrDeadlineExceeded), "no answer"},
		{context.DeadlineExceeded, "no answer"},
		{dial(&net.DNSError{Err: "no such host", Name: "web.example"}), "no address for web.example (is this machine online?)"},
		{errors.New("something else"), "something else"},
	} {
		if got := inWords(tt.err); got != tt.want {
			t.Errorf("%v is %q, want %q", tt.err, got, tt.want)
		}
	}
	// what the sockets of this very system say of a port that nobody listens on
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err == nil {
		conn.Close()
		t.Fatal("somebody listens there")
	}
	if got := inWords(err); got != "connection refused" {
		t.Errorf("%v is %q", err, got)
	}
}

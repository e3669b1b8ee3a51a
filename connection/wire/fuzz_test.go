package wire

import (
	"bytes"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzAligner: whatever a server sends, in whatever pieces it comes, the same is handed on, and not
// much more is kept than came.
func FuzzAligner(f *testing.F) {
	f.Add(wsFrame(finBit|opBinary, []byte{0, 0, 1, 'x'}), uint8(3))
	f.Add(append(wsFrame(opBinary, []byte{0, 0}), wsFrame(finBit|opContinuation, []byte{1, 'x', 0})...), uint8(1))
	f.Add(append(wsFrame(opBinary, []byte{0, 0}), wsFrame(finBit|9, []byte("ping"))...), uint8(2))
	f.Add([]byte{finBit | opBinary, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint8(5))
	f.Add([]byte{0x82, 0xfe}, uint8(1))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint8) {
		var whole, cut aligner
		once := whole.feed(nil, sent)
		var pieces []byte
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			pieces = cut.feed(pieces, rest[:n])
			rest = rest[n:]
		}
		if !bytes.Equal(once, pieces) {
			t.Errorf("%x is handed on as %x, and in pieces as %x", sent, once, pieces)
		}
		if kept := len(cut.in) + len(cut.message) + len(cut.rest); kept > len(sent) || len(once) > len(sent)+10*len(sent) {
			t.Errorf("%d bytes are kept of %d, %d handed on", kept, len(sent), len(once))
		}
	})
}

// FuzzProxyResponse: whatever a proxy says, asking it ends, and only a 200 is a connection.
func FuzzProxyResponse(f *testing.F) {
	for _, seed := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 9\r\n\r\nalice:s3c", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "\x05\x00", "HTTP/1.1 2000\r\n\r\n", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		asked := make(chan string, 1)
		go func() {
			defer theirs.Close()
			var request []byte
			b := make([]byte, 1<<10)
			for !bytes.HasSuffix(request, []byte("\r\n\r\n")) {
				n, err := theirs.Read(b)
				request = append(request, b[:n]...)
				if err != nil {
					break
				}
			}
			asked <- string(request)
			_, _ = theirs.Write(response) // as much as is read
		}()
		if err := ours.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		p := &Proxy{url: &url.URL{Scheme: "http", Host: "proxy.example:1", User: url.UserPassword("alice", "s3crEt-s3crEt")}}
		err := p.connect(ours, "web.whatsapp.com:443")
		_ = ours.Close() // what the proxy writes more is not read
		if request := <-asked; !strings.HasPrefix(request, "CONNECT web.whatsapp.com:443 HTTP/1.1\r\n") {
			t.Errorf("asked %q", request)
		}
		if err == nil && !bytes.Contains(response, []byte(" 200")) {
			t.Errorf("%q is taken for a connection", response)
		}
		if err != nil && strings.Contains(err.Error(), "s3crEt-s3crEt") {
			t.Errorf("%v", err)
		}
	})
}

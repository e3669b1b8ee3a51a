package webhook

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// childVar says to a test that it runs in a process of its own, and gives it the URL to send to.
const childVar = "WAOUTBOX_WEBHOOK_TEST_URL"

// inChild runs the calling test again in a process of its own, with more environment, and fails if
// it fails there.
func inChild(t *testing.T, url string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), childVar+"="+url), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in the child: %v\n%s", err, out)
	}
}

// testResolver resolves the names in hosts to their IPv4 addresses, every other one to nothing,
// through a DNS server on loopback. Names of the hosts file come first, as always.
func testResolver(t *testing.T, hosts map[string]string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveDNS(server, hosts)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func serveDNS(server net.PacketConn, hosts map[string]string) {
	buf := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		addr, known := hosts[strings.TrimSuffix(q.Name.String(), ".")]
		switch {
		case !known:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
			}}
		}
		out, err := m.Pack()
		if err != nil {
			continue
		}
		if _, err := server.WriteTo(out, from); err != nil {
			return
		}
	}
}

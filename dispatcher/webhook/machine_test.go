package webhook

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"waoutbox/outbox"
)

// A machine in order charges nothing to itself: a name that does not resolve is class dns.
func TestLookupThatFailsElsewhereIsTheEndpoints(t *testing.T) {
	s := sender(t)
	s.resolver = testResolver(t, nil)
	if res, _ := timedSend(t, s, request("http://nowhere.example/hook", "", "{}"), 10*time.Second); res.Class != outbox.ClassDNS {
		t.Errorf("%+v", res)
	}
}

// A look-up that fails soon after descriptors ran out fails of that: the resolver goes on without
// the configuration that it could not read.
func TestLackIsRememberedForLookups(t *testing.T) {
	m := &machine{}
	unknown := &net.DNSError{Err: "no such host", Name: "localhost", IsNotFound: true}
	lack := &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	for _, c := range []struct {
		what string
		err  error
		ago  time.Duration
		want outbox.Class
	}{
		{"before", unknown, 0, outbox.ClassDNS},
		{"the lack itself", lack, 0, outbox.ClassLocal},
		{"just after", unknown, lackMemory - time.Second, outbox.ClassLocal},
		{"cut off", &net.DNSError{UnwrapErr: context.Canceled, Err: "operation was canceled"}, 0, outbox.ClassLocal},
		{"another error", errors.New("EOF"), 0, outbox.ClassNetwork},
		{"long after", unknown, lackMemory, outbox.ClassDNS},
		{"once more", unknown, 0, outbox.ClassDNS},
	} {
		m.met = m.met.Add(-c.ago)
		if got, msg := classify(m.explain(c.err)); got != c.want {
			t.Errorf("%s: class %s (%s), want %s", c.what, got, msg, c.want)
		}
	}
}

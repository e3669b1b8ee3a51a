package connection

import (
	"slices"
	"strings"
	"testing"

	"waoutbox/connection/wire"
	"waoutbox/connection/wire/proxytest"
	"waoutbox/outbox/api"
)

// Pairing, log-in and messages go through the proxy; without it the link is down and says so.
func TestTheLinkGoesThroughItsProxy(t *testing.T) {
	for _, scheme := range []string{"http", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			px := proxytest.Start(t, scheme, "alice:s3crEt")
			r := newRig(t)
			must(t, r.dev.Close())
			var err error
			r.proxy, err = wire.CheckProxy(px.URL())
			must(t, err)
			r.build(r.sim.URL(), r.sim.RootKey())
			r.run()
			r.pair()
			r.stillReceives("through the proxy")
			sim := strings.TrimSuffix(strings.TrimPrefix(r.sim.URL(), "ws://"), "/ws/chat")
			if got := px.Targets(); len(got) < 2 || slices.ContainsFunc(got, func(to string) bool { return to != sim }) {
				t.Errorf("the proxy was asked for %v, want %s for pairing and log-in", got, sim)
			}
			px.Stop()
			eventually(t, "a reason", func() bool { return strings.Contains(r.Link().Reason, "connection refused") })
			l := r.Link()
			if l.State != api.LinkConnecting || !strings.Contains(l.Reason, "the proxy "+scheme+"://127.0.0.1:") || strings.Contains(l.Reason, "s3crEt") {
				t.Errorf("link %+v", l)
			}
			if r.acc.Online() {
				t.Error("the link went around its proxy")
			}
		})
	}
}

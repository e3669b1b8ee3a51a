//go:build !race

package wasim

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wasim/fault"
)

// The client library, left to reconnect by itself, races with itself when a connection ends in the
// moment of its login. That is nothing of the simulator, so the race detector does not see these.

// TestCutsAtEveryStanzaOfALogin: whatever stanza the connection ends at, of either side, before or
// after it, the companion comes back and gets its message once.
func TestCutsAtEveryStanzaOfALogin(t *testing.T) {
	t.Parallel()
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	for _, f := range []fault.Fault{
		{From: fault.Server, Tag: "success"},
		{From: fault.Companion, Tag: "iq", Attrs: map[string]string{"xmlns": "passive"}},
		{From: fault.Server, Tag: "ib"},
		{From: fault.Server, Tag: "message"},
		{From: fault.Companion, Tag: "receipt"},
		{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "receipt"}},
	} {
		for _, f.Effect = range []fault.Effect{fault.CutBefore, fault.CutAfter} {
			must(t, a.Fault(f))
			a.Drop()
			text := string(f.From) + " " + f.Tag + " " + string(f.Effect)
			_, err := bob.SendText(testContext(t), text)
			must(t, err)
			c.waitText(t, text)
			must(t, a.WaitDrained(testContext(t)))
			if n := a.FaultsLeft(); n != 0 {
				t.Errorf("%s: %d faults did not happen", text, n)
			}
		}
	}
	must(t, a.WaitOnline(testContext(t))) // no end while the library ends itself
	seen := make(map[string]bool)
	for _, text := range c.texts() {
		if seen[text] {
			t.Errorf("%s: emitted twice", text)
		}
		seen[text] = true
	}
}

// TestPairingWithoutItsLastStanza: the client has stored that it is linked; without the 515 the
// library stays away and says nothing, until it is told to connect.
func TestPairingWithoutItsLastStanza(t *testing.T) {
	s := testServer(t)
	a := s.NewAccount("491515550100", "Shop")
	c := newClient(t, s, t.TempDir()+"/client.db")
	must(t, s.Fault(fault.Fault{From: fault.Server, Tag: "stream:error", Effect: fault.CutBefore}))
	must(t, a.ScanQR(testContext(t), c.qr(t)))
	waitFor[*events.PairSuccess](t, c)
	c.Disconnect()
	must(t, c.Connect())
	must(t, a.WaitOnline(testContext(t)))
	if got := c.Store.GetJID().ToNonAD(); got != (types.JID{User: "491515550100", Server: types.DefaultUserServer}) {
		t.Errorf("linked as %s", got)
	}
}

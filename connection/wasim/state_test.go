package wasim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// restarted saves a server, closes it and returns what a new process would load.
func restarted(t *testing.T, s *Server) *Server {
	t.Helper()
	must(t, s.Close())
	var saved bytes.Buffer
	must(t, s.Save(&saved))
	fresh, err := Load(&saved, Options{})
	must(t, err)
	t.Cleanup(func() { must(t, fresh.Close()) })
	if fresh.RootKey() != s.RootKey() {
		t.Fatal("the root key changed over the restart")
	}
	return fresh
}

func TestStateOutlivesARestart(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		t.Run(fmt.Sprintf("crashed=%v", crashed), func(t *testing.T) {
			s, a, c := linked(t)
			ctx := testContext(t)
			bob := a.NewContact("Bob", "15550100123")
			g := a.NewGroup("Team", bob)
			for _, s := range []string{"one", "two"} {
				_, err := bob.SendText(ctx, s)
				must(t, err)
				_, err = bob.SendGroupText(ctx, g, "group "+s)
				must(t, err)
			}
			c.send(t, bob.PN(), "to Bob")
			must(t, bob.WaitReceived(ctx, 1))
			must(t, a.WaitDrained(ctx))
			c.Disconnect()
			must(t, a.until(ctx, func() (bool, error) { return !a.online(), nil }))
			_, err := bob.SendText(ctx, "pending")
			must(t, err)
			acked := a.Acked()

			s2 := restarted(t, s)
			if crashed {
				s2.RenewSessions()
			}
			must(t, s2.Listen("127.0.0.1:0"))
			a2 := s2.Accounts()[0]
			bob2, g2 := a2.Contacts()[0], a2.Groups()[0]
			if len(a2.Pending()) != 1 || len(a2.Acked()) != len(acked) || bob2.Received()[0].Text != "to Bob" || g2.Subject() != "Team" {
				t.Fatalf("after the restart: pending %v, acked %v, received %v", a2.Pending(), a2.Acked(), bob2.Received())
			}
			c2 := newClient(t, s2, c.path)
			must(t, c2.Connect())
			must(t, a2.WaitOnline(ctx))
			c2.waitText(t, "pending")
			_, err = bob2.SendText(ctx, "three")
			must(t, err)
			_, err = bob2.SendGroupText(ctx, g2, "group three")
			must(t, err)
			c2.waitText(t, "three")
			c2.waitText(t, "group three")
			c2.send(t, bob2.PN(), "again to Bob")
			c2.send(t, g2.JID(), "to the group")
			must(t, bob2.WaitReceived(ctx, 3))
			must(t, a2.WaitDrained(ctx))
		})
	}
}

func TestLoadRefusesWhatSaveDidNotWrite(t *testing.T) {
	for _, bad := range []string{"", "{}", `{"version":2}`, `{"version":1,"root":"AAAA"}`} {
		if _, err := Load(strings.NewReader(bad), Options{}); err == nil {
			t.Errorf("%q was loaded", bad)
		}
	}
}

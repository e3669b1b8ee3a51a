package wasim

import (
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestPushNameIsSynced(t *testing.T) {
	s, a, c := linked(t)
	ctx := testContext(t)
	if err := c.SendPresence(ctx, types.PresenceAvailable); !errors.Is(err, whatsmeow.ErrNoPushName) {
		t.Fatalf("presence without a push name says %v", err)
	}
	named := func(name string) {
		t.Helper()
		must(t, a.SetPushName(ctx, name))
		c.wait(t, "push name "+name, func(e any) bool {
			p, ok := e.(*events.PushNameSetting)
			return ok && p.Action.GetName() == name
		})
	}
	named("Shop") // the first change, before which the client is given the key
	must(t, c.SendPresence(ctx, types.PresenceAvailable))
	must(t, a.until(ctx, func() (bool, error) { return a.device.available, nil }))
	if !a.Available() {
		t.Error("the companion is not available after it said so")
	}
	named("Corner shop")
	must(t, a.WaitDrained(ctx))
	// What was there before is announced too, unless the client was faster.
	if acked := a.Acked(); len(acked) < 3 || acked[0].Type != "peer" || acked[1].Type != "server_sync" || acked[2].Type != "server_sync" || a.Name() != "Corner shop" {
		t.Errorf("acknowledged %+v, name %q", acked, a.Name())
	}

	bob := a.NewContact("Bob", "15550100123")
	// the companion's own change
	must(t, c.SendAppState(ctx, appstate.BuildMute(jid(t, bob.LID()), true, time.Hour)))
	c.Disconnect()
	a2 := restarted(t, s).Accounts()[0]
	if got := a2.synced.state[appstate.WAPatchRegularHigh].Version; got != 2 {
		t.Errorf("the companion's settings are at version %d after a restart, want 2", got)
	}
	if a2.Name() != "Corner shop" || a2.synced.keyHolds != a.device.lid {
		t.Errorf("after a restart the name is %q and the key is with %s", a2.Name(), a2.synced.keyHolds)
	}
}

// TestChangesWaitForTheFirstSync: a change made while the companion is away is told once it has
// what was there before, over a restart of the simulator too.
func TestChangesWaitForTheFirstSync(t *testing.T) {
	s, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	c.Disconnect()
	must(t, a.ChangeState(testContext(t), appstate.BuildMute(jid(t, bob.LID()), true, time.Hour)))
	must(t, a.ChangeState(testContext(t), appstate.BuildStar(jid(t, bob.LID()), jid(t, bob.LID()), "3A", false, true)))
	again := restarted(t, s)
	must(t, again.Listen("127.0.0.1:0"))
	c2 := newClient(t, again, c.path)
	must(t, c2.Connect())
	waitFor[*events.Mute](t, c2)
	if star := waitFor[*events.Star](t, c2); star.MessageID != "3A" || !star.Action.GetStarred() {
		t.Errorf("starred %+v", star)
	}
	must(t, again.Accounts()[0].WaitDrained(testContext(t)))
}

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
	must(t, a.SetPushName(ctx, "Shop")) // brings the key, so the client syncs for the first time
	c.wait(t, "first sync", func(e any) bool {
		done, ok := e.(*events.AppStateSyncComplete)
		return ok && done.Name == appstate.WAPatchCriticalBlock
	})
	must(t, c.SendPresence(ctx, types.PresenceAvailable))
	must(t, a.until(ctx, func() (bool, error) { return a.device.available, nil }))
	if !a.Available() {
		t.Error("the companion is not available after it said so")
	}
	must(t, a.SetPushName(ctx, "Corner shop")) // announced with a notification
	c.wait(t, "push name", func(e any) bool {
		p, ok := e.(*events.PushNameSetting)
		return ok && p.Action.GetName() == "Corner shop"
	})
	must(t, a.WaitDrained(ctx))
	if acked := a.Acked(); len(acked) != 2 || acked[0].Type != "peer" || acked[1].Type != "server_sync" || a.Name() != "Corner shop" {
		t.Errorf("acknowledged %+v, name %q", acked, a.Name())
	}

	bob := a.NewContact("Bob", "15550100123")
	must(t, c.SendAppState(ctx, appstate.BuildMute(jid(t, bob.LID()), true, time.Hour))) // the companion's own change
	c.Disconnect()
	a2 := restarted(t, s).Accounts()[0]
	if got := a2.synced.state[appstate.WAPatchRegularHigh].Version; got != 1 {
		t.Errorf("the companion's settings are at version %d after a restart, want 1", got)
	}
	if a2.Name() != "Corner shop" || a2.synced.keyHolds != a.device.lid {
		t.Errorf("after a restart the name is %q and the key is with %s", a2.Name(), a2.synced.keyHolds)
	}
}

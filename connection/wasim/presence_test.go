package wasim

import (
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestPresenceAndTyping(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	ctx := testContext(t)
	presence := func(what string, ok func(*events.Presence) bool) {
		t.Helper()
		c.wait(t, what, func(e any) bool { p, is := e.(*events.Presence); return is && p.From.String() == bob.LID() && ok(p) })
	}
	must(t, bob.SetPresence(ctx, true, time.Time{}))
	presence("available", func(p *events.Presence) bool { return !p.Unavailable })
	seen := time.Unix(1735689600, 0)
	must(t, bob.SetPresence(ctx, false, seen))
	presence("last seen", func(p *events.Presence) bool { return p.Unavailable && p.LastSeen.Equal(seen) })
	must(t, bob.SetPresence(ctx, false, time.Time{}))
	presence("hidden last seen", func(p *events.Presence) bool { return p.Unavailable && p.LastSeen.IsZero() })

	typing := func(what string, chat string, ok func(*events.ChatPresence) bool) {
		t.Helper()
		c.wait(t, what, func(e any) bool { p, is := e.(*events.ChatPresence); return is && p.Chat.String() == chat && ok(p) })
	}
	must(t, bob.Typing(ctx, "composing"))
	typing("composing", bob.LID(), func(p *events.ChatPresence) bool { return p.State == types.ChatPresenceComposing && p.Media == "" })
	must(t, bob.Typing(ctx, "recording"))
	typing("recording", bob.LID(), func(p *events.ChatPresence) bool { return p.Media == types.ChatPresenceMediaAudio })
	must(t, bob.GroupTyping(ctx, g, "paused"))
	typing("paused", g.JID(), func(p *events.ChatPresence) bool {
		return p.State == types.ChatPresencePaused && p.Sender.String() == bob.LID()
	})
	if err := bob.Typing(ctx, "dancing"); err == nil {
		t.Error("an unknown typing state was accepted")
	}
}

func TestPresenceNeedsAnOnlineCompanion(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	c.Disconnect()
	must(t, a.until(testContext(t), func() (bool, error) { return !a.online(), nil }))
	if err := bob.SetPresence(testContext(t), true, time.Time{}); !errors.Is(err, ErrNotOnline) {
		t.Errorf("presence to an offline companion says %v", err)
	}
	if n := len(a.Pending()); n != 0 {
		t.Errorf("%d stanzas pending, presence is never queued", n)
	}
}

func TestPresenceForSubscribersOnly(t *testing.T) {
	_, a, c := linked(t)
	bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
	a.RequirePresenceSubscription(true)
	ctx := testContext(t)
	must(t, bob.SetPresence(ctx, true, time.Time{}))
	must(t, eve.SetPresence(ctx, true, time.Time{}))
	must(t, c.SubscribePresence(ctx, jid(t, eve.LID())))
	got := waitFor[*events.Presence](t, c)
	if got.From.String() != eve.LID() || got.Unavailable {
		t.Errorf("first presence is of %s, want only the subscribed %s", got.From, eve.LID())
	}
}

package wasim

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestGroupSettings(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	ctx := testContext(t)
	for _, s := range [][2]string{
		{"announcement", ""}, {"not_announcement", ""}, {"locked", ""}, {"ephemeral", "86400"}, {"membership_approval_mode", "on"},
		{"member_add_mode", "admin_add"}, {"invite", ""}, {"description", "what for"}, {"suspended", ""}, {"unsuspended", ""},
	} {
		must(t, g.Set(ctx, bob, s[0], s[1]))
	}
	must(t, g.Change(ctx, bob, waBinary.Node{Tag: "growth_locked", Attrs: waBinary.Attrs{"type": "invite"}}))
	c.groupChange(t, "the last change", func(e *events.GroupInfo) bool {
		return len(e.UnknownChanges) == 1 && e.UnknownChanges[0].Tag == "growth_locked"
	})
	if n := len(emitted[*events.GroupInfo](c)); n != 11 {
		t.Errorf("%d changes told, want 11", n)
	}
	info, err := c.GetGroupInfo(ctx, jid(t, g.JID()))
	must(t, err)
	if info.IsAnnounce || !info.IsLocked || info.DisappearingTimer != 86400 || !info.IsJoinApprovalRequired || info.MemberAddMode != "admin_add" || info.Topic != "what for" || info.AnnounceVersionID != "2" {
		t.Errorf("the group is %+v", info)
	}
	for _, s := range [][2]string{{"ephemeral", "soon"}, {"membership_approval_mode", "maybe"}, {"colour", "red"}} {
		if err := g.Set(ctx, bob, s[0], s[1]); err == nil {
			t.Errorf("setting %s to %q was accepted", s[0], s[1])
		}
	}
	must(t, g.Set(ctx, bob, "delete", "spam"))
	c.groupChange(t, "deletion", func(e *events.GroupInfo) bool { return e.Delete != nil && e.Delete.DeleteReason == "spam" })
	if g.hasAccount() {
		t.Error("the account is a member of a deleted group")
	}
}

func TestCommunity(t *testing.T) {
	s, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	team, other := a.NewGroup("Team", bob), a.NewGroup("Other", bob)
	town := a.NewCommunity("Town", []*Contact{bob}, team)
	ctx := testContext(t)
	subs, err := c.GetSubGroups(ctx, jid(t, town.JID()))
	must(t, err)
	if len(subs) != 2 || subs[0].Name != "Team" || !subs[1].IsDefaultSubGroup {
		t.Errorf("the community has %+v", subs)
	}
	must(t, town.Link(ctx, bob, other))
	c.groupChange(t, "link", func(e *events.GroupInfo) bool {
		return e.Link != nil && e.Link.Type == types.GroupLinkChangeTypeParent && e.Link.Group.JID.String() == town.JID() && e.JID.String() == other.JID()
	})
	must(t, town.Unlink(ctx, bob, other))
	c.groupChange(t, "unlink", func(e *events.GroupInfo) bool { return e.Unlink != nil && e.Unlink.Group.JID.String() == other.JID() })
	if err := team.Link(ctx, bob, other); err == nil {
		t.Error("a plain group took another one in")
	}
	must(t, a.WaitDrained(ctx))
	c.Disconnect()
	again := restarted(t, s).Accounts()[0]
	if got, _ := again.findGroup("Team"); got.parent.String() != town.JID() {
		t.Errorf("after a restart the group belongs to %s", got.parent)
	}
}

// TestReinstalledContact: a new phone with another identity can be read and written to.
func TestReinstalledContact(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	for i, round := range []string{"old phone", "new phone"} {
		if i > 0 {
			must(t, bob.Reinstall(testContext(t)))
			waitFor[*events.IdentityChange](t, c)
		}
		_, err := bob.SendText(testContext(t), round)
		must(t, err)
		_, err = bob.SendGroupText(testContext(t), g, round+" in the group")
		must(t, err)
		c.waitText(t, round)
		c.waitText(t, round+" in the group")
		c.send(t, bob.PN(), "to the "+round)
		c.send(t, g.JID(), "to the group with the "+round)
		must(t, bob.WaitReceived(testContext(t), 2*(i+1)))
	}
	must(t, a.WaitDrained(testContext(t)))
}

// TestFirstMessageAfterAMonth: an old acquaintance who starts a new session when the companion has
// no one-time prekey left on the server, and whose message waited for a month.
func TestFirstMessageAfterAMonth(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	_, err := bob.SendText(testContext(t), "long ago")
	must(t, err)
	c.waitText(t, "long ago")
	c.Disconnect()
	if left, err := a.UsePreKeys(testContext(t), 10_000); err != nil || left != 0 {
		t.Fatalf("%d prekeys left: %v", left, err)
	}
	bob.ForgetSessions()
	at := time.Now().AddDate(0, -1, 0).Truncate(time.Second)
	_, err = bob.SendAs(testContext(t), text("after a month"), Form{At: at})
	must(t, err)
	must(t, c.Connect())
	if got := c.waitText(t, "after a month"); !got.Info.Timestamp.Equal(at) || got.RetryCount != 0 {
		t.Errorf("arrived at %v after %d retries", got.Info.Timestamp, got.RetryCount)
	}
	must(t, a.WaitDrained(testContext(t)))
	must(t, a.until(testContext(t), func() (bool, error) { return len(a.device.oneTime) > 0, nil }))
}

func TestHistory(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	_, err := a.SendHistory(testContext(t), &waHistorySync.HistorySync{
		SyncType:      waHistorySync.HistorySync_RECENT.Enum(),
		Conversations: []*waHistorySync.Conversation{{ID: proto.String(bob.LID())}},
	})
	must(t, err)
	if got := waitFor[*events.HistorySync](t, c); len(got.Data.GetConversations()) != 1 || got.Data.GetConversations()[0].GetID() != bob.LID() {
		t.Errorf("history %+v", got.Data)
	}
	must(t, a.WaitDrained(testContext(t)))
}

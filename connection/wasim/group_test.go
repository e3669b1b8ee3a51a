package wasim

import (
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestGroupMessagesBothWays(t *testing.T) {
	for _, mode := range []Addressing{ByLID, ByPN} {
		t.Run(string(mode), func(t *testing.T) {
			_, a, c := linked(t)
			bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
			g := a.NewGroup("Team", bob, eve)
			g.SetAddressing(mode)
			for _, who := range []*Contact{bob, eve} {
				for _, s := range []string{"one", "two"} {
					id, err := who.SendGroupText(testContext(t), g, s+" by "+who.Name())
					must(t, err)
					got := c.waitText(t, s+" by "+who.Name())
					sender, alt := who.LID(), who.PN()
					if mode == ByPN {
						sender, alt = alt, sender
					}
					if got.Info.ID != id || got.Info.Chat.String() != g.JID() || got.Info.Sender.String() != sender || got.Info.SenderAlt.String() != alt {
						t.Errorf("message info is %+v", got.Info)
					}
				}
			}
			must(t, a.WaitDrained(testContext(t)))
			first, second := c.send(t, g.JID(), "to all"), c.send(t, g.JID(), "again")
			for _, who := range []*Contact{bob, eve} {
				must(t, who.WaitReceived(testContext(t), 2))
				if got := who.Received(); got[0].ID != first || got[1].ID != second || got[1].Text != "again" || got[1].Chat != g.JID() {
					t.Errorf("%s received %+v", who.Name(), got)
				}
			}
			must(t, eve.SendGroupReceipt(testContext(t), g, "read", first))
			if got := waitFor[*events.Receipt](t, c); got.Chat.String() != g.JID() || got.Type != types.ReceiptTypeRead || got.MessageIDs[0] != first {
				t.Errorf("receipt %+v", got)
			}
		})
	}
}

// groupChange waits for the group event that ok accepts.
func (c *client) groupChange(t *testing.T, what string, ok func(*events.GroupInfo) bool) *events.GroupInfo {
	t.Helper()
	got := c.wait(t, what, func(e any) bool { g, is := e.(*events.GroupInfo); return is && ok(g) })
	return got.(*events.GroupInfo)
}

func TestGroupChangesOfContacts(t *testing.T) {
	_, a, c := linked(t)
	bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
	g := a.NewGroup("Team", bob)
	ctx := testContext(t)
	must(t, g.Joined(ctx))
	joined := waitFor[*events.JoinedGroup](t, c)
	if joined.JID.String() != g.JID() || joined.Name != "Team" || len(joined.Participants) != 2 || joined.OwnerJID.String() != bob.LID() || joined.OwnerPN.String() != bob.PN() {
		t.Errorf("joined %+v", joined.GroupInfo)
	}
	must(t, g.SetSubject(ctx, bob, "Team <launch>"))
	named := c.groupChange(t, "subject", func(e *events.GroupInfo) bool { return e.Name != nil })
	if named.Name.Name != "Team <launch>" || named.Sender.String() != bob.LID() || named.SenderPN.String() != bob.PN() || named.Name.NameSetBy.String() != bob.LID() {
		t.Errorf("subject change %+v %+v", named, named.Name)
	}
	must(t, g.Add(ctx, bob, eve))
	added := c.groupChange(t, "add", func(e *events.GroupInfo) bool { return len(e.Join) == 1 })
	if added.Join[0].String() != eve.LID() {
		t.Errorf("added %v, want %s", added.Join, eve.LID())
	}
	must(t, g.Promote(ctx, bob, eve))
	c.groupChange(t, "promote", func(e *events.GroupInfo) bool { return len(e.Promote) == 1 })
	must(t, g.Demote(ctx, bob, eve))
	c.groupChange(t, "demote", func(e *events.GroupInfo) bool { return len(e.Demote) == 1 })
	must(t, g.Remove(ctx, bob, eve))
	c.groupChange(t, "remove", func(e *events.GroupInfo) bool { return len(e.Leave) == 1 })
	if _, err := eve.SendGroupText(ctx, g, "still here?"); err == nil {
		t.Error("somebody who was removed wrote to the group")
	}
	must(t, g.RemoveAccount(ctx, bob))
	c.groupChange(t, "own removal", func(e *events.GroupInfo) bool { return len(e.Leave) == 1 && e.Leave[0].String() == a.LID() })
	must(t, a.WaitDrained(ctx))
	if _, err := c.GetGroupInfo(ctx, jid(t, g.JID())); err == nil {
		t.Error("the client may still look at a group it was removed from")
	}
}

func TestGroupChangesOfTheCompanion(t *testing.T) {
	_, a, c := linked(t)
	bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
	ctx := testContext(t)
	made, err := c.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: "Mine", Participants: []types.JID{jid(t, bob.LID())}})
	must(t, err)
	g := a.group(made.JID)
	if g == nil || g.Subject() != "Mine" || len(g.Members()) != 2 {
		t.Fatalf("created %+v", made)
	}
	must(t, c.SetGroupName(ctx, made.JID, "Ours"))
	c.groupChange(t, "subject", func(e *events.GroupInfo) bool { return e.Name != nil && e.Name.Name == "Ours" })
	must(t, c.SetGroupTopic(ctx, made.JID, "", "", "what it is about"))
	c.groupChange(t, "description", func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.Topic == "what it is about" })
	_, err = c.UpdateGroupParticipants(ctx, made.JID, []types.JID{jid(t, eve.LID())}, whatsmeow.ParticipantChangeAdd)
	must(t, err)
	c.groupChange(t, "add", func(e *events.GroupInfo) bool { return len(e.Join) == 1 })
	all, err := c.GetJoinedGroups(ctx)
	must(t, err)
	if len(all) != 1 || all[0].Name != "Ours" || all[0].Topic != "what it is about" || len(all[0].Participants) != 3 {
		t.Errorf("joined groups %+v", all)
	}
	must(t, c.LeaveGroup(ctx, made.JID))
	c.groupChange(t, "leave", func(e *events.GroupInfo) bool { return len(e.Leave) == 1 })
}

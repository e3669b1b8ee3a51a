package wasim

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestFormsOfAMessage(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	at := time.Unix(1735689600, 0)
	id, err := bob.SendAs(testContext(t), text("dressed"), Form{ID: "3AOWN", At: at, Edit: "1", Attrs: map[string]string{"category": "other"}, Meta: map[string]string{"target_id": "X"}})
	must(t, err)
	got := c.waitText(t, "dressed").Info
	if id != "3AOWN" || got.ID != id || !got.Timestamp.Equal(at) || got.Edit != "1" || got.Category != "other" || got.MsgMetaInfo.TargetID != "X" {
		t.Errorf("arrived as %+v", got)
	}
	_, err = bob.SendAs(testContext(t), nil, Form{Unavailable: "view_once"})
	must(t, err)
	if u := waitFor[*events.UndecryptableMessage](t, c); u.UnavailableType != "view_once" {
		t.Errorf("unavailable as %q", u.UnavailableType)
	}
	for _, f := range []Form{{Plain: []byte("\x0a\x05no")}, {EncType: "new"}, {EncVersion: "9"}, {Absent: true}} {
		_, err = bob.SendAs(testContext(t), text("never read"), f)
		must(t, err)
	}
	_, err = bob.SendText(testContext(t), "behind")
	must(t, err)
	c.waitText(t, "behind")
	if slices.Contains(c.texts(), "never read") {
		t.Error("a message of an unknown kind was read")
	}
}

func TestRepeatHoldAndReorder(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	first, err := bob.SendText(testContext(t), "first")
	must(t, err)
	c.waitText(t, "first")
	must(t, a.WaitDrained(testContext(t)))

	at := time.Unix(1735689600, 0)
	must(t, a.Repeat(testContext(t), first, at)) // the same ciphertext: the library knows it
	_, err = bob.SendAs(testContext(t), text("first"), Form{ID: first, At: at})
	must(t, err)
	c.wait(t, "the new copy", func(e any) bool {
		m, ok := e.(*events.Message)
		return ok && m.Info.ID == first && m.Info.Timestamp.Equal(at)
	})
	must(t, a.WaitDrained(testContext(t)))
	if n := len(c.texts()); n != 2 || len(a.Acked()) != 3 {
		t.Errorf("%d messages emitted, %d stanzas acknowledged; want 2 and 3", n, len(a.Acked()))
	}
	if err := a.Repeat(testContext(t), "nobody", at); err == nil {
		t.Error("an unknown stanza was repeated")
	}

	a.Hold(true)
	for _, s := range []string{"one", "two", "three"} {
		_, err = bob.SendText(testContext(t), s)
		must(t, err)
	}
	must(t, a.Reorder(Reverse))
	if err := a.Reorder(func(int) []int { return []int{0, 0, 1} }); err == nil {
		t.Error("an order that loses a stanza was accepted")
	}
	a.Hold(false)
	c.waitText(t, "one")
	if got := c.texts()[2:]; !slices.Equal(got, []string{"three", "two", "one"}) {
		t.Errorf("arrived as %v", got)
	}
	must(t, a.WaitDrained(testContext(t)))
}

func TestCalls(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	g := a.NewGroup("Team", bob)
	id, err := bob.Call(testContext(t), Ring{Video: true})
	must(t, err)
	offer := waitFor[*events.CallOffer](t, c)
	if _, video := offer.Data.GetOptionalChildByTag("video"); offer.CallID != id || !video || offer.CallCreator.String() != bob.LID() || offer.CallCreatorAlt.String() != bob.PN() {
		t.Errorf("offer %+v", offer)
	}
	must(t, bob.EndCall(testContext(t), Ring{ID: id}, "timeout"))
	if end := waitFor[*events.CallTerminate](t, c); end.CallID != id || end.Reason != "timeout" {
		t.Errorf("end %+v", end)
	}
	_, err = bob.Call(testContext(t), Ring{Group: g, Notice: true})
	must(t, err)
	if notice := waitFor[*events.CallOfferNotice](t, c); notice.GroupJID.String() != g.JID() || notice.Media != "audio" {
		t.Errorf("notice %+v", notice)
	}
	must(t, a.WaitDrained(testContext(t)))
	if got := a.Acked(); len(got) != 3 || got[0].Class != "call" {
		t.Errorf("acknowledged %+v", got)
	}
}

func TestChannel(t *testing.T) {
	_, a, c := linked(t)
	news := a.NewChannel("News")
	said := func(s string) *waE2E.Message {
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(s)}}
	}
	id, err := news.Post(testContext(t), said("old"), Form{})
	must(t, err)
	if got := c.waitText(t, "old").Info; got.ID != id || got.ServerID != 1 || got.Chat.String() != news.JID() {
		t.Errorf("arrived as %+v", got)
	}
	must(t, news.Edit(testContext(t), id, said("new")))
	if got := c.waitText(t, "new"); got.Info.ID != id || got.Info.Edit != types.EditAttributeAdminEdit || got.NewsletterMeta.EditTS.IsZero() {
		t.Errorf("edited as %+v %+v", got.Info, got.NewsletterMeta)
	}
	must(t, news.Count(testContext(t), id, 7, map[string]int{"👍": 2}))
	if got := waitFor[*events.NewsletterLiveUpdate](t, c); len(got.Messages) != 1 || got.Messages[0].ViewsCount != 7 || got.Messages[0].ReactionCounts["👍"] != 2 {
		t.Errorf("counted %+v", got)
	}
	must(t, news.Delete(testContext(t), id))
	_, err = news.PostStatus(testContext(t), said("status of the channel"))
	must(t, err)
	if got := c.waitText(t, "status of the channel"); !got.Info.IsNewsletterStatus {
		t.Errorf("status arrived as %+v", got.Info)
	}
	must(t, news.Follow(testContext(t), true))
	if got := waitFor[*events.NewsletterJoin](t, c); got.ID.String() != news.JID() || got.ThreadMeta.Name.Text != "News" {
		t.Errorf("joined %+v", got)
	}
	must(t, news.Follow(testContext(t), false))
	waitFor[*events.NewsletterLeave](t, c)
	must(t, c.FollowNewsletter(testContext(t), jid(t, news.JID())))
	if all, err := c.GetSubscribedNewsletters(testContext(t)); err != nil || len(all) != 1 || all[0].ID.String() != news.JID() {
		t.Errorf("followed channels %+v: %v", all, err)
	}
	if err := news.Delete(testContext(t), "nobody"); err == nil {
		t.Error("an unknown message was deleted")
	}
	must(t, a.WaitDrained(testContext(t)))
}

func TestStatusPosts(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	_, err := bob.PostStatus(testContext(t), text("at the beach"), Form{})
	must(t, err)
	got := c.waitText(t, "at the beach").Info
	if got.Chat != types.StatusBroadcastJID || got.Sender.String() != bob.LID() || got.SenderAlt.String() != bob.PN() {
		t.Errorf("arrived as %+v", got.MessageSource)
	}
	_, err = a.PhonePostStatus(testContext(t), text("mine"), Form{})
	must(t, err)
	if got := c.waitText(t, "mine").Info; !got.IsFromMe {
		t.Errorf("the own status arrived as %+v", got.MessageSource)
	}
	must(t, a.WaitDrained(testContext(t)))
}

func TestRestrictions(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	must(t, a.Restrict(testContext(t), until))
	if got := waitFor[*events.NotifyAccountReachoutTimelock](t, c); !got.IsActive || !got.TimeEnforcementEnds.Equal(until) {
		t.Errorf("restricted %+v", got)
	}
	if _, err := c.SendMessage(testContext(t), jid(t, bob.PN()), text("no")); err == nil {
		t.Error("a restricted account wrote")
	}
	must(t, a.Restrict(testContext(t), time.Time{}))
	c.send(t, bob.PN(), "yes")
	a.Ban(101, 2*time.Hour)
	a.Drop()
	if got := waitFor[*events.TemporaryBan](t, c); got.Code != 101 || got.Expire != 2*time.Hour {
		t.Errorf("banned %+v", got)
	}
}

package translate

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// TestNoAddressIsMistakenForAnother: what stands where the other address of a user should, and
// cannot be it, is left out, and what is known of the user is taken.
func TestNoAddressIsMistakenForAnother(t *testing.T) {
	stranger := types.NewJID("6", types.HiddenUserServer)
	for name, c := range map[string]struct {
		jid, alt types.JID
		want     address
	}{
		"as it should be":              {aliceLID, alicePN, address{aliceLID, alicePN}},
		"with a device":                {deviceJID(aliceLID.User, 3, aliceLID.Server), deviceJID(alicePN.User, 3, alicePN.Server), address{aliceLID, alicePN}},
		"the same again":               {aliceLID, aliceLID, address{aliceLID, alicePN}},
		"another LID":                  {aliceLID, bobLID, address{aliceLID, alicePN}},
		"another number":               {alicePN, bobPN, address{alicePN, aliceLID}},
		"a group":                      {aliceLID, team, address{aliceLID, alicePN}},
		"a server":                     {aliceLID, types.ServerJID, address{aliceLID, alicePN}},
		"an address without user":      {aliceLID, types.JID{Server: types.DefaultUserServer}, address{aliceLID, alicePN}},
		"hosted":                       {types.JID{User: aliceLID.User, Server: types.HostedLIDServer}, types.JID{User: alicePN.User, Server: types.HostedServer}, address{aliceLID, alicePN}},
		"nobody knows":                 {stranger, types.JID{}, address{stranger, types.JID{}}},
		"nobody knows, and a LID came": {stranger, aliceLID, address{stranger, types.JID{}}},
		"a group has none":             {team, alicePN, address{team, types.JID{}}},
		"the account by number":        {self.PN, types.JID{}, address{BareJID(self.PN), BareJID(self.LID)}},
	} {
		if got := newFixture().address(t.Context(), c.jid, c.alt); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestChatsHaveOneKey: a user's chat is the same under both addresses and whoever says which, and
// the event has both for filters.
func TestChatsHaveOneKey(t *testing.T) {
	// in no address book
	newLID, newPN := types.NewJID("6", types.HiddenUserServer), types.NewJID("15550100789", types.DefaultUserServer)
	info := func(chat, sender, alt types.JID) types.MessageInfo {
		return types.MessageInfo{MessageSource: types.MessageSource{Chat: chat, Sender: sender, SenderAlt: alt}, ID: "X", Timestamp: second(0)}
	}
	own := info(newPN, self.PN, types.JID{})
	own.IsFromMe, own.RecipientAlt = true, newLID
	call := func(from types.JID) any {
		return &events.CallTerminate{Reason: "timeout", BasicCallMeta: types.BasicCallMeta{From: from, CallCreator: newLID, CallCreatorAlt: newPN, CallID: "C", Timestamp: second(0)}}
	}
	for name, evt := range map[string]any{
		"by LID":                           arrived(info(newLID, newLID, newPN), text("x")),
		"by number":                        arrived(info(newPN, newPN, newLID), text("x")),
		"chat by number, sender by LID":    arrived(info(newPN, newLID, newPN), text("x")),
		"own message":                      arrived(own, text("x")),
		"unreadable":                       &events.UndecryptableMessage{Info: info(newPN, newPN, newLID)},
		"receipt":                          &events.Receipt{MessageSource: types.MessageSource{Chat: newPN, Sender: newPN, SenderAlt: newLID}, MessageIDs: []string{"X"}, Timestamp: second(0)},
		"call by LID":                      call(newLID),
		"call by number":                   call(newPN),
		"typing, chat and sender by forms": &events.ChatPresence{State: types.ChatPresenceComposing, MessageSource: types.MessageSource{Chat: newPN, Sender: newLID, SenderAlt: newPN}},
	} {
		if ev := newFixture().must(t, evt)[0]; ev.Chat != newLID.String() || ev.ChatAlt != newPN.String() {
			t.Errorf("%s: chat %q, %q", name, ev.Chat, ev.ChatAlt)
		}
	}
}

// TestSendersWithoutNumber: somebody of whom only the LID is known is like anybody else, and once
// the number is known the events carry it, in the same chat.
func TestSendersWithoutNumber(t *testing.T) {
	name := types.NewJID("6", types.HiddenUserServer)
	number := types.NewJID("15550100789", types.DefaultUserServer)
	f := newFixture()
	write := func(id string) string {
		evs := f.must(t, arrived(types.MessageInfo{MessageSource: types.MessageSource{Chat: name, Sender: name}, ID: id, Timestamp: second(0)}, text("x")))
		if len(evs) != 1 || evs[0].Chat != name.String() || len(*f.alarms) > 0 {
			t.Fatalf("%v, alarms %v", evs, *f.alarms)
		}
		return string(evs[0].Body)
	}
	if body := write("A"); strings.Contains(body, "remoteJidAlt") || strings.Contains(body, "s.whatsapp.net") {
		t.Errorf("a number comes from nowhere: %s", body)
	}
	f.book[name] = number
	if body := write("B"); !strings.Contains(body, `"remoteJidAlt":"15550100789@s.whatsapp.net"`) {
		t.Errorf("the number is not told: %s", body)
	}
	group := f.must(t, &events.GroupInfo{JID: team, Sender: &name, Timestamp: second(0), Join: []types.JID{types.NewJID("7", types.HiddenUserServer)}})
	if want := `[{"id":"120363025846172094@g.us","author":"6@lid","authorPn":"15550100789@s.whatsapp.net","participants":[{"id":"7@lid","admin":null}],"action":"add"}]`; data(group[0]) != want {
		t.Errorf("got %s, want %s", data(group[0]), want)
	}
}

package connection

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

func TestMarkRead(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	group := r.acc.NewGroup("Friends", bob, carol)
	one, err := bob.SendText(ctx, "1")
	must(t, err)
	two, err := bob.SendText(ctx, "2")
	must(t, err)
	three, err := carol.SendGroupText(ctx, group, "3")
	must(t, err)
	r.waitTexts("1", "2", "3")
	in := api.MarkRead{Messages: []api.MessageRef{
		{Chat: bob.LID(), ID: one}, {Chat: group.JID(), ID: three}, {Chat: bob.LID(), ID: two},
		{Chat: group.JID(), ID: "3EB0OLD", Participant: bob.LID()},
	}}
	got, err := r.MarkRead(ctx, in)
	must(t, err)
	if got.Marked != 4 {
		t.Errorf("marked %d", got.Marked)
	}
	must(t, bob.WaitReceipt(ctx, "read", one))
	must(t, bob.WaitReceipt(ctx, "read", two))
	must(t, bob.WaitReceipt(ctx, "read", "3EB0OLD"))
	must(t, carol.WaitReceipt(ctx, "read", three))
	for _, c := range bob.Receipts() {
		if c.Type == "read" && len(c.IDs) > 1 && !slices.Equal(c.IDs, []string{one, two}) {
			t.Errorf("read %q in one receipt", c.IDs)
		}
	}
	_, err = r.MarkRead(ctx, api.MarkRead{Messages: []api.MessageRef{
		{Chat: bob.LID(), ID: one}, {Chat: bob.LID(), ID: "3EB0NONE"}, {Chat: bob.PN(), ID: two}, {Chat: group.JID(), ID: "3EB0NEITHER"},
	}})
	if api.CodeOf(err) != api.CodeMessageNotFound || !strings.Contains(err.Error(), "not have 3EB0NONE, 3EB0NEITHER; it has "+one+", "+two+".") {
		t.Errorf("of some unknown ones: %v", err)
	}
	for _, who := range []string{bob.LID(), bob.PN()} {
		_, err = r.MarkRead(ctx, api.MarkRead{Messages: []api.MessageRef{{Chat: bob.LID(), ID: "3EB0" + who[:5], Participant: who}}})
		must(t, err)
		must(t, bob.WaitReceipt(ctx, "read", "3EB0"+who[:5]))
	}
	for name, c := range map[string]struct {
		in   []api.MessageRef
		want api.Code
	}{
		"nothing":       {nil, api.CodeInvalidArguments},
		"no chat":       {[]api.MessageRef{{ID: one}}, api.CodeInvalidRecipient},
		"no id":         {[]api.MessageRef{{Chat: bob.LID()}}, api.CodeInvalidArguments},
		"unknown":       {[]api.MessageRef{{Chat: bob.LID(), ID: one}, {Chat: group.JID(), ID: "3EB0X"}}, api.CodeMessageNotFound},
		"of a channel":  {[]api.MessageRef{{Chat: "1@newsletter", ID: "3EB0X"}}, api.CodeInvalidArguments},
		"far too many":  {make([]api.MessageRef, maxMarked+1), api.CodeInvalidArguments},
		"of nobody":     {[]api.MessageRef{{Chat: bob.LID(), ID: "3EB0X"}}, api.CodeMessageNotFound},
		"not the other": {[]api.MessageRef{{Chat: bob.LID(), ID: "3EB0X", Participant: carol.LID()}}, api.CodeInvalidArguments},
		"group as them": {[]api.MessageRef{{Chat: group.JID(), ID: "3EB0X", Participant: group.JID()}}, api.CodeInvalidArguments},
	} {
		if _, err := r.MarkRead(ctx, api.MarkRead{Messages: c.in}); api.CodeOf(err) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTyping(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	group := r.acc.NewGroup("Friends", bob)
	for _, to := range []string{"+1 555 010 0123", bob.LID()} {
		for _, state := range append([]api.TypingState{""}, api.TypingStates()...) {
			got, err := r.Typing(ctx, api.Typing{To: to, State: state})
			must(t, err)
			if got.Chat != bob.LID() {
				t.Errorf("typing to %s in %s", to, got.Chat)
			}
		}
	}
	want := []string{"composing", "composing", "recording", "paused", "composing", "composing", "recording", "paused"}
	if got, err := r.acc.WaitTyping(ctx, bob.LID(), len(want)); err != nil || !slices.Equal(got, want) {
		t.Errorf("shown %q, %v", got, err)
	}
	_, err := r.Typing(ctx, api.Typing{To: group.JID()})
	must(t, err)
	if got, err := r.acc.WaitTyping(ctx, group.JID(), 1); err != nil || got[0] != "composing" {
		t.Errorf("shown in the group %q, %v", got, err)
	}
	for name, c := range map[string]struct {
		in   api.Typing
		want api.Code
	}{
		"no state":  {api.Typing{To: bob.LID(), State: "sleeping"}, api.CodeInvalidArguments},
		"nobody":    {api.Typing{To: ""}, api.CodeInvalidRecipient},
		"a channel": {api.Typing{To: "1@newsletter"}, api.CodeInvalidRecipient},
	} {
		if _, err := r.Typing(ctx, c.in); api.CodeOf(err) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A subscription ends with its connection, so it is made again after each log-in.
func TestWatchPresence(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	r.acc.RequirePresenceSubscription(true)
	bob := r.acc.NewContact("Bob", "15550100123")
	got, err := r.WatchPresence(ctx, api.WatchPresence{Of: "+1 555 010 0123"})
	must(t, err)
	if got.JID != bob.LID() {
		t.Errorf("watching %s", got.JID)
	}
	must(t, bob.WaitWatched(ctx))
	must(t, bob.SetPresence(ctx, true, time.Time{}))
	eventually(t, "the presence", func() bool { return len(r.named(translate.PresenceUpdate)) == 1 })
	r.acc.Drop()
	eventually(t, "the drop", func() bool { return r.Link().State != api.LinkConnected })
	must(t, bob.WaitWatched(ctx))
	for name, of := range map[string]string{"a group": "120363025846172094@g.us", "nobody": ""} {
		if _, err := r.WatchPresence(ctx, api.WatchPresence{Of: of}); api.CodeOf(err) != api.CodeInvalidRecipient {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for i := range maxWatched - 1 {
		must(t, r.watched.add(r.status.account().PN, types.NewJID(fmt.Sprint(i), types.HiddenUserServer)))
	}
	if err := r.watched.add(r.status.account().PN, types.NewJID("one", types.HiddenUserServer)); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("one too many: %v", err)
	}
	if n := len(r.watched.list(types.NewJID("1", types.DefaultUserServer))); n != 0 {
		t.Errorf("another account watches %d", n)
	}
}

func TestFindRecipients(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	r.acc.NewContact("Stranger", "15550100199")
	friends := r.acc.NewGroup("Friends of Bob", bob, carol)
	for _, c := range []func() (string, error){ // their names come with their messages
		func() (string, error) { return bob.SendText(ctx, "1") }, func() (string, error) { return carol.SendText(ctx, "2") },
	} {
		_, err := c()
		must(t, err)
	}
	r.waitTexts("1", "2")
	// the address book has Carol under her number, and a better name
	must(t, r.acc.ChangeState(ctx, appstate.PatchInfo{Type: appstate.WAPatchCriticalUnblockLow, Mutations: []appstate.MutationInfo{{
		Index: []string{appstate.IndexContact, carol.PN()}, Version: 2,
		Value: &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{FullName: proto.String("Caroline Smith-Jones"), FirstName: proto.String("Caro")}},
	}}}))
	eventually(t, "the address book", func() bool {
		found, err := r.FindRecipients(ctx, api.FindRecipients{Query: "caroline"})
		return err == nil && len(found.Items) == 1
	})
	contact := func(jid, name, phone, pn string) api.Recipient {
		return api.Recipient{JID: jid, Name: name, Kind: api.RecipientContact, Phone: phone, AltJID: pn}
	}
	isBob := contact(bob.LID(), "Bob", "+15550100123", bob.PN())
	isCarol := contact(carol.LID(), "Caroline Smith-Jones", "+15550100124", carol.PN())
	isGroup := api.Recipient{JID: friends.JID(), Name: "Friends of Bob", Kind: api.RecipientGroup}
	for query, want := range map[string][]api.Recipient{
		"bob":               {isBob, isGroup},
		" B ":               {isBob, isGroup},
		"friends":           {isGroup},
		"smith":             {isCarol},
		"JONES":             {isCarol},
		"carol":             {isCarol}, // the name she gave herself
		"+1 555 010-0123":   {isBob},
		"0123":              {isBob},
		bob.LID():           {isBob},
		bob.PN():            {isBob},
		friends.JID():       {isGroup},
		"+1 555 010 0199":   nil, // asked for at WhatsApp, below
		"+1 555 010 0666":   {},
		"somebody else":     {},
		"15550100666@c.us":  {},
		"00 1 555 010 0123": {isBob},
	} {
		got, err := r.FindRecipients(ctx, api.FindRecipients{Query: query})
		must(t, err)
		if want == nil {
			if len(got.Items) != 1 || got.Items[0].Name != "" || got.Items[0].Phone != "+15550100199" || !strings.HasSuffix(got.Items[0].JID, "@lid") {
				t.Errorf("%q found %+v", query, got)
			}
			continue
		}
		if !slices.Equal(got.Items, want) || got.Total != len(want) {
			t.Errorf("%q found %+v, want %+v", query, got, want)
		}
	}
	if got, err := r.FindRecipients(ctx, api.FindRecipients{Query: "o", Limit: 1}); err != nil || len(got.Items) != 1 || got.Total < 3 {
		t.Errorf("limited: %+v, %v", got, err)
	}
	for _, in := range []api.FindRecipients{{}, {Query: " "}, {Query: "b", Limit: 101}, {Query: "b", Limit: -1}} {
		if _, err := r.FindRecipients(ctx, in); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("%+v: got %v", in, err)
		}
	}
}

func TestGroups(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	friends, team := r.acc.NewGroup("friends", bob), r.acc.NewGroup("Team", bob, carol)
	_, err := bob.SendText(ctx, "1")
	must(t, err)
	r.waitTexts("1")
	got, err := r.Groups(ctx, api.ListGroups{})
	must(t, err)
	if len(got) != 2 || got[0].JID != friends.JID() || got[0].Name != "friends" || got[1].JID != team.JID() || len(got[1].Members) != 3 {
		t.Fatalf("groups %+v", got)
	}
	var me, him api.GroupMember
	for _, m := range got[0].Members {
		if m.Me {
			me = m
		} else {
			him = m
		}
	}
	if me.Role != got[0].Role || him.Name != "Bob" || him.Phone != "+15550100123" || him.JID == "" || him.Role == "" {
		t.Errorf("members %+v of %+v", got[0].Members, got[0])
	}
	// a change is seen at once, although the list is kept for a while
	must(t, friends.SetSubject(ctx, bob, "best friends"))
	eventually(t, "the change", func() bool { return len(r.named(translate.GroupUpdate)) == 1 })
	one, err := r.Groups(ctx, api.ListGroups{JID: friends.JID()})
	must(t, err)
	if len(one) != 1 || one[0].Name != "best friends" {
		t.Errorf("group %+v", one)
	}
	if _, err := r.Groups(ctx, api.ListGroups{JID: "120363000000000000@g.us"}); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("a group it is not in: %v", err)
	}
	if _, err := r.Groups(ctx, api.ListGroups{JID: bob.LID()}); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a person: %v", err)
	}
	r.acc.Unlink()
	r.waitState(api.LinkUnlinked)
	if _, err := r.Groups(ctx, api.ListGroups{}); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("unlinked: %v", err)
	}
	if _, err := r.FindRecipients(ctx, api.FindRecipients{Query: "bob"}); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("unlinked: %v", err)
	}
}

package settings

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

const (
	pn    = "4915155501001@s.whatsapp.net"
	lid   = "204813927440123@lid"
	group = "120363025846172094@g.us"
)

// TestFilterKeepsWhatIsLeftOut: nil keeps, empty goes back, and what is given is stored in one form
// and order, so that the same wish in other words is the same filter.
func TestFilterKeepsWhatIsLeftOut(t *testing.T) {
	all := []string{outbox.Any}
	have := outbox.Filter{Events: []string{"message.received"}, Chats: []string{lid}, NotChats: []string{group}, Kinds: []string{"direct"}}
	for what, c := range map[string]struct {
		in   api.PutWebhook
		want outbox.Filter
	}{
		"nothing given": {api.PutWebhook{}, have},
		"events":        {api.PutWebhook{Events: &[]string{"a", outbox.Any}}, outbox.Filter{Events: all, Chats: have.Chats, NotChats: have.NotChats, Kinds: have.Kinds}},
		"chats":         {api.PutWebhook{Chats: &[]string{lid, "+49 151 55501001", "4915155501001@c.us"}}, outbox.Filter{Events: have.Events, Chats: []string{lid, pn}, NotChats: have.NotChats, Kinds: have.Kinds}},
		"back to all":   {api.PutWebhook{Chats: &[]string{}, NotChats: &[]string{}, Kinds: &[]string{}}, outbox.Filter{Events: have.Events}},
		"kinds":         {api.PutWebhook{Kinds: &[]string{"Group", "direct", "group"}}, outbox.Filter{Events: have.Events, Chats: have.Chats, NotChats: have.NotChats, Kinds: []string{"direct", "group"}}},
	} {
		got, warnings, err := Filter(have, c.in, nil)
		if err != nil || len(warnings) > 0 || !SameFilter(got, c.want) || !reflect.DeepEqual(have.Chats, []string{lid}) {
			t.Errorf("%s: %+v, %v, %v, want %+v", what, got, warnings, err, c.want)
		}
	}
	for _, other := range []outbox.Filter{{}, {Chats: []string{lid}}, {NotChats: []string{lid}}, {Kinds: []string{"group"}}, {Events: all}} {
		if SameFilter(have, other) {
			t.Errorf("%+v counts as %+v", other, have)
		}
	}
}

// TestFiltersThatNeverMatch: also when one half was set before and the other is given now.
//
// Mutation of filter.go: a filter whose chats are wanted and left out at once is taken, and matches
// nothing.
func TestFiltersThatNeverMatch(t *testing.T) {
	for what, c := range map[string]struct {
		have outbox.Filter
		in   api.PutWebhook
		says string
	}{
		"wanted and left out":         {outbox.Filter{}, api.PutWebhook{Chats: &[]string{"+4915155501001", lid}, NotChats: &[]string{"4915155501001@c.us"}}, pn + " is wanted (chat) and left out (not-chat)"},
		"left out later":              {outbox.Filter{Chats: []string{pn}}, api.PutWebhook{NotChats: &[]string{pn}}, "take it out of one"},
		"kind without the chat":       {outbox.Filter{}, api.PutWebhook{Chats: &[]string{group}, Kinds: &[]string{"direct", "status"}}, "kind direct, status excludes every chat that is listed (" + group + ")"},
		"kind later":                  {outbox.Filter{Chats: []string{pn, lid}}, api.PutWebhook{Kinds: &[]string{"group"}}, "take one of the two out"},
		"the link has no kind":        {outbox.Filter{}, api.PutWebhook{Chats: &[]string{"connection"}, Kinds: &[]string{"direct"}}, "connection"},
		"unknown kind":                {outbox.Filter{}, api.PutWebhook{Kinds: &[]string{"groups"}}, `unknown kind of chat "groups". Did you mean group? Known: direct, group, status, newsletter`},
		"empty kind":                  {outbox.Filter{}, api.PutWebhook{Kinds: &[]string{""}}, "unknown kind"},
		"too many chats are left out": {outbox.Filter{}, api.PutWebhook{NotChats: new(make([]string, 101))}, "not-chat names 101 chats"},
	} {
		_, _, err := Filter(c.have, c.in, nil)
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", what, err, c.says)
		}
	}
	_, warnings, err := Filter(outbox.Filter{}, api.PutWebhook{Chats: &[]string{group, lid}, Kinds: &[]string{"group"}}, nil)
	if err != nil || fmt.Sprint(warnings) != "[kind group excludes "+lid+", which never match]" {
		t.Errorf("one of two chats is excluded: %v, %v", warnings, err)
	}
}

// TestAnOldFilterStaysInTheWayOfNothing: a filter that would be refused today does not keep a call
// about another setting from being done.
func TestAnOldFilterStaysInTheWayOfNothing(t *testing.T) {
	old := outbox.Filter{Events: []string{"link"}, Chats: []string{"4915155501001@c.us"}, NotChats: []string{"4915155501001@c.us"}, Kinds: []string{"group"}}
	f, warnings, err := Filter(old, api.PutWebhook{MaxRate: new(2.0)}, map[string][]string{"link": nil})
	if err != nil || len(warnings) > 0 || !SameFilter(f, old) {
		t.Errorf("%+v, %q, %v", f, warnings, err)
	}
}

// TestNumbersWithTwoForms: whoever names one form hears of the other, once.
func TestNumbersWithTwoForms(t *testing.T) {
	in := api.PutWebhook{Chats: &[]string{"+52 55 1234 5678"}, NotChats: &[]string{"+55 31 98765-4321", "+55 31 8765-4321"}}
	f, warnings, err := Filter(outbox.Filter{}, in, nil)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "chat 525512345678@s.whatsapp.net: WhatsApp may know this number as 5215512345678@s.whatsapp.net") {
		t.Errorf("warned %q, %v", warnings, err)
	}
	if _, warnings, err := Filter(f, api.PutWebhook{}, nil); err != nil || len(warnings) != 0 {
		t.Errorf("given before: warned %q, %v", warnings, err)
	}
}

// TestEventsThatNeverCome: an event is refused, or warned of beside others, when the chats it can
// be of are left out.
func TestEventsThatNeverCome(t *testing.T) {
	kinds := map[string][]string{"message": outbox.ChatKinds(), "group": {"group"}, "link": nil}
	one := func(name string) *[]string { return &[]string{name} }
	for what, c := range map[string]struct {
		in   api.PutWebhook
		says string // "" for nothing
		fail bool
	}{
		"the link alone":            {api.PutWebhook{Events: one("link")}, "", false},
		"the link by name":          {api.PutWebhook{Events: one("link"), Chats: one("connection")}, "", false},
		"the link of a kind":        {api.PutWebhook{Events: one("link"), Kinds: one("direct")}, "link never comes: it is of no chat", true},
		"the link of a chat":        {api.PutWebhook{Events: one("link"), Chats: one(pn)}, "link never comes: it is of no chat", true},
		"the link left out":         {api.PutWebhook{Events: one("link"), NotChats: one("connection")}, "nothing ever matches", true},
		"the link beside others":    {api.PutWebhook{Events: &[]string{"message", "link"}, Chats: one(pn)}, "link never comes", false},
		"a group by its kind":       {api.PutWebhook{Events: one("group"), Kinds: one("group")}, "", false},
		"a group by another kind":   {api.PutWebhook{Events: one("group"), Kinds: one("direct")}, "group never comes: it is of chats of the kind group", true},
		"a group by one of two":     {api.PutWebhook{Events: one("group"), Chats: &[]string{pn, group}}, "", false},
		"a group by a person":       {api.PutWebhook{Events: one("group"), Chats: one(pn)}, "group never comes", true},
		"everything of one kind":    {api.PutWebhook{Events: one(outbox.Any), Kinds: one("status")}, "", false},
		"everything but the link":   {api.PutWebhook{Events: one(outbox.Any), NotChats: one("connection")}, "", false},
		"a message but of one chat": {api.PutWebhook{Events: one("message"), NotChats: one(pn)}, "", false},
		"an event of later":         {api.PutWebhook{Events: one("later"), Kinds: one("group")}, "", false},
	} {
		_, warnings, err := Filter(outbox.Filter{}, c.in, kinds)
		got := strings.Join(warnings, " ")
		if c.fail {
			got = fmt.Sprint(err)
		}
		if (err != nil) != c.fail || (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: warnings %q, %v, want %q", what, warnings, err, c.says)
		}
	}
}

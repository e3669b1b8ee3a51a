package outbox

import "testing"

func TestChatKind(t *testing.T) {
	for chat, want := range map[string]string{
		"4915155501001@s.whatsapp.net": KindDirect, "204813927440123@lid": KindDirect, "1693000000@broadcast": KindDirect,
		"120363025846172094@g.us": KindGroup, "status@broadcast": KindStatus, "120363025846172094@newsletter": KindNewsletter,
		"connection": "", "": "",
	} {
		if got := ChatKind(chat); got != want {
			t.Errorf("%q is %q, want %q", chat, got, want)
		}
	}
}

// TestFilterMatch: a chat is named by either address; what is left out stays out however it is
// named; an event without a chat has no kind.
func TestFilterMatch(t *testing.T) {
	const lid, pn, group = "204813927440123@lid", "4915155501001@s.whatsapp.net", "120363025846172094@g.us"
	direct := EventHead{Name: "message.received", Chat: lid, ChatAlt: pn}
	before := EventHead{Name: "message.received", Chat: pn} // the LID is not known yet
	inGroup := EventHead{Name: "message.received", Chat: group}
	link := EventHead{Name: "connection.update", Chat: "connection"}
	all := []string{Any}
	for _, c := range []struct {
		what string
		f    Filter
		h    EventHead
		want bool
	}{
		{"by number", Filter{Events: all, Chats: []string{pn}}, direct, true},
		{"by number, before", Filter{Events: all, Chats: []string{pn}}, before, true},
		{"by LID", Filter{Events: all, Chats: []string{lid}}, direct, true},
		{"another chat", Filter{Events: all, Chats: []string{lid}}, inGroup, false},
		{"left out by number", Filter{Events: all, NotChats: []string{pn}}, direct, false},
		{"left out by LID", Filter{Events: all, NotChats: []string{lid}}, direct, false},
		{"another is left out", Filter{Events: all, NotChats: []string{lid}}, inGroup, true},
		{"wanted and left out", Filter{Events: all, Chats: []string{lid}, NotChats: []string{pn}}, direct, false},
		{"no address known", Filter{Events: all, Chats: []string{""}}, inGroup, false},
		{"kind", Filter{Events: all, Kinds: []string{KindGroup}}, inGroup, true},
		{"another kind", Filter{Events: all, Kinds: []string{KindGroup, KindStatus}}, direct, false},
		{"no chat", Filter{Events: all, Kinds: ChatKinds()}, link, false},
		{"no chat, none left out", Filter{Events: all, NotChats: []string{lid}}, link, true},
		{"another event", Filter{Events: []string{"group.update"}}, direct, false},
	} {
		if got := c.f.Match(c.h); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

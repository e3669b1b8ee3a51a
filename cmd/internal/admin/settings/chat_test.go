package settings

import (
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// TestChat: whatever a person types for a chat becomes what events carry. Before, a number was
// refused ("is no chat"), and 4915155501001@c.us, an address with a device and one in capitals were
// taken and never matched anything.
//
// Mutation of chat.go: a chat that was typed in another form than events carry never matches.
func TestChat(t *testing.T) {
	const pn, lid, group, old = "4915155501001@s.whatsapp.net", "204813927440123@lid", "120363025846172094@g.us", "4915155501001-1583423423@g.us"
	for typed, want := range map[string]string{
		"+49 151 55501001": pn, "+4915155501001": pn, "4915155501001": pn, "004915155501001": pn, "00 49 151-555 01001": pn,
		"+49 (151) 5550-1001": pn, "+49 (0) 151 5550 1001": pn, "+49(0)151/55501001": pn, "(+49) 151 55501001": pn, "(0049)151 55501001": pn,
		" +49.151.5550.1001 ": pn, "+49\u00a0151\u202f5550\u20111001": pn, "\u202a+49 151 55501001\u202c": pn, "+49 151 \u2013 55501001": pn,
		"https://wa.me/4915155501001": pn, "wa.me/+4915155501001": pn,
		"4915155501001@s.whatsapp.net": pn, "4915155501001@C.US": pn, "4915155501001:12@s.whatsapp.net": pn, "4915155501001.0:12@S.WhatsApp.net": pn,
		"4915155501001_1:3@s.whatsapp.net": pn, "+4915155501001@s.whatsapp.net": pn, "4915155501001@hosted": pn, "4915155501001:99@hosted": pn,
		"+1 555 010 0123": "15550100123@s.whatsapp.net", "1 (555) 010-0123": "15550100123@s.whatsapp.net", "0@s.whatsapp.net": "0@s.whatsapp.net",
		lid: lid, "204813927440123:7@lid": lid, "204813927440123.1:7@LID": lid, "204813927440123@hosted.lid": lid,
		group: group, "120363025846172094@G.US": group, " 120363025846172094@g.us\n": group,
		"4915155501001-1583423423": old, "4915155501001-1583423423@g.us": old,
		"status@broadcast": "status@broadcast", "STATUS@Broadcast": "status@broadcast", "1693000000@broadcast": "1693000000@broadcast",
		"120363144038483540@newsletter": "120363144038483540@newsletter", "867051314767696@bot": "867051314767696@bot",
		"connection": "connection", "Connection": "connection",
	} {
		if got, err := Chat("chat", typed); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", typed, got, err, want)
		}
	}
}

// TestChatsThatNeverMatch: each is refused with a sentence that names the setting, what was typed
// and what to type instead.
func TestChatsThatNeverMatch(t *testing.T) {
	for typed, says := range map[string]string{
		"": "is empty", "   ": "is empty", "\u200e": "is empty",
		"0151 55501001": "no country code", "(0151) 55501001": "no country code", "(555) 010-0123": "no country code", "555-010-0123": "no country code",
		"+0151 55501001": "no country code", "000151 55501001": "no country code", "0151@c.us": "no country code",
		"2145550123": "none begins with 214", "+832 555 0123": "none begins with 83", "00 289 555 0123": "none begins with 28",
		"12345": "too short", "+49": "too short", "+": "too short",
		"+49 151 5550 1001 2345": "at most 15 digits", "49151555010012345@s.whatsapp.net": "ends with @g.us",
		"120363025846172094": "120363025846172094@g.us for a group, 120363025846172094@newsletter", "204813927440123": "204813927440123@lid for the LID",
		"Alice": "neither", "+49 151 CALLME": "neither", "49151;55501001": "neither", "status": "neither",
		"4915155501001@whatsapp.net": "@whatsapp.net is not known. Did you mean s.whatsapp.net?", "alice@example.com": "is not known",
		"a@b@g.us": "one @", "@lid": "stands a number", "@g.us": "stands a number", "alice@lid": "stands a number", "x-y@g.us": "stands a number",
		"204813927440123:x@lid": "stands a number", "49 151@s.whatsapp.net": "digits only", "123-456@g.us": "digits only", "x@broadcast": "stands a number",
		"https://chat.whatsapp.com/AbCdEf": "invitation", "https://whatsapp.com/channel/0029Va": "invitation",
		strings.Repeat("1", 129): "too long", "4915155501001\x00": "neither",
	} {
		_, err := Chat("not-chat", typed)
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "not-chat ") {
			t.Errorf("%q: %v, want a sentence about not-chat with %q", typed, err, says)
		}
	}
}

// TestOtherForm: the two ways of writing a number lead to each other, and nobody else has two.
func TestOtherForm(t *testing.T) {
	for one, other := range map[string]string{
		"5215512345678": "525512345678", "5491112345678": "541112345678", "5531987654321": "553187654321",
	} {
		one, other = one+"@s.whatsapp.net", other+"@s.whatsapp.net"
		if otherForm(one) != other || otherForm(other) != one {
			t.Errorf("%s has %q, %s has %q", one, otherForm(one), other, otherForm(other))
		}
	}
	for _, none := range []string{"4915155501001@s.whatsapp.net", "553133334444@s.whatsapp.net", "5215512345678@lid", "52155@s.whatsapp.net", "connection", "521551234567890@g.us"} {
		if got := otherForm(none); got != "" {
			t.Errorf("%s has %s", none, got)
		}
	}
}

// FuzzChat: whatever is typed, what is taken is taken again as it is, and has one @ or none.
func FuzzChat(f *testing.F) {
	for _, s := range []string{"+49 (0) 151 5550-1001", "4915155501001.0:12@c.us", "204813927440123@hosted.lid", "4915155501001-1583423423", "connection", "a@interop"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		chat, err := Chat("chat", text)
		if err != nil {
			return
		}
		if again, err := Chat("chat", chat); err != nil || again != chat {
			t.Errorf("%q is %q, which is %q, %v", text, chat, again, err)
		}
	})
}

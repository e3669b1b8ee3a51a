package view

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// FuzzView: what strangers wrote in an event or a URL is shown harmless, and hidden none of it is.
func FuzzView(f *testing.F) {
	for _, seed := range []struct{ event, chat, body string }{
		{"message.received", "204813927440123@lid", `{"data":{"messages":[{"pushName":"Bob\u202e","message":{"conversation":"hi\u0007"}}]}}`},
		{"message.update", "1@s.whatsapp.net", `{"data":[{"update":{"status":1e300}},{"update":{"message":{"editedMessage":{"message":{"conversation":"x"}}}}}]}`},
		{"group.update", "120363025846172094@g.us", `{"data":{"subject":"\u001b[31m","action":"add"}}`}, {"presence.update", "", `{"data":{"presences":{"a":{"lastKnownPresence":"composing"}}}}`},
		{"connection.update", "connection", `{"data":null}`}, {"x", "a:b@c", `[[[[`}, {"message.sent", "+491515550100@x", strings.Repeat(`{"ephemeralMessage":{"message":`, 40)},
	} {
		f.Add(seed.event, seed.chat, seed.body, "https://a.example/x/y?token=t#z")
	}
	harmful := func(s string) bool {
		return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) })
	}
	f.Fuzz(func(t *testing.T, event, chat, body, url string) {
		ev := api.Event{Event: event, Chat: chat, ChatAlt: chat, Body: body}
		m := Describe(ev, false)
		for _, s := range []string{m.Name, m.Number, m.Kind, m.Content, Text(body), HostPath(url), Query(url), ShortName(url)} {
			if harmful(s) {
				t.Errorf("%q is shown of %q %q %q %q", s, event, chat, body, url)
			}
		}
		for _, token := range Pretty(body) {
			if harmful(token.Text) {
				t.Errorf("%q is shown of %q", token.Text, body)
			}
		}
		if h := Describe(ev, true); h.Name != "" || h.Content != "" || h.Number != "" && h.Number != Hidden && chat != "connection" {
			t.Errorf("%+v is left of %q %q %q", h, event, chat, body)
		}
		a := AddressOf(url)
		if _, query, some := strings.Cut(url, "?"); some && len(query) > 12 && (strings.Contains(a.Whole, query) || strings.Contains(a.Last, query)) && !strings.Contains(url[:len(url)-len(query)-1], query) {
			t.Errorf("%q is shown as %+v", url, a)
		}
		Mask(body)
	})
}

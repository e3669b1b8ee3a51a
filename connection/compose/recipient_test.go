package compose

import (
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

func TestParseRecipient(t *testing.T) {
	for in, want := range map[string]string{
		"15550100123":                       "15550100123@s.whatsapp.net",
		" +49 (151) 555-0100 ":              "491515550100@s.whatsapp.net",
		"+49 (0) 151 5550100":               "491515550100@s.whatsapp.net",
		"+49(0)151/5550100":                 "491515550100@s.whatsapp.net",
		"0049 151 5550100":                  "491515550100@s.whatsapp.net",
		"0049 (0) 151 5550100":              "491515550100@s.whatsapp.net",
		"tel:+49-151-5550100":               "491515550100@s.whatsapp.net",
		"\u202a+49 151\u20115550100\u202c":  "491515550100@s.whatsapp.net", // copied
		"+39 06 5550100":                    "39065550100@s.whatsapp.net",  // Italy's 0
		"15550100123@c.us":                  "15550100123@s.whatsapp.net",
		"15550100123:7@s.whatsapp.net":      "15550100123@s.whatsapp.net",
		"15550100123@S.WhatsApp.net":        "15550100123@s.whatsapp.net",
		"204813927440123@lid":               "204813927440123@lid",
		"204813927440123:12@lid":            "204813927440123@lid",
		"204813927440123:99@hosted.lid":     "204813927440123@lid",
		"120363025846172094@g.us":           "120363025846172094@g.us",
		"15550100123-1500000000@g.us":       "15550100123-1500000000@g.us",
		"120363144038483540@newsletter":     "120363144038483540@newsletter",
		"":                                  "",
		"0151 5550100":                      "",
		"(0) 151 5550100":                   "",
		"000 151 5550100":                   "",
		"12345":                             "",
		"1234567890123456":                  "",
		"Bob":                               "",
		"49151+5550100":                     "",
		"bob@s.whatsapp.net":                "",
		"+15550100123@s.whatsapp.net":       "",
		"@s.whatsapp.net":                   "",
		"1@2@s.whatsapp.net":                "",
		"15550100123@s.whatsapp.net@x":      "",
		"15550100123@example.com":           "",
		"status@broadcast":                  "",
		"<script>@g.us":                     "",
		"0151555010012@s.whatsapp.net":      "",
		"1.2.3@s.whatsapp.net":              "",
		"12036302584617209\u0661@g.us":      "",
		"\u0661\u0662\u0663\u0664\u0665123": "",
	} {
		jid, err := ParseRecipient(in)
		if want == "" {
			if api.CodeOf(err) != api.CodeInvalidRecipient {
				t.Errorf("%q: got %s, %v; want a refusal", in, jid, err)
			}
			continue
		}
		if err != nil || jid.String() != want {
			t.Errorf("%q: got %s, %v; want %s", in, jid, err, want)
		}
	}
}

// A refusal says what is wrong and how to write it.
func TestRecipientRefusals(t *testing.T) {
	for in, want := range map[string]string{
		"0151 5550100":     "country code",
		"12345":            "too short",
		"1234567890123456": "too long",
		"Bob":              "waoutbox contact find",
		"status@broadcast": "groups (@g.us)",
		"1@example.com":    "messages cannot be sent to",
		"":                 "is empty",
	} {
		if _, err := ParseRecipient(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", in, err, want)
		}
	}
}

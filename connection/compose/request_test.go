package compose

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

const bob = "204813927440123@lid"

func TestParseRefuses(t *testing.T) {
	card := "BEGIN:VCARD\nFN:Carol\nEND:VCARD"
	for name, in := range map[string]api.Send{
		"two kinds":           {Text: "x", Location: &api.Location{}},
		"nothing":             {},
		"a long key":          {Text: "x", IdempotencyKey: strings.Repeat("k", maxKey+1)},
		"a quoting reaction":  {Reaction: &api.Reaction{MessageID: "3A", Emoji: "👍"}, QuotedMessageID: "3B"},
		"a quoting edit":      {Edit: &api.Edit{MessageID: "3A", Text: "x"}, QuotedMessageID: "3B"},
		"off the map":         {Location: &api.Location{Latitude: 90.1}},
		"around the world":    {Location: &api.Location{Longitude: -181}},
		"nowhere":             {Location: &api.Location{Latitude: math.NaN()}},
		"a long place":        {Location: &api.Location{Name: strings.Repeat("x", maxPlace+1)}},
		"broken text":         {Location: &api.Location{Address: "\xff"}},
		"nobody's card":       {Contact: &api.Contact{Phones: []string{"+15550100124"}}},
		"no number":           {Contact: &api.Contact{Name: "Carol"}},
		"many numbers":        {Contact: &api.Contact{Name: "Carol", Phones: make([]string, maxPhone+1)}},
		"no vcard":            {Contact: &api.Contact{VCard: "Carol"}},
		"a large vcard":       {Contact: &api.Contact{VCard: "BEGIN:VCARD\nFN:" + strings.Repeat("x", maxCard) + "\nEND:VCARD"}},
		"a nameless vcard":    {Contact: &api.Contact{VCard: "BEGIN:VCARD\nEND:VCARD"}},
		"vcard and numbers":   {Contact: &api.Contact{VCard: card, Phones: []string{"+15550100124"}}},
		"a word as emoji":     {Reaction: &api.Reaction{MessageID: "3A", Emoji: "ok"}},
		"two lines as emoji":  {Reaction: &api.Reaction{MessageID: "3A", Emoji: "👍\n"}},
		"an id with blanks":   {Delete: &api.Delete{MessageID: "3A 3B"}},
		"an edit to nothing":  {Edit: &api.Edit{MessageID: "3A", Text: " "}},
		"an invented author":  {Reaction: &api.Reaction{MessageID: "3A", Emoji: "👍", Author: "Bob"}},
		"a long caption":      {File: &api.File{Caption: strings.Repeat("x", maxCaption+1)}},
		"a broken file name":  {File: &api.File{Name: "\xff"}},
		"an endless reaction": {Reaction: &api.Reaction{MessageID: "3A", Emoji: strings.Repeat("👍", maxEmoji+1)}},
	} {
		in.To = bob
		_, err := Parse(in)
		if refused, ok := errors.AsType[*api.Error](err); !ok || refused.Code != api.CodeInvalidArguments || refused.Field == "" {
			t.Errorf("%s: got %v, which must name its field", name, err)
		}
	}
	if _, err := Parse(api.Send{To: bob, Contact: &api.Contact{Name: "Carol", Phones: []string{"0151"}}}); api.CodeOf(err) != api.CodeInvalidRecipient {
		t.Errorf("a number without country code: %v", err)
	}
}

func TestEmoji(t *testing.T) {
	for _, emoji := range []string{"👍", "❤️", "👨‍👩‍👧‍👦", "🇩🇪", "1️⃣", "#️⃣", "✊🏿", "☺"} {
		if _, err := Parse(api.Send{To: bob, Reaction: &api.Reaction{MessageID: "3A", Emoji: emoji}}); err != nil {
			t.Errorf("%s: %v", emoji, err)
		}
	}
}

// A fingerprint tells contents apart and does not depend on the recipient.
func TestFingerprint(t *testing.T) {
	seen := map[string]string{}
	for name, in := range map[string]api.Send{
		"text":     {Text: "x"},
		"another":  {Text: "y"},
		"reply":    {Text: "x", QuotedMessageID: "3A"},
		"location": {Location: &api.Location{Latitude: 1}},
		"place":    {Location: &api.Location{Latitude: 1, Name: "x"}},
		"delete":   {Delete: &api.Delete{MessageID: "3A"}},
		"reaction": {Reaction: &api.Reaction{MessageID: "3A"}},
	} {
		in.To, in.IdempotencyKey = bob, "k"
		req, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[req.Fingerprint]; other != "" {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[req.Fingerprint] = name
		in.To, in.IdempotencyKey = "+1 555 010 0123", ""
		again, err := Parse(in)
		if err != nil || again.Fingerprint != req.Fingerprint {
			t.Errorf("%s to somebody else: %v, %s and %s", name, err, req.Fingerprint, again.Fingerprint)
		}
	}
}

// What a message refers to is read from its event, whatever stands around it.
func TestStoredMessages(t *testing.T) {
	tr := translate.New(func() translate.Self { return translate.Self{} }, nil, time.Now)
	env := Env{
		Parse: tr.ParseMessage,
		Chat:  types.NewJID("120363025846172094", types.GroupServer), Now: time.Unix(0, 0),
		Self: translate.Self{PN: types.NewJID("15550100999", types.DefaultUserServer), LID: types.NewJID("9", types.HiddenUserServer)},
	}
	event := func(key, message string) string {
		return `{"event":"message.received","timestamp":1,"data":{"messages":[{"key":{"remoteJid":"120363025846172094@g.us",` + key + `},"message":` + message + `}],"type":"notify"}}`
	}
	theirs := `"fromMe":false,"participant":"204813927440123:3@lid"`
	for name, c := range map[string]struct {
		body, kind, author, quoted string
	}{
		"text":    {event(theirs, `{"conversation":"hi"}`), "conversation", bob, `conversation:"hi"`},
		"reply":   {event(theirs, `{"extendedTextMessage":{"text":"hi","contextInfo":{"stanzaId":"3A"}},"messageContextInfo":{}}`), "extendedTextMessage", bob, `conversation:"hi"`},
		"caption": {event(theirs, `{"imageMessage":{"caption":"look","jpegThumbnail":"AAE=","contextInfo":{"stanzaId":"3A"}}}`), "imageMessage", bob, `imageMessage:{caption:"look" JPEGThumbnail:"\x00\x01"}`},
		"wrapped": {event(theirs, `{"ephemeralMessage":{"message":{"extendedTextMessage":{"text":"gone soon"}}}}`), "extendedTextMessage", bob, `conversation:"gone soon"`},
		"once":    {event(theirs, `{"viewOnceMessageV2":{"message":{"imageMessage":{"mediaKey":"AAE="}}}}`), "imageMessage", bob, `conversation:""`},
		"place":   {event(theirs, `{"locationMessage":{"degreesLatitude":1}}`), "locationMessage", bob, `locationMessage:{degreesLatitude:1}`},
		"lost":    {strings.Replace(event(theirs, `{}`), `,"message":{}`, "", 1), "", bob, `conversation:""`},
		"own":     {event(`"fromMe":true,"participant":"9@lid"`, `{"conversation":"mine"}`), "conversation", "9@lid", `conversation:"mine"`},
		"own too": {event(`"fromMe":true`, `{"conversation":"mine"}`), "conversation", "9@lid", `conversation:"mine"`},
	} {
		m, err := env.read([]byte(c.body))
		if err != nil || m.kind() != c.kind || m.author.String() != c.author {
			t.Errorf("%s: %+v, %v", name, m, err)
			continue
		}
		// two blanks now and then, so that nobody takes the text for a format
		if got := strings.ReplaceAll(m.quoted().String(), "  ", " "); got != c.quoted {
			t.Errorf("%s is quoted as %s, want %s", name, got, c.quoted)
		}
	}
	for _, body := range []string{`{`, `{"data":{"messages":[]}}`, `{"data":[]}`, event(`"fromMe":false,"participant":"1.x@lid"`, `{}`), event(theirs, `[]`)} {
		if m, err := env.read([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, m)
		}
	}
	env.Find = func(context.Context, string) ([]byte, bool) {
		return []byte(event(theirs, `{"imageMessage":{}}`)), true
	}
	for _, in := range []api.Send{{Edit: &api.Edit{MessageID: "3A", Text: "x"}}, {Delete: &api.Delete{MessageID: "3A"}}} {
		in.To = env.Chat.String()
		req, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := req.Build(t.Context(), env); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), bob) {
			t.Errorf("a change of another's message: %v", err)
		}
	}
	env.Find = func(context.Context, string) ([]byte, bool) {
		return []byte(event(`"fromMe":true`, `{"stickerMessage":{"mimetype":"image/webp"}}`)), true
	}
	req, err := Parse(api.Send{To: env.Chat.String(), Edit: &api.Edit{MessageID: "3A", Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := req.Build(t.Context(), env); err == nil || !strings.Contains(err.Error(), "stickerMessage") {
		t.Errorf("an edit of a sticker: %v", err)
	}
	env.Now = env.Now.Add(21 * time.Minute)
	if _, err := req.Build(t.Context(), env); err == nil || !strings.Contains(err.Error(), "21m") {
		t.Errorf("a late edit: %v", err)
	}
}

func TestCardNames(t *testing.T) {
	for card, want := range map[string]string{
		"BEGIN:VCARD\r\nFN;CHARSET=UTF-8:Carol\\, Dr.\r\nEND:VCARD": "Carol, Dr.",
		"BEGIN:VCARD\nfn: Carol \nEND:VCARD":                        "Carol",
		"BEGIN:VCARD\nN:Carol;;;;\nEND:VCARD":                       "",
	} {
		if got := cardName(card); got != want {
			t.Errorf("%q: got %q, want %q", card, got, want)
		}
	}
}

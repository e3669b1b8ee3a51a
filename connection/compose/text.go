package compose

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox/api"
)

// maxText is the longest text in characters, WhatsApp's own limit.
const maxText = 65_536

// text is a plain text, as a reply to the quoted message if there is one.
type text struct{ text, quoted string }

func (t text) check() error { return checkText(t.text) }

func checkText(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return api.Errorf(api.CodeInvalidArguments, "the text is empty: give text with at least one visible character").In("text")
	case !utf8.ValidString(s):
		return api.Errorf(api.CodeInvalidArguments, "the text is not valid UTF-8").In("text")
	case utf8.RuneCountInString(s) > maxText:
		return api.Errorf(api.CodeInvalidArguments, "the text has %d characters, WhatsApp takes at most %d: split it", utf8.RuneCountInString(s), maxText).In("text")
	}
	return nil
}

func (t text) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	if t.quoted == "" {
		return &waE2E.Message{Conversation: proto.String(t.text)}, nil
	}
	info, err := env.quote(ctx, t.quoted)
	if err != nil {
		return nil, err
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(t.text), ContextInfo: info}}, nil
}

// checkShort checks a name or another short text that may be absent. Its errors are in field.
func checkShort(what, field, s string, most int) error {
	switch {
	case !utf8.ValidString(s):
		return api.Errorf(api.CodeInvalidArguments, "the %s is not valid UTF-8", what).In(field)
	case utf8.RuneCountInString(s) > most:
		return api.Errorf(api.CodeInvalidArguments, "the %s has %d characters, at most %d are sent: shorten it", what, utf8.RuneCountInString(s), most).In(field)
	}
	return nil
}

// optional is a string for a field that is absent when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

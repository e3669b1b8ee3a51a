package compose

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox/api"
)

// maxEmoji is more than the longest emoji has, in characters: those of people are joined of many.
const maxEmoji = 32

// authorMe names the account as the author of a message.
const authorMe = "me"

// reaction is an emoji on a message, or with an empty one its removal.
type reaction struct{ api.Reaction }

func (r reaction) check() error {
	if err := CheckMessageID(r.MessageID); err != nil {
		return err
	}
	if r.Author != "" && r.Author != authorMe {
		if _, err := parseAuthor(r.Author); err != nil {
			return err
		}
	}
	switch {
	case r.Emoji == "":
		return nil
	case !utf8.ValidString(r.Emoji), utf8.RuneCountInString(r.Emoji) > maxEmoji, strings.ContainsFunc(r.Emoji, noEmoji):
		return api.Errorf(api.CodeInvalidArguments, "%q is not one emoji: a reaction is one, such as 👍, and \"\" takes it away", shorten(r.Emoji)).In("reaction.emoji")
	}
	return nil
}

// noEmoji reports a character that is in no emoji, so that words are not sent as a reaction.
// Keycaps are made of digits, # and *.
func noEmoji(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
}

func (r reaction) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	author, err := env.Author(ctx, r.MessageID, r.Reaction.Author)
	if err != nil {
		return nil, err
	}
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Key:               env.keyOf(r.MessageID, author),
		Text:              proto.String(r.Emoji),
		SenderTimestampMS: proto.Int64(env.Now.UnixMilli()),
	}}, nil
}

// Author is who wrote a message of the chat: as named (a JID, a number or "me"), or looked up in
// the log when nobody is. Errors are *api.Error.
func (e Env) Author(ctx context.Context, messageID, named string) (types.JID, error) {
	switch named {
	case "":
		m, err := e.find(ctx, messageID)
		if err != nil {
			return types.JID{}, err
		}
		if m.fromMe {
			return e.own(), nil
		}
		return m.author, nil
	case authorMe:
		return e.own(), nil
	}
	return parseAuthor(named)
}

// parseAuthor reads who wrote a message.
func parseAuthor(author string) (types.JID, error) {
	jid, err := ParseRecipient(author)
	if err != nil || jid.Server == types.GroupServer {
		return types.JID{}, api.Errorf(api.CodeInvalidArguments, "the author %q is no person: give the JID of who wrote the message, or me", shorten(author)).In("reaction.author")
	}
	return jid, nil
}

// keyOf is the key of a message of the chat.
func (e Env) keyOf(id string, author types.JID) *waCommon.MessageKey {
	k := &waCommon.MessageKey{RemoteJID: proto.String(e.Chat.String()), FromMe: proto.Bool(e.isMe(author)), ID: proto.String(id)}
	if e.Chat.Server == types.GroupServer && !k.GetFromMe() {
		k.Participant = proto.String(author.String())
	}
	return k
}

// CheckMessageID checks the id of a message that is referred to. Errors are *api.Error.
func CheckMessageID(id string) error {
	const most = 128 // real ones have at most 32
	if id == "" || len(id) > most || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return api.Errorf(api.CodeInvalidArguments, "%q is no id of a message: it is the id in the message's key, such as 3EB0C431C26A1916E07A5D", shorten(id)).In("message_id")
	}
	return nil
}

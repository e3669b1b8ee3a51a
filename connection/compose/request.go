package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// maxKey is the longest idempotency key, in characters.
const maxKey = 256

// Env is what building a message needs to know of the account and the chat.
type Env struct {
	Chat types.JID      // where it goes: a group, or the LID of a person where one is known
	Self translate.Self // the account
	Now  time.Time
	// Expires is for how long messages of the chat stay.
	Expires Expiry
	// Find returns the newest stored event of a message of the chat, and false when there is none.
	Find func(ctx context.Context, messageID string) (body []byte, ok bool)
	// Parse reads a message as bodies show it.
	Parse func(raw []byte) (*waE2E.Message, error)
}

// kind is one kind of message.
type kind interface {
	// check returns what is wrong with the request as far as that is known without the link.
	check() error
	// build makes the message. What it did is done once: a message that is sent again after a crash
	// comes from the ledger. It may take long, and ends with ctx.
	build(ctx context.Context, env Env) (*waE2E.Message, error)
}

// Request is a send that passed its checks.
type Request struct {
	To             types.JID // as asked for: a phone number, a LID or a group
	IdempotencyKey string
	// Fingerprint tells contents apart: two requests with one fingerprint ask for the same message,
	// whoever gets it.
	Fingerprint string
	kind        kind
}

// Parse checks a send. Errors are *api.Error.
func Parse(in api.Send) (Request, error) {
	c, err := kindOf(in)
	if err != nil {
		return Request{}, err
	}
	if utf8.RuneCountInString(in.IdempotencyKey) > maxKey {
		return Request{}, api.Errorf(api.CodeInvalidArguments, "the idempotency key is longer than %d characters", maxKey).In("idempotency_key")
	}
	if err := c.check(); err != nil {
		return Request{}, err
	}
	to, err := ParseRecipient(in.To)
	if err != nil {
		return Request{}, err
	}
	if to.Server == types.NewsletterServer {
		if _, plain := c.(text); !plain || in.QuotedMessageID != "" {
			return Request{}, api.Errorf(api.CodeInvalidArguments, "in a channel texts are published and nothing else: %s is one", to).In("to")
		}
	}
	return Request{To: to, IdempotencyKey: in.IdempotencyKey, Fingerprint: fingerprint(in), kind: c}, nil
}

// WithFile gives a request for a file its content, which the request closes.
func (r Request) WithFile(content Attachment) Request {
	f, ok := r.kind.(file)
	if !ok {
		return r
	}
	f.content = content
	// where it came from is no part of it
	f.Path, f.URL, f.Kind = "", "", string(content.Sealed.Kind)
	r.kind = f
	r.Fingerprint = fingerprint(api.Send{File: &f.File, QuotedMessageID: f.quotedID}, content.Sealed.Hash...)
	return r
}

// Close gives back what the request holds. Call it once, when the send has ended.
func (r Request) Close() error {
	if f, ok := r.kind.(file); ok && f.content.Sealed != nil {
		return f.content.Sealed.Close()
	}
	return nil
}

// Build makes the message. Errors are *api.Error, or those of ctx.
func (r Request) Build(ctx context.Context, env Env) (*waE2E.Message, error) {
	m, err := r.kind.build(ctx, env)
	if err == nil {
		expire(m, env.Expires)
	}
	return m, err
}

// kindOf returns the one kind that a send asks for.
func kindOf(in api.Send) (kind, error) {
	var found []kind
	if in.Reaction != nil {
		found = append(found, reaction{*in.Reaction})
	}
	if in.Location != nil {
		found = append(found, location{*in.Location, in.QuotedMessageID})
	}
	if in.Contact != nil {
		found = append(found, contact{*in.Contact, in.QuotedMessageID})
	}
	if in.Edit != nil {
		found = append(found, edit{*in.Edit})
	}
	if in.Delete != nil {
		found = append(found, revoke{*in.Delete})
	}
	if in.File != nil {
		found = append(found, file{File: *in.File, quotedID: in.QuotedMessageID})
	}
	if in.Text != "" || len(found) == 0 {
		found = append(found, text{in.Text, in.QuotedMessageID})
	}
	if len(found) > 1 {
		return nil, api.Errorf(api.CodeInvalidArguments, "the request asks for several messages at once: give one of text, reaction, location, contact, edit, delete and file").In("text")
	}
	if in.QuotedMessageID != "" && (in.Reaction != nil || in.Edit != nil || in.Delete != nil) {
		return nil, api.Errorf(api.CodeInvalidArguments, "a reaction, an edit or a deletion is no reply: leave quoted_message_id out").In("quoted_message_id")
	}
	return found[0], nil
}

// fingerprintBytes of the hash are kept.
const fingerprintBytes = 16

func fingerprint(in api.Send, more ...byte) string {
	in.To, in.IdempotencyKey = "", ""
	// nothing in it can fail to encode: Parse refuses numbers that JSON has no form for
	raw, _ := json.Marshal(in)
	sum := sha256.Sum256(append(raw, more...))
	return hex.EncodeToString(sum[:fingerprintBytes])
}

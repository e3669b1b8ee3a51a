package translate

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"waoutbox/outbox"
)

// open puts what is encrypted a second time in its plain form; what cannot be
// opened stays as it came.
func (c *content) open(ctx context.Context, s Secrets, evt *events.Message) {
	in := c.inner
	sealed := *evt
	sealed.Message = in // the library looks into fewer wrappers
	switch {
	case in.EncReactionMessage != nil:
		if r, err := opened(ctx, &sealed, s.DecryptReaction); err == nil {
			plain := shallowOf(r)
			if plain.Key == nil {
				plain.Key = in.EncReactionMessage.GetTargetMessageKey()
			}
			in.EncReactionMessage, in.ReactionMessage = nil, plain
		}
	case in.EncCommentMessage != nil:
		if m, err := opened(ctx, &sealed, s.DecryptComment); err == nil {
			in.CommentMessage = &waE2E.CommentMessage{Message: m, TargetMessageKey: in.EncCommentMessage.GetTargetMessageKey()}
			in.EncCommentMessage = nil
		}
	case in.SecretEncryptedMessage != nil:
		if m, err := opened(ctx, &sealed, s.DecryptSecretEncryptedMessage); err == nil {
			c.unseal(m, in.SecretEncryptedMessage.GetTargetMessageKey())
		}
	}
}

// unseal puts the plaintext of a sealed edit in the place of the seal. The plaintext is the edit as
// a protocol message, in wrappers or not, or the new content alone; what it does not say of its
// target is the seal's word.
func (c *content) unseal(plain *waE2E.Message, target *waCommon.MessageKey) {
	in := c.inner
	in.SecretEncryptedMessage = nil
	if copyPath(plain, nil).inner.GetProtocolMessage() == nil {
		plain = shallowOf(plain)
		plain.MessageContextInfo = nil // the library lends the outer one
		plain = &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{EditedMessage: plain}}
	}
	plain.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() != "messageContextInfo" { // the library lends the outer one here too
			in.ProtoReflect().Set(fd, v)
		}
		return true
	})
	c.inner = descend(in, in.MessageContextInfo)
	p := shallowOf(c.inner.ProtocolMessage)
	if p.Type == nil {
		p.Type = waE2E.ProtocolMessage_MESSAGE_EDIT.Enum()
	}
	if p.GetKey().GetID() == "" {
		p.Key = target
	}
	c.inner.ProtocolMessage = p
}

// opened decrypts; a panic counts as failing, for the library has one on a
// message that names no type of secret.
func opened[T any](ctx context.Context, evt *events.Message, decrypt func(context.Context, *events.Message) (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decrypt: panic: %s", outbox.PanicText(p))
		}
	}()
	return decrypt(ctx, evt)
}

// turnKeys turns the keys in a reaction and a poll vote of someone else from
// their perspective to the account's.
func (t *Translator) turnKeys(in *waE2E.Message, outer key) {
	if outer.fromMe {
		return
	}
	if r := in.ReactionMessage; r.GetKey() != nil {
		turned := shallowOf(r)
		turned.Key = t.turned(r.Key, outer)
		in.ReactionMessage = turned
	}
	if p := in.PollUpdateMessage; p.GetPollCreationMessageKey() != nil {
		turned := shallowOf(p)
		turned.PollCreationMessageKey = t.turned(p.PollCreationMessageKey, outer)
		in.PollUpdateMessage = turned
	}
}

// shallowOf copies one message of any type; what its fields point to stays shared.
func shallowOf[M proto.Message](m M) M {
	out := m.ProtoReflect().New()
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		out.Set(fd, v)
		return true
	})
	out.SetUnknown(m.ProtoReflect().GetUnknown())
	return out.Interface().(M)
}

func (t *Translator) turned(k *waCommon.MessageKey, outer key) *waCommon.MessageKey {
	author := k.GetParticipant()
	if author == "" {
		author = k.GetRemoteJID()
	}
	jid, err := types.ParseJID(author)
	turned := &waCommon.MessageKey{
		RemoteJID: proto.String(outer.chat.jid.String()),
		FromMe:    proto.Bool(!k.GetFromMe() && err == nil && t.isMe(jid)),
		ID:        k.ID,
	}
	switch {
	case k.GetParticipant() != "":
		turned.Participant = k.Participant
	case hasMembers(outer.chat.jid):
		turned.Participant = proto.String(outer.sender.jid.String())
	}
	return turned
}

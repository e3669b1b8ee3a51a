package compose

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox/api"
)

// editWindow is how long a message can be edited: 15 minutes, and the difference of two clocks.
const editWindow = whatsmeow.EditWindow

// edit puts another text in the place of an own one, or of the caption of an own medium.
type edit struct{ api.Edit }

func (e edit) check() error {
	if err := CheckMessageID(e.MessageID); err != nil {
		return err
	}
	return checkText(e.Text)
}

func (e edit) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	m, err := env.findOwn(ctx, e.MessageID, "edited", "edit.message_id")
	if err != nil {
		return nil, err
	}
	if age := env.Now.Sub(m.at); age > editWindow {
		return nil, api.Errorf(api.CodeInvalidArguments, "the message %s is %s old, and phones take edits for 15 minutes: delete it and send another one", e.MessageID, age.Round(time.Minute)).In("edit.message_id")
	}
	edited := &waE2E.Message{Conversation: proto.String(e.Text)}
	switch {
	case m.message == nil || m.message.Conversation != nil:
	case m.message.ExtendedTextMessage != nil:
		edited = &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(e.Text)}}
	default:
		if edited, err = m.captioned(e.Text); err != nil {
			return nil, err
		}
		if edited == nil {
			return nil, api.Errorf(api.CodeInvalidArguments, "the message %s has neither text nor caption (%s), so it cannot be edited: delete it and send another one", e.MessageID, m.kind()).In("edit.message_id")
		}
	}
	return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Key:           env.keyOf(e.MessageID, env.own()),
			Type:          waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
			EditedMessage: edited,
			TimestampMS:   proto.Int64(env.Now.UnixMilli()),
		},
	}}}, nil
}

// captioned is the medium with another caption, as phones edit it: whole, with its own file. nil:
// the message can have none.
func (m stored) captioned(text string) (*waE2E.Message, error) {
	if m.secret {
		return nil, nil
	}
	out := &waE2E.Message{}
	switch {
	case m.message.ImageMessage != nil:
		out.ImageMessage = proto.CloneOf(m.message.ImageMessage)
		out.ImageMessage.Caption, out.ImageMessage.ContextInfo = &text, nil
	case m.message.VideoMessage != nil:
		out.VideoMessage = proto.CloneOf(m.message.VideoMessage)
		out.VideoMessage.Caption, out.VideoMessage.ContextInfo = &text, nil
	case m.message.DocumentMessage != nil:
		doc := proto.CloneOf(m.message.DocumentMessage)
		doc.Caption, doc.ContextInfo = &text, nil
		out.DocumentWithCaptionMessage = &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: doc}}
	default:
		return nil, nil
	}
	return out, checkShort("caption", "edit.text", text, maxCaption)
}

// findOwn is find for a message of the account, that field names.
func (e Env) findOwn(ctx context.Context, id, what, field string) (stored, error) {
	m, err := e.find(ctx, id)
	if err != nil {
		return stored{}, err
	}
	if !m.fromMe {
		return stored{}, api.Errorf(api.CodeInvalidArguments, "the message %s was written by %s: only own messages can be %s", id, m.author, what).In(field)
	}
	return m, nil
}

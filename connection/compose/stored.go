package compose

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// stored is a message as its event tells of it.
type stored struct {
	fromMe  bool
	author  types.JID // who wrote it
	at      time.Time
	message *waE2E.Message // without its wrappers; nil when the event has none
	secret  bool           // to be seen once
	deleted bool           // for everybody; of own messages only
}

var errNoMessage = errors.New("the body has no message")

// find looks a message of the chat up in the log.
func (e Env) find(ctx context.Context, id string) (stored, error) {
	body, ok := e.Find(ctx, id)
	if hash, isEvent := strings.CutPrefix(id, "evt_"); !ok && isEvent && strings.Trim(hash, "0123456789abcdef") == "" {
		return stored{}, api.Errorf(api.CodeMessageNotFound, "%s is the id of an event: give WhatsApp's id of its message, which is shown by waoutbox event show %s", id, id)
	}
	if !ok {
		return stored{}, api.Errorf(api.CodeMessageNotFound, "there is no message %q of this chat in the log, which keeps those of the last days: look for it with waoutbox event list --chat %s", shorten(id), e.Chat)
	}
	m, err := e.read(body)
	if err != nil {
		return stored{}, api.Errorf(api.CodeMessageNotFound, "the event of the message %q cannot be read, so it cannot be referred to", shorten(id))
	}
	if m.deleted {
		return stored{}, api.Errorf(api.CodeMessageNotFound, "the message %s was deleted, so it cannot be edited, deleted once more, quoted or reacted to: send a new one", id)
	}
	return m, nil
}

// read takes what sends need from a body of message.received or message.sent, or from the
// message.update that says that an own message was deleted.
func (e Env) read(body []byte) (stored, error) {
	var ev struct {
		Data struct {
			Messages []struct {
				Key struct {
					RemoteJID   string `json:"remoteJid"`
					FromMe      bool   `json:"fromMe"`
					Participant string `json:"participant"`
				} `json:"key"`
				Message   json.RawMessage `json:"message"`
				Timestamp int64           `json:"messageTimestamp"`
			} `json:"messages"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &ev); err != nil {
		// the data of an update is a list
		var update struct{ Event string }
		if json.Unmarshal(body, &update) == nil && update.Event == translate.MessageUpdate {
			return stored{fromMe: true, author: e.own(), deleted: true}, nil
		}
		return stored{}, err
	}
	if len(ev.Data.Messages) == 0 {
		return stored{}, errNoMessage
	}
	m := ev.Data.Messages[0]
	out := stored{fromMe: m.Key.FromMe, at: time.Unix(m.Timestamp, 0), author: e.own()}
	if m.Message != nil {
		whole, err := e.Parse(m.Message)
		if err != nil {
			return stored{}, err
		}
		out.message, out.secret = unwrap(whole)
	}
	author := m.Key.Participant
	if author == "" && !out.fromMe {
		author = m.Key.RemoteJID
	}
	if author != "" {
		jid, err := types.ParseJID(author)
		if err != nil {
			return stored{}, err
		}
		out.author = translate.BareJID(jid)
	}
	return out, nil
}

// maxWraps bounds the search inside wrappers; real messages have at most three.
const maxWraps = 8

// unwrap returns the innermost message, and whether it is to be seen once.
func unwrap(m *waE2E.Message) (inner *waE2E.Message, secret bool) {
	for range maxWraps {
		secret = secret || m.ViewOnceMessage != nil || m.ViewOnceMessageV2 != nil || m.ViewOnceMessageV2Extension != nil
		var next *waE2E.Message
		m.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if w, ok := v.Interface().(protoreflect.Message); ok {
				if wrapper, ok := w.Interface().(*waE2E.FutureProofMessage); ok && wrapper.GetMessage() != nil {
					next = wrapper.GetMessage()
				}
			}
			return next == nil
		})
		if next == nil {
			break
		}
		m = next
	}
	return m, secret
}

// kind names the content of the message, "" when the event has none.
func (m stored) kind() string {
	name := ""
	if m.message == nil {
		return name
	}
	m.message.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if fd.Name() != "messageContextInfo" {
			name = fd.JSONName()
		}
		return name == ""
	})
	return name
}

// quoted is the message as a reply shows it: texts as plain ones, others whole but for what they in
// their turn refer to. Of what was to be seen once, or cannot be read, nothing is shown.
func (m stored) quoted() *waE2E.Message {
	if m.message == nil || m.secret {
		return &waE2E.Message{Conversation: proto.String("")}
	}
	if text := m.message.GetExtendedTextMessage(); text != nil {
		return &waE2E.Message{Conversation: proto.String(text.GetText())}
	}
	out := proto.Clone(m.message).(*waE2E.Message)
	out.MessageContextInfo = nil
	out.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() {
			return true
		}
		if info := fd.Message().Fields().ByName("contextInfo"); info != nil {
			v.Message().Clear(info)
		}
		return true
	})
	return out
}

// own is the account under the address that it has in the chat.
func (e Env) own() types.JID {
	if e.Chat.Server == types.DefaultUserServer || e.Self.LID.IsEmpty() {
		return translate.BareJID(e.Self.PN)
	}
	return translate.BareJID(e.Self.LID)
}

// isMe reports whether a JID is the account's.
func (e Env) isMe(j types.JID) bool {
	j = translate.BareJID(j)
	return j.User != "" && (j == translate.BareJID(e.Self.PN) || j == translate.BareJID(e.Self.LID))
}

// quote refers to a message of the chat.
func (e Env) quote(ctx context.Context, id string) (*waE2E.ContextInfo, error) {
	m, err := e.find(ctx, id)
	if err != nil {
		if refused, ok := errors.AsType[*api.Error](err); ok {
			err = refused.In("quoted_message_id")
		}
		return nil, err
	}
	return &waE2E.ContextInfo{
		StanzaID:      proto.String(id),
		Participant:   proto.String(m.author.String()),
		QuotedMessage: m.quoted(),
	}, nil
}

// replyTo is quote for a message that need not be a reply.
func (e Env) replyTo(ctx context.Context, id string) (*waE2E.ContextInfo, error) {
	if id == "" {
		return nil, nil
	}
	return e.quote(ctx, id)
}

// shorten keeps what somebody typed from filling a sentence.
func shorten(id string) string {
	const most = 64
	if r := []rune(id); len(r) > most {
		return string(r[:most]) + "…"
	}
	return id
}

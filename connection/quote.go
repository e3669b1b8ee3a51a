package connection

import (
	"context"
	"encoding/json"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Messages finds a stored event by the message it is about.
type Messages interface {
	// FindMessage answers the body of the message.received or message.sent event of a message in a chat (order key).
	FindMessage(ctx context.Context, chat, id string) (body []byte, ok bool)
}

// textMessage builds a text, as an answer to the quoted message if there is one.
func (c *Client) textMessage(ctx context.Context, to types.JID, text, quoted string) *waE2E.Message {
	if quoted == "" {
		return &waE2E.Message{Conversation: proto.String(text)}
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(text), ContextInfo: c.quote(ctx, to, quoted)}}
}

// quote refers to a message by id. Its sender and text come from the stored event where there is one; else the chat stands for
// the sender, which is right in a direct chat for messages of the other side.
func (c *Client) quote(ctx context.Context, chat types.JID, id string) *waE2E.ContextInfo {
	info := &waE2E.ContextInfo{StanzaID: proto.String(id), Participant: proto.String(chat.String()), QuotedMessage: &waE2E.Message{Conversation: proto.String("")}}
	if c.o.Messages == nil {
		return info
	}
	body, ok := c.o.Messages.FindMessage(ctx, chat.String(), id)
	if !ok {
		return info
	}
	var ev struct {
		Data struct {
			Messages []struct {
				Key struct {
					RemoteJID   string `json:"remoteJid"`
					FromMe      bool   `json:"fromMe"`
					Participant string `json:"participant"`
				} `json:"key"`
				Message struct {
					Conversation string `json:"conversation"`
					Extended     struct {
						Text string `json:"text"`
					} `json:"extendedTextMessage"`
				} `json:"message"`
			} `json:"messages"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &ev); err != nil || len(ev.Data.Messages) == 0 {
		c.log.Warn("quoted message could not be read: quoting it by id", "message_id", id, "error", err)
		return info
	}
	m := ev.Data.Messages[0]
	self := c.status.who()
	switch {
	case m.Key.Participant != "":
		info.Participant = proto.String(m.Key.Participant)
	case m.Key.FromMe && chat.Server == types.HiddenUserServer && !self.LID.IsEmpty():
		info.Participant = proto.String(plain(self.LID).String())
	case m.Key.FromMe:
		info.Participant = proto.String(plain(self.PN).String())
	case m.Key.RemoteJID != "":
		info.Participant = proto.String(m.Key.RemoteJID)
	}
	text := m.Message.Conversation
	if text == "" {
		text = m.Message.Extended.Text
	}
	info.QuotedMessage = &waE2E.Message{Conversation: proto.String(text)}
	return info
}

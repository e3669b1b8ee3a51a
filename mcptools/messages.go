package mcptools

import (
	"context"

	"waoutbox/outbox/api"
)

func (s *Server) sendText() tool {
	return define(s, declaration[sendTextInput, sendOutput]{
		name:        "whatsapp_send_text",
		title:       "Send text",
		description: "Send a text message from the linked account (twice when called twice, unless idempotencyKey is the same).",
		hints:       hints{destructive: true, openWorld: true},
		limit:       longCall,
		run: func(ctx context.Context, c *call, in sendTextInput) (sendOutput, error) {
			return c.send(ctx, api.Send{To: in.JID, Text: in.Text, QuotedMessageID: in.QuotedMessageID, IdempotencyKey: in.IdempotencyKey})
		},
		unsure: func(in sendTextInput, e api.Error) api.Error { return unsureSent(in.IdempotencyKey, e) },
	})
}

type sendTextInput struct {
	JID  string `json:"jid" doc:"JID of a person or group, or phone number with country code"`
	Text string `json:"text" max:"65536" doc:"plain text"`
	sendOptions
}

// sendOptions are what every new message may have.
type sendOptions struct {
	QuotedMessageID string `json:"quotedMessageId,omitempty" doc:"message of that chat to reply to"`
	IdempotencyKey  string `json:"idempotencyKey,omitempty" doc:"any text; the same one again within 24 h sends nothing and returns the first result"`
}

// sendOutput is the result of every tool that sends.
type sendOutput struct {
	Success   bool   `json:"success"`
	MessageID string `json:"messageId"`
	Timestamp string `json:"timestamp"`
	// an earlier call with the same idempotencyKey sent it
	Repeated bool `json:"repeated,omitempty"`
}

// send sends one message.
func (c *call) send(ctx context.Context, in api.Send) (out sendOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	sent, err := b.Send(ctx, in)
	if err != nil {
		return out, err
	}
	return sendOutput{Success: true, MessageID: sent.MessageID, Timestamp: stamp(sent.Timestamp), Repeated: sent.Repeated}, nil
}

// unsureSent keeps an agent from sending twice after a failure that does not say whether the
// message left.
func unsureSent(idempotencyKey string, e api.Error) api.Error {
	if idempotencyKey != "" {
		e.Retryable = true
		e.Message = sentence(e.Message) + " The message may have been sent: call again with the same idempotencyKey, which sends it at most once."
		return e
	}
	e.Retryable = false
	e.Message = sentence(e.Message) + " The message may have been sent all the same: ask the user before sending it again."
	return e
}

func (s *Server) sendLocation() tool {
	return define(s, declaration[sendLocationInput, sendOutput]{
		name:        "whatsapp_send_location",
		title:       "Send location",
		description: "Send a point on the map (twice when called twice, unless idempotencyKey is the same).",
		hints:       hints{destructive: true, openWorld: true},
		limit:       longCall,
		run: func(ctx context.Context, c *call, in sendLocationInput) (sendOutput, error) {
			place := api.Location{Latitude: in.Latitude, Longitude: in.Longitude, Name: in.Name, Address: in.Address}
			return c.send(ctx, api.Send{To: in.JID, Location: &place, QuotedMessageID: in.QuotedMessageID, IdempotencyKey: in.IdempotencyKey})
		},
		unsure: func(in sendLocationInput, e api.Error) api.Error { return unsureSent(in.IdempotencyKey, e) },
	})
}

type sendLocationInput struct {
	JID       string  `json:"jid" doc:"JID of a person or group, or phone number"`
	Latitude  float64 `json:"latitude" range:"-90,90" doc:"degrees, north is positive"`
	Longitude float64 `json:"longitude" range:"-180,180" doc:"degrees, east is positive"`
	Name      string  `json:"name,omitempty" max:"200" doc:"of the place"`
	Address   string  `json:"address,omitempty" max:"500" doc:"of the place"`
	sendOptions
}

func (s *Server) sendContact() tool {
	return define(s, declaration[sendContactInput, sendOutput]{
		name:        "whatsapp_send_contact",
		title:       "Send contact",
		description: "Send a person's card, made of a name and numbers (twice when called twice, unless idempotencyKey is the same).",
		hints:       hints{destructive: true, openWorld: true},
		limit:       longCall,
		run: func(ctx context.Context, c *call, in sendContactInput) (sendOutput, error) {
			card := api.Contact{Name: in.Name, Phones: in.Phones, Organization: in.Organization}
			return c.send(ctx, api.Send{To: in.JID, Contact: &card, QuotedMessageID: in.QuotedMessageID, IdempotencyKey: in.IdempotencyKey})
		},
		unsure: func(in sendContactInput, e api.Error) api.Error { return unsureSent(in.IdempotencyKey, e) },
	})
}

type sendContactInput struct {
	JID          string   `json:"jid" doc:"whom to send it to: JID of a person or group, or phone number"`
	Name         string   `json:"name" max:"200" doc:"of the person on the card"`
	Phones       []string `json:"phones" doc:"numbers on the card, with country code"`
	Organization string   `json:"organization,omitempty" max:"200" doc:"of the person on the card"`
	sendOptions
}

func (s *Server) editMessage() tool {
	return define(s, declaration[editInput, sendOutput]{
		name:        "whatsapp_edit_message",
		title:       "Edit own message",
		description: "Put another text in the place of a text, or of the caption of a medium, that this account sent within the last 15 minutes.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
		limit:       longCall,
		run: func(ctx context.Context, c *call, in editInput) (sendOutput, error) {
			return c.send(ctx, api.Send{To: in.JID, Edit: &api.Edit{MessageID: in.MessageID, Text: in.Text}})
		},
		unsure: mayBeDone[editInput]("It may be edited all the same: the same call again does no harm."),
	})
}

type editInput struct {
	JID       string `json:"jid" doc:"chat of the message"`
	MessageID string `json:"messageId" max:"128" doc:"as sending it returned"`
	Text      string `json:"text" max:"65536" doc:"the new text"`
}

func (s *Server) deleteMessage() tool {
	return define(s, declaration[deleteInput, sendOutput]{
		name:        "whatsapp_delete_message",
		title:       "Delete own message",
		description: "Take a message that this account sent within about two days away for everybody, for good.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
		limit:       longCall,
		run: func(ctx context.Context, c *call, in deleteInput) (sendOutput, error) {
			return c.send(ctx, api.Send{To: in.JID, Delete: &api.Delete{MessageID: in.MessageID}})
		},
		unsure: mayBeDone[deleteInput]("It may be deleted all the same: the same call again does no harm."),
	})
}

type deleteInput struct {
	JID       string `json:"jid" doc:"chat of the message"`
	MessageID string `json:"messageId" max:"128" doc:"as sending it returned"`
}

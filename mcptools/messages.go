package mcptools

import (
	"context"

	"waoutbox/outbox/api"
)

func (s *Server) sendText() tool {
	return define(s, declaration[sendTextInput, sendOutput]{
		name:        "whatsapp_send_text",
		title:       "Send text",
		description: "Send a text message from the linked account. Calling twice sends twice, unless idempotencyKey is the same.",
		hints:       hints{destructive: true, openWorld: true},
		limit:       longCall,
		run:         s.runSendText,
		unsure: func(in sendTextInput, e api.Error) api.Error {
			return unsureSent(in.IdempotencyKey, e)
		},
	})
}

type sendTextInput struct {
	JID             string `json:"jid" doc:"JID of a person or group, or phone number with country code"`
	Text            string `json:"text" max:"65536" doc:"plain text"`
	QuotedMessageID string `json:"quotedMessageId,omitempty" doc:"message of that chat to reply to"`
	IdempotencyKey  string `json:"idempotencyKey,omitempty" doc:"any text; the same one within 24 h sends nothing and returns the first result, or is refused for another message"`
}

// sendOutput is the result of every tool that sends.
type sendOutput struct {
	Success   bool   `json:"success"`
	MessageID string `json:"messageId"`
	Timestamp string `json:"timestamp"`
	// an earlier call with the same idempotencyKey sent it
	Repeated bool `json:"repeated,omitempty"`
}

func sentOutput(sent api.SendResult) sendOutput {
	return sendOutput{Success: true, MessageID: sent.MessageID, Timestamp: stamp(sent.Timestamp), Repeated: sent.Repeated}
}

func (s *Server) runSendText(ctx context.Context, c *call, in sendTextInput) (out sendOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	sent, err := b.Send(ctx, api.Send{
		To: in.JID, Text: in.Text, QuotedMessageID: in.QuotedMessageID, IdempotencyKey: in.IdempotencyKey,
	})
	if err != nil {
		return out, err
	}
	return sentOutput(sent), nil
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

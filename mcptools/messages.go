package mcptools

import (
	"context"

	"waoutbox/outbox/api"
)

func (s *Server) sendText() tool {
	return tool{
		name:        "whatsapp_send_text",
		title:       "Send text",
		description: "Send a text message from the linked account. Calling twice sends twice, unless idempotencyKey is the same.",
		hints:       hints{destructive: true, openWorld: true},
		input: `{"type":"object","additionalProperties":false,"required":["jid","text"],"properties":{` +
			`"jid":{"type":"string","description":"JID of a person or group, or phone number with country code"},` +
			`"text":{"type":"string","maxLength":65536,"description":"plain text"},` +
			`"quotedMessageId":{"type":"string","description":"message of that chat to reply to"},` +
			`"idempotencyKey":{"type":"string","description":"any text; the same one within 24 h sends nothing and answers the first result"}}}`,
		output: `{"type":"object","additionalProperties":false,"required":["success","messageId","timestamp"],"properties":{` +
			`"success":{"type":"boolean"},"messageId":{"type":"string"},"timestamp":{"type":"string"}}}`,
		limit:  longCall,
		run:    s.runSendText,
		unsure: unsureSent,
	}
}

type sendResult struct {
	Success   bool   `json:"success"`
	MessageID string `json:"messageId"`
	Timestamp string `json:"timestamp"`
}

func (s *Server) runSendText(ctx context.Context, c *call) (reply, error) {
	in := api.SendText{
		To:              c.args.str("jid"),
		Text:            c.args.str("text"),
		QuotedMessageID: c.args.str("quotedMessageId"),
		IdempotencyKey:  c.args.str("idempotencyKey"),
	}
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	r, err := b.SendText(ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{structured: sendResult{Success: true, MessageID: r.MessageID, Timestamp: stamp(r.Timestamp)}}, nil
}

// unsureSent keeps an agent from sending twice after a failure that does not say whether the message left.
func unsureSent(c *call, e api.Error) api.Error {
	if c.args.str("idempotencyKey") != "" {
		e.Retryable = true
		e.Message = sentence(e.Message) + " The message may have been sent: call again with the same idempotencyKey, which sends it at most once."
		return e
	}
	e.Retryable = false
	e.Message = sentence(e.Message) + " The message may have been sent all the same: ask the user before sending it again."
	return e
}

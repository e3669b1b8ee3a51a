package compose

import (
	"context"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"waoutbox/outbox/api"
)

// revoke takes an own message away for everybody.
type revoke struct{ api.Delete }

func (r revoke) check() error { return CheckMessageID(r.MessageID) }

func (r revoke) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	if _, err := env.findOwn(ctx, r.MessageID, "deleted", "delete.message_id"); err != nil {
		return nil, err
	}
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key:  env.keyOf(r.MessageID, env.own()),
		Type: waE2E.ProtocolMessage_REVOKE.Enum(),
	}}, nil
}

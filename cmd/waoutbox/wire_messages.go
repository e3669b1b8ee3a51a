package main

import (
	"context"
	"encoding/json"

	"waoutbox/connection"
	"waoutbox/outbox/boltbox"
)

// quotable finds the stored event of a message somebody quotes.
type quotable struct{ box *boltbox.Box }

// FindMessage satisfies connection.Messages.
func (q quotable) FindMessage(ctx context.Context, chat, id string) ([]byte, bool) {
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, false
	}
	ev, err := q.box.FindLast(ctx, chat, append([]byte(`"id":`), quoted...), connection.MessageReceived, connection.MessageSent)
	return ev.Body, err == nil // without it the message is quoted by its id alone
}

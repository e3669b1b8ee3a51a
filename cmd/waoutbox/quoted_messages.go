package main

import (
	"context"

	"waoutbox/outbox/boltbox"
)

// quotedMessages finds the stored event of a message somebody quotes.
type quotedMessages struct{ box *boltbox.Box }

// FindMessage satisfies connection.Messages.
func (q quotedMessages) FindMessage(ctx context.Context, chat, id string) ([]byte, bool) {
	ev, err := q.box.FindMessage(ctx, chat, id)
	return ev.Body, err == nil // without it the message is quoted by its id alone
}

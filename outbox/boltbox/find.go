package boltbox

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// findSteps bounds how far back FindMessage looks, in events.
const findSteps = 20_000

// FindMessage returns the newest event of a chat (order key) that is the message with this id
// (Event.Message). It looks through the newest findSteps events only: it is for what a person
// refers to now, not a search. Errors: outbox.ErrNotFound, ErrClosed, ctx's.
func (b *Box) FindMessage(ctx context.Context, chat, message string) (outbox.Event, error) {
	found, err := b.findBackwards(ctx, findSteps, func(e outbox.Event) bool {
		return message != "" && e.Message == message && e.Chat == chat
	})
	if err != nil {
		return outbox.Event{}, fmt.Errorf("find message: %w", err)
	}
	return found, nil
}

// Newest returns the newest event kept: its time tells when the service was last seen at work.
// Errors: outbox.ErrNotFound when there is none, ErrClosed, ctx's.
func (b *Box) Newest(ctx context.Context) (outbox.Event, error) {
	newest, err := b.findBackwards(ctx, findSteps, func(outbox.Event) bool { return true })
	if err != nil {
		return outbox.Event{}, fmt.Errorf("newest event: %w", err)
	}
	return newest, nil
}

// findBackwards returns the newest event that match accepts, among the newest steps ones. Damaged
// events are passed over. match is given them without their bodies.
func (b *Box) findBackwards(ctx context.Context, steps int, match func(e outbox.Event) bool) (found outbox.Event, err error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Event{}, err
	}
	err = b.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		for k, v := c.Last(); k != nil && steps > 0; k, v = c.Prev() {
			steps--
			seq, ok := parseSeq(k)
			if !ok {
				continue
			}
			e := storedEvent{seq: seq, value: v}
			if fields := b.eventFields(e); fields.Corrupt || !match(fields) {
				continue
			}
			if found = b.event(e); !found.Corrupt {
				return nil
			}
		}
		return outbox.ErrNotFound
	})
	return found, err
}

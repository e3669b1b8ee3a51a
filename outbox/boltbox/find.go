package boltbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// findSteps bounds how far back FindLast looks, in events.
const findSteps = 20_000

// FindLast answers the newest event of a chat (order key) that has one of the names and whose body contains text. It looks through
// the newest findSteps events only: it is for what a person refers to now, not a search. Errors: outbox.ErrNotFound, ErrClosed, ctx's.
func (b *Box) FindLast(ctx context.Context, chat string, text []byte, names ...string) (outbox.Event, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Event{}, err
	}
	found := outbox.Event{}
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		steps := 0
		for k, v := c.Last(); k != nil && steps < findSteps; k, v = c.Prev() {
			steps++
			seq, ok := parseSeq(k)
			if !ok || !bytes.Contains(v, text) {
				continue
			}
			e, err := outbox.DecodeEvent(seq, v)
			if err == nil && e.Chat == chat && slices.Contains(names, e.Name) && bytes.Contains(e.Body, text) {
				e.Body = bytes.Clone(e.Body)
				found = e
				return nil
			}
		}
		return outbox.ErrNotFound
	})
	if err != nil {
		return outbox.Event{}, fmt.Errorf("find in chat: %w", err)
	}
	return found, nil
}

// Newest answers the newest event kept; outbox.ErrNotFound when there is none. Other errors: ErrClosed, ctx's.
func (b *Box) Newest(ctx context.Context) (outbox.Event, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Event{}, err
	}
	newest := outbox.Event{}
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			seq, ok := parseSeq(k)
			if !ok {
				continue
			}
			if e, err := outbox.DecodeEvent(seq, v); err == nil {
				e.Body = bytes.Clone(e.Body)
				newest = e
				return nil
			}
		}
		return outbox.ErrNotFound
	})
	if err != nil {
		return outbox.Event{}, fmt.Errorf("newest event: %w", err)
	}
	return newest, nil
}

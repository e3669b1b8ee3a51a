package boltbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// The ledger of own sends lives in one bucket under three kinds of keys.
const (
	sendByID   = 'm' // m ‖ message id → record
	sendByKey  = 'k' // k ‖ 16 hash bytes of the idempotency key → message id
	sendByTime = 't' // t ‖ settled at, unix milliseconds ‖ message id → nothing: the order of forgetting
)

// sendStep is how many settled sends one write forgets at most.
const sendStep = 32

func sendIDKey(id string) []byte { return append([]byte{sendByID}, id...) }

func sendKeyKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append([]byte{sendByKey}, sum[:16]...)
}

func sendTimeKey(at time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{sendByTime}, uint64(max(at.UnixMilli(), 0))), id...)
}

// PutSend stores a send, prepared or settled, and answers when it is on disk. outbox.ErrDuplicate when another send that did not
// fail holds its idempotency key. A settled one is forgotten outbox.SendKept later.
func (b *Box) PutSend(ctx context.Context, s outbox.Send) error {
	if err := outbox.CheckSend(s); err != nil {
		return err
	}
	s.Content, s.Result = bytes.Clone(s.Content), bytes.Clone(s.Result)
	op := store.Op{Urgent: true, Bytes: len(s.Content) + len(s.Result) + 256, Apply: func(tx *bbolt.Tx) error { return b.putSend(tx, s) }}
	// A new send takes space like an append; settling one must go on while the disk is short.
	op.Grows = s.State == outbox.SendPrepared
	if err := b.db.Do(ctx, op); err != nil {
		return fmt.Errorf("put send %s: %w", s.MessageID, err)
	}
	return nil
}

// AppendSent appends the event of a send and stores the send, in one transaction. Errors as of Append and PutSend.
func (b *Box) AppendSent(ctx context.Context, ev outbox.Event, s outbox.Send) (outbox.Seq, error) {
	if err := outbox.CheckEvents([]outbox.Event{ev}); err != nil {
		return 0, err
	}
	if err := outbox.CheckSend(s); err != nil {
		return 0, err
	}
	s.Content, s.Result = bytes.Clone(s.Content), bytes.Clone(s.Result)
	a := b.prepare([]outbox.Event{ev})
	op := a.op(func(tx *bbolt.Tx) error { return b.putSend(tx, s) })
	op.Bytes += len(s.Content) + len(s.Result) + 256
	if err := b.db.Do(ctx, op); err != nil {
		return 0, fmt.Errorf("append send %s: %w", s.MessageID, err)
	}
	return a.seqs[0], nil
}

func (b *Box) putSend(tx *bbolt.Tx, s outbox.Send) error {
	bucket := tx.Bucket([]byte(bucketSends))
	if err := forgetSends(bucket, time.Now()); err != nil {
		return err
	}
	if err := b.claimKey(bucket, s); err != nil {
		return err
	}
	if v := bucket.Get(sendIDKey(s.MessageID)); v != nil {
		if old, err := outbox.DecodeSend(s.MessageID, v); err == nil {
			if err := unindexSend(bucket, old, s.IdempotencyKey); err != nil {
				return err
			}
		}
	}
	if s.State != outbox.SendPrepared {
		if err := bucket.Put(sendTimeKey(s.SettledAt, s.MessageID), nil); err != nil {
			return fmt.Errorf("index send: %w", err)
		}
	}
	if err := bucket.Put(sendIDKey(s.MessageID), outbox.EncodeSend(s)); err != nil {
		return fmt.Errorf("store send: %w", err)
	}
	return nil
}

// claimKey makes the idempotency key of s lead to s, unless another send that may have left holds it.
func (b *Box) claimKey(bucket *bbolt.Bucket, s outbox.Send) error {
	if s.IdempotencyKey == "" {
		return nil
	}
	key := sendKeyKey(s.IdempotencyKey)
	if holder := string(bucket.Get(key)); holder != "" && holder != s.MessageID {
		other, err := outbox.DecodeSend(holder, bucket.Get(sendIDKey(holder)))
		if err != nil {
			b.unreadable(bucketSends, sendIDKey(holder), err)
		}
		if err == nil && other.State != outbox.SendFailed {
			return fmt.Errorf("key of %s: %w", holder, outbox.ErrDuplicate)
		}
	}
	if err := bucket.Put(key, []byte(s.MessageID)); err != nil {
		return fmt.Errorf("index send: %w", err)
	}
	return nil
}

// unindexSend takes the index entries of a send; the one of key keep stays.
func unindexSend(bucket *bbolt.Bucket, s outbox.Send, keep string) error {
	if !s.SettledAt.IsZero() {
		if err := bucket.Delete(sendTimeKey(s.SettledAt, s.MessageID)); err != nil {
			return fmt.Errorf("index send: %w", err)
		}
	}
	if s.IdempotencyKey == "" || s.IdempotencyKey == keep {
		return nil
	}
	key := sendKeyKey(s.IdempotencyKey)
	if string(bucket.Get(key)) != s.MessageID { // given away to a later send
		return nil
	}
	if err := bucket.Delete(key); err != nil {
		return fmt.Errorf("index send: %w", err)
	}
	return nil
}

// forgetSends removes a few sends that were settled longer than outbox.SendKept ago.
func forgetSends(bucket *bbolt.Bucket, now time.Time) error {
	limit := sendTimeKey(now.Add(-outbox.SendKept), "")
	var gone [][]byte
	c := bucket.Cursor()
	for k, _ := c.Seek([]byte{sendByTime}); k != nil && bytes.Compare(k, limit) < 0 && len(gone) < sendStep; k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		id := string(k[9:])
		if s, err := outbox.DecodeSend(id, bucket.Get(sendIDKey(id))); err == nil {
			if err := unindexSend(bucket, s, ""); err != nil {
				return err
			}
		}
		for _, k := range [][]byte{k, sendIDKey(id)} {
			if err := bucket.Delete(k); err != nil {
				return fmt.Errorf("forget send: %w", err)
			}
		}
	}
	return nil
}

// Send finds a send by message id; outbox.ErrNotFound.
func (b *Box) Send(ctx context.Context, messageID string) (outbox.Send, error) {
	return b.findSend(ctx, func(*bbolt.Bucket) string { return messageID })
}

// SendByKey finds the send that holds an idempotency key; outbox.ErrNotFound.
func (b *Box) SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error) {
	return b.findSend(ctx, func(bucket *bbolt.Bucket) string {
		if idempotencyKey == "" {
			return ""
		}
		return string(bucket.Get(sendKeyKey(idempotencyKey)))
	})
}

func (b *Box) findSend(ctx context.Context, id func(*bbolt.Bucket) string) (s outbox.Send, err error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Send{}, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(bucketSends))
		id := id(bucket)
		v := bucket.Get(sendIDKey(id))
		if id == "" || v == nil {
			return fmt.Errorf("send %s: %w", id, outbox.ErrNotFound)
		}
		var err error
		s, err = outbox.DecodeSend(id, v)
		return err
	})
	return s, err
}

// Unsettled lists the sends that are prepared and not settled, by message id: after a crash their outcome is not known. One
// that cannot be decoded is reported and left out.
func (b *Box) Unsettled(ctx context.Context) ([]outbox.Send, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	var out []outbox.Send
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketSends)).Cursor()
		for k, v := c.Seek([]byte{sendByID}); k != nil && k[0] == sendByID; k, v = c.Next() {
			s, err := outbox.DecodeSend(string(k[1:]), v)
			if err != nil {
				b.unreadable(bucketSends, k, err)
				continue
			}
			if s.State == outbox.SendPrepared {
				out = append(out, s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list unsettled sends: %w", err)
	}
	return out, nil
}

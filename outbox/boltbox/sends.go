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
	sendByID  = 'm' // m ‖ message id → record
	sendByKey = 'k' // k ‖ 16 hash bytes of the idempotency key → message id
	// t ‖ settled at, unix milliseconds ‖ message id → nothing: the order of forgetting
	sendByTime = 't'
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

// PutSend stores a send, prepared or settled, with its audit records, and returns when it is on
// disk. outbox.ErrDuplicate
// when another send that did not fail holds its idempotency key. A settled one stays until
// ForgetSends.
func (b *Box) PutSend(ctx context.Context, s outbox.Send) error {
	if err := outbox.CheckSend(s); err != nil {
		return err
	}
	s.Content, s.Result, s.Audit = bytes.Clone(s.Content), bytes.Clone(s.Result), cloneAudit(s.Audit)
	op := store.Op{Urgent: true, Bytes: len(s.Content) + len(s.Result) + 256 + auditBytes(s.Audit), Apply: func(tx *bbolt.Tx) error { return b.putSend(tx, s) }}
	// A new send takes space like an append; settling one must go on while the disk is short.
	op.IsAppend = s.State == outbox.SendPrepared
	if err := b.do(ctx, op); err != nil {
		return fmt.Errorf("put send %s: %w", s.MessageID, err)
	}
	return nil
}

// AppendSent appends the events of a send and stores the send, in one transaction. An event that is
// there already changes nothing, and the send is stored all the same. Errors as of Append and
// PutSend.
func (b *Box) AppendSent(ctx context.Context, s outbox.Send, evs ...outbox.Event) ([]outbox.Seq, error) {
	if err := outbox.CheckEvents(evs); err != nil {
		return nil, err
	}
	if err := outbox.CheckSend(s); err != nil {
		return nil, err
	}
	s.Content, s.Result, s.Audit = bytes.Clone(s.Content), bytes.Clone(s.Result), cloneAudit(s.Audit)
	a := b.prepare(evs)
	op := a.op(func(tx *bbolt.Tx) error { return b.putSend(tx, s) })
	op.Bytes += len(s.Content) + len(s.Result) + 256 + auditBytes(s.Audit)
	if err := a.do(ctx, op); err != nil {
		return nil, fmt.Errorf("append send %s: %w", s.MessageID, err)
	}
	return a.seqs, nil
}

// ForgetSends removes a few sends that were settled before before, and reports whether there may be
// more. Errors: outbox.ErrClosed, ErrUnknown, ctx's.
func (b *Box) ForgetSends(ctx context.Context, before time.Time) (more bool, err error) {
	if err := b.ready(ctx); err != nil {
		return false, err
	}
	due, limit := false, sendTimeKey(before, "")
	err = b.view(func(tx *bbolt.Tx) error {
		k, _ := tx.Bucket([]byte(bucketSends)).Cursor().Seek([]byte{sendByTime})
		due = k != nil && bytes.Compare(k, limit) < 0
		return nil
	})
	if err != nil || !due {
		return false, err
	}
	return true, b.do(ctx, store.Op{Bytes: 4096, Frees: true, Apply: func(tx *bbolt.Tx) error {
		return b.forgetSends(tx.Bucket([]byte(bucketSends)), limit)
	}})
}

func (b *Box) putSend(tx *bbolt.Tx, s outbox.Send) error {
	bucket := tx.Bucket([]byte(bucketSends))
	if err := b.claimKey(bucket, s); err != nil {
		return err
	}
	if v := bucket.Get(sendIDKey(s.MessageID)); v != nil {
		if old, err := outbox.DecodeSend(s.MessageID, v); err == nil {
			if err := b.unindexSend(bucket, old, s.IdempotencyKey); err != nil {
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
	return b.putAudit(tx, s.Audit)
}

// claimKey makes the idempotency key of s lead to s, unless another send that may have left holds
// it.
func (b *Box) claimKey(bucket *bbolt.Bucket, s outbox.Send) error {
	if s.IdempotencyKey == "" {
		return nil
	}
	key := sendKeyKey(s.IdempotencyKey)
	holder, err := b.keyHolder(bucket, key)
	if err != nil {
		return err
	}
	if holder != s.MessageID {
		other, found, err := b.send(bucket, holder)
		if err != nil {
			return err
		}
		if found && other.State != outbox.SendFailed {
			return fmt.Errorf("key of %s: %w", holder, outbox.ErrDuplicate)
		}
	}
	if err := bucket.Put(key, holderValue(key, s.MessageID)); err != nil {
		return fmt.Errorf("index send: %w", err)
	}
	return nil
}

// holderVersion and holderMark begin the value of an idempotency key, which has a checksum. In
// older files it is a message id alone, which has neither of the two bytes: damage to one of them
// leaves the other.
const (
	holderVersion = 2
	holderMark    = 0x80
)

// holderValue is the value of an idempotency key: who holds it.
func holderValue(key []byte, id string) []byte {
	return appendSum(append([]byte{holderVersion, holderMark}, id...), key)
}

// keyHolder returns the message id of the send that holds an idempotency key, "" when none does.
// outbox.ErrCorrupt when nobody can tell: the message may have been sent.
func (b *Box) keyHolder(bucket *bbolt.Bucket, key []byte) (string, error) {
	v := bucket.Get(key)
	if len(v) < 2 || v[0] != holderVersion && v[1] != holderMark {
		return string(v), nil
	}
	id, err := checkSum(v, key)
	if err != nil {
		b.unreadable(bucketSends, key, err)
		return "", fmt.Errorf("which send holds the idempotency key: %w", outbox.ErrCorrupt)
	}
	return string(id[2:]), nil
}

// send reads a send; false when there is none, and outbox.ErrCorrupt when it is damaged.
func (b *Box) send(bucket *bbolt.Bucket, id string) (s outbox.Send, found bool, err error) {
	v := bucket.Get(sendIDKey(id))
	if id == "" || v == nil {
		return outbox.Send{}, false, nil
	}
	if s, err = outbox.DecodeSend(id, v); err != nil {
		b.unreadable(bucketSends, sendIDKey(id), err)
		return outbox.Send{}, false, fmt.Errorf("send %s: %w", id, outbox.ErrCorrupt)
	}
	return s, true, nil
}

// unindexSend takes the index entries of a send; the one of key keep stays.
func (b *Box) unindexSend(bucket *bbolt.Bucket, s outbox.Send, keep string) error {
	if !s.SettledAt.IsZero() {
		if err := bucket.Delete(sendTimeKey(s.SettledAt, s.MessageID)); err != nil {
			return fmt.Errorf("index send: %w", err)
		}
	}
	if s.IdempotencyKey == "" || s.IdempotencyKey == keep {
		return nil
	}
	key := sendKeyKey(s.IdempotencyKey)
	// given away to a later send
	if holder, err := b.keyHolder(bucket, key); err == nil && holder != s.MessageID {
		return nil
	}
	if err := bucket.Delete(key); err != nil {
		return fmt.Errorf("index send: %w", err)
	}
	return nil
}

// forgetSends removes a few sends whose sendTimeKey is below limit.
func (b *Box) forgetSends(bucket *bbolt.Bucket, limit []byte) error {
	var gone [][]byte
	c := bucket.Cursor()
	for k, _ := c.Seek([]byte{sendByTime}); k != nil && bytes.Compare(k, limit) < 0 && len(gone) < sendStep; k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		id := string(k[9:])
		s, err := outbox.DecodeSend(id, bucket.Get(sendIDKey(id)))
		if err == nil && !bytes.Equal(sendTimeKey(s.SettledAt, id), k) { // it is another one's time
			if err := bucket.Delete(k); err != nil {
				return fmt.Errorf("forget send: %w", err)
			}
			continue
		}
		if err == nil {
			if err := b.unindexSend(bucket, s, ""); err != nil {
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

// Send finds a send by message id; outbox.ErrNotFound, or ErrCorrupt when it is damaged.
func (b *Box) Send(ctx context.Context, messageID string) (outbox.Send, error) {
	return b.findSend(ctx, func(*bbolt.Bucket) (string, error) { return messageID, nil })
}

// SendByKey finds the send that holds an idempotency key; outbox.ErrNotFound, or ErrCorrupt when
// damage keeps anybody from telling: the message may have been sent.
func (b *Box) SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error) {
	return b.findSend(ctx, func(bucket *bbolt.Bucket) (string, error) {
		if idempotencyKey == "" {
			return "", nil
		}
		return b.keyHolder(bucket, sendKeyKey(idempotencyKey))
	})
}

func (b *Box) findSend(ctx context.Context, id func(*bbolt.Bucket) (string, error)) (s outbox.Send, err error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Send{}, err
	}
	err = b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(bucketSends))
		id, err := id(bucket)
		if err != nil {
			return err
		}
		var found bool
		if s, found, err = b.send(bucket, id); err == nil && !found {
			err = fmt.Errorf("send %s: %w", id, outbox.ErrNotFound)
		}
		return err
	})
	return s, err
}

// Unsettled lists the sends that are prepared and not settled, by message id: after a crash their
// outcome is not known. One that cannot be decoded is reported and left out.
func (b *Box) Unsettled(ctx context.Context) ([]outbox.Send, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	var out []outbox.Send
	err := b.view(func(tx *bbolt.Tx) error {
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

package boltbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// Subs lists the subscriptions by id; removed ones only while they have a pending record, or
// something unread below their cut.
func (b *Box) Subs(ctx context.Context) ([]outbox.Subscription, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(b.subs)) {
		out = append(out, cloneSub(b.subs[id].sub))
	}
	return out, nil
}

// Sub returns one subscription as it is stored now, removed or not; outbox.ErrNotFound when there
// is none.
func (b *Box) Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	if err := b.ready(ctx); err != nil {
		return outbox.Subscription{}, err
	}
	s, _, err := b.subscription(id)
	if err != nil {
		return outbox.Subscription{}, err
	}
	return cloneSub(s), nil
}

func cloneSub(s outbox.Subscription) outbox.Subscription {
	s.Config, s.Epochs = bytes.Clone(s.Config), outbox.CloneEpochs(s.Epochs)
	return s
}

// PutSub stores a subscription, new or changed, and returns it as stored. An Epoch.From of 0
// becomes one above the newest sequence inside the commit, so above every event readable so far and
// at or below every later one. A new subscription starts reading at its first epoch, which may lie
// in the past, but not below what EventPage.Whole is inside the commit: one that does begins there
// instead, and who finds it above what was asked for knows that events are missing. The cursor of
// an existing one, removed ones included, is left alone, and so is where it begins: a call that is
// repeated returns the same. Epochs nobody needs any more are dropped.
// To change a filter, take the epochs from Sub and add one. The records of the audit trail are
// stored in the same transaction. ctx withdraws the write only before it has begun. Errors:
// outbox.ErrFull, ErrClosed, ErrUnknown (repeat the call), ctx's.
func (b *Box) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	if err := errors.Join(outbox.CheckSubscription(s), outbox.CheckAudit(audit)); err != nil {
		return outbox.Subscription{}, err
	}
	audit = cloneAudit(audit)
	s.Config = bytes.Clone(s.Config)
	s.Epochs = outbox.CloneEpochs(s.Epochs)
	var now stored
	err := b.do(ctx, store.Op{
		Urgent: true,
		Bytes:  len(s.Config) + 256 + auditBytes(audit),
		Apply: func(tx *bbolt.Tx) (err error) {
			if now, err = b.putSub(tx, s); err != nil {
				return err
			}
			return b.putAudit(tx, audit)
		},
		Publish: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.show(now)
		},
	})
	if err != nil {
		return outbox.Subscription{}, fmt.Errorf("put subscription %s: %w", s.ID, err)
	}
	return cloneSub(now.sub), nil
}

func (b *Box) putSub(tx *bbolt.Tx, s outbox.Subscription) (stored, error) {
	at := outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence()) + 1
	s, err := outbox.ResolveEpochs(s, at)
	if err != nil {
		return stored{}, err
	}
	now, ok := b.lookup(tx, s.ID)
	switch {
	case !ok:
		s = outbox.StartAt(s, b.wholeFrom(tx))
		now.cur = outbox.Cursor{Next: s.Epochs[0].From}
	case len(now.sub.Epochs) > 0: // it began there, whatever a repeated call asks for
		s = outbox.StartAt(s, now.sub.Epochs[0].From)
	}
	was := now.sub
	now.sub = s
	now.sub.Epochs = neededEpochs(tx, s, now.cur)
	if ok && !sameHistory(was, now.sub, at-1) {
		if err := changeHistory(tx, s.ID, at); err != nil {
			return stored{}, err
		}
	}
	// a trim may know it otherwise
	if first, owed := now.sub.FirstOwed(now.cur.Next); owed && first < at {
		b.journal.add(tx, seqRange{first, math.MaxUint64}, true)
	}
	return now, now.save(tx, true)
}

// sameHistory reports whether now only adds epochs above last to old, or drops some that are not
// needed any more, so that what was counted up to last still holds.
func sameHistory(old, now outbox.Subscription, last outbox.Seq) bool {
	i := 0
	for i < len(old.Epochs) && len(now.Epochs) > 0 && old.Epochs[i].From < now.Epochs[0].From {
		i++
	}
	if i == len(old.Epochs) || len(now.Epochs) < len(old.Epochs)-i {
		return false
	}
	for n, e := range old.Epochs[i:] {
		if o := now.Epochs[n]; o.From != e.From || !o.Filter.Equal(e.Filter) {
			return false
		}
	}
	added := now.Epochs[len(old.Epochs)-i:]
	return len(added) == 0 || added[0].From > last
}

// Removed lists removed subscriptions by id, above after, at most limit (and outbox.MaxBatch) of
// them, whether they still hold something or not: what a webhook that is added again is revived
// from.
func (b *Box) Removed(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	limit = page(limit)
	var out []outbox.Subscription
	err := b.view(func(tx *bbolt.Tx) error {
		out = nil
		holding, empty := tx.Bucket([]byte(bucketSubs)).Cursor(), tx.Bucket([]byte(bucketRemoved)).Cursor()
		start := append([]byte(after), 0) // ids hold no zero byte
		hk, hv := holding.Seek(start)
		sk, sv := empty.Seek(start)
		for len(out) < limit && (hk != nil || sk != nil) {
			if sk == nil || hk != nil && bytes.Compare(hk, sk) < 0 {
				s, err := outbox.DecodeSubscription(outbox.SubID(hk), hv)
				if err == nil && s.Removed { // one that cannot be decoded was reported at opening
					out = append(out, s)
				}
				hk, hv = holding.Next()
				continue
			}
			s, _, err := outbox.DecodeRemoved(outbox.SubID(sk), sv)
			if err == nil {
				out = append(out, s)
			} else {
				b.unreadable(bucketRemoved, sk, err)
			}
			sk, sv = empty.Next()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list removed subscriptions: %w", err)
	}
	return out, nil
}

// Forget erases a removed subscription that holds nothing, its settings and its cursor, and returns
// when that is on disk. The records of the audit trail are stored in the same transaction.
// outbox.ErrHolds when it is not removed, or holds a record, or has something unread; ErrNotFound
// when there is none, so also when it is repeated. Other errors as of PutSub.
func (b *Box) Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	if err := outbox.CheckAudit(audit); err != nil {
		return err
	}
	audit = cloneAudit(audit)
	err := b.do(ctx, store.Op{Urgent: true, Bytes: 256 + auditBytes(audit), Apply: func(tx *bbolt.Tx) error {
		found, ok := b.lookup(tx, id)
		if !ok {
			return outbox.ErrNotFound
		}
		if !found.inRemoved || found.cur.Dead > 0 {
			return outbox.ErrHolds
		}
		return errors.Join(tx.Bucket([]byte(bucketRemoved)).Delete([]byte(id)), tx.Bucket([]byte(bucketBlocks)).Delete(historyKey(id)),
			b.putAudit(tx, audit))
	}})
	if err != nil {
		return fmt.Errorf("forget subscription %s: %w", id, err)
	}
	return nil
}

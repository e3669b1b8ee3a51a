package boltbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
)

// PutSub stores a subscription, new or changed, and answers it as stored. An Epoch.From of 0 becomes one above the newest
// sequence inside the commit, so above every event readable so far and at or below every later one. A new subscription starts
// reading at its first epoch; the cursor of an existing one is left alone. Epochs nobody needs any more are dropped. To change
// a filter, take the epochs from Subs and add one.
func (b *Box) PutSub(ctx context.Context, s outbox.Subscription) (outbox.Subscription, error) {
	if err := outbox.CheckSubscription(s); err != nil {
		return outbox.Subscription{}, err
	}
	s.Config = bytes.Clone(s.Config)
	s.Epochs = cloneEpochs(s.Epochs)
	var stored outbox.Subscription
	var cur outbox.Cursor
	err := b.db.Do(ctx, store.Op{
		Urgent: true,
		Bytes:  len(s.Config) + 256,
		Apply: func(tx *bbolt.Tx) error {
			var err error
			stored, cur, err = b.putSub(tx, s)
			return err
		},
		Publish: func() { b.publishSub(stored, cur) },
	})
	if err != nil {
		return outbox.Subscription{}, fmt.Errorf("put subscription %s: %w", s.ID, err)
	}
	return cloneSub(stored), nil
}

func (b *Box) putSub(tx *bbolt.Tx, s outbox.Subscription) (outbox.Subscription, outbox.Cursor, error) {
	at := outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence()) + 1
	s, err := outbox.ResolveEpochs(s, at)
	if err != nil {
		return s, outbox.Cursor{}, err
	}
	cur, ok := b.cursor(tx, s.ID)
	if !ok {
		cur = outbox.Cursor{Next: s.Epochs[0].From}
		if err := putCursor(tx, s.ID, cur); err != nil {
			return s, cur, err
		}
	}
	s.Epochs = spentEpochs(tx, s, cur)
	if err := tx.Bucket([]byte(bucketSubs)).Put([]byte(s.ID), outbox.EncodeSubscription(s)); err != nil {
		return s, cur, fmt.Errorf("store subscription: %w", err)
	}
	return s, cur, nil
}

func (b *Box) publishSub(s outbox.Subscription, cur outbox.Cursor) {
	cur.Lane = nil
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.subs[s.ID]
	if !ok {
		b.subs[s.ID] = &subState{sub: s, cur: cur, tally: newTally(cur.Next, b.last)}
		return
	}
	if !sameHistory(st.sub, s) {
		st.tally = newTally(cur.Next, b.last)
	}
	st.sub, st.cur = s, cur
}

// sameHistory reports whether now only adds epochs to old, or drops spent ones, so that what was counted still holds.
func sameHistory(old, now outbox.Subscription) bool {
	i := 0
	for i < len(old.Epochs) && len(now.Epochs) > 0 && old.Epochs[i].From < now.Epochs[0].From {
		i++
	}
	if i == len(old.Epochs) || len(now.Epochs) < len(old.Epochs)-i {
		return false
	}
	for n, e := range old.Epochs[i:] {
		o := now.Epochs[n]
		if o.From != e.From || !slices.Equal(o.Filter.Events, e.Filter.Events) || !slices.Equal(o.Filter.Chats, e.Filter.Chats) {
			return false
		}
	}
	return true
}

func cloneEpochs(epochs []outbox.Epoch) []outbox.Epoch {
	out := slices.Clone(epochs)
	for i := range out {
		out[i].Filter.Events = slices.Clone(out[i].Filter.Events)
		out[i].Filter.Chats = slices.Clone(out[i].Filter.Chats)
	}
	return out
}

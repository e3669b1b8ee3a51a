package boltbox

import (
	"bytes"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// maxSteps is how many events one scan looks at, so that a walk over millions nobody wants takes
// many short transactions.
const maxSteps = 4096

const (
	// maxAhead is how many bytes are asked from the disk before a walk over events begins, so that
	// it waits once and not at every page: about what maxSteps small events take.
	maxAhead = 4 << 20
	// aheadEvery is how many events a walk passes before it asks the disk for more.
	aheadEvery = 512
)

// storedEvent is an event as a scan meets it. value is the file's memory: copy what is kept.
type storedEvent struct {
	seq   outbox.Seq
	head  outbox.EventHead
	value []byte
}

// eventRange is what a scan looks at: the events from from to to, both included.
type eventRange struct {
	from, to outbox.Seq
	steps    int  // how many events are looked at; 0: maxSteps
	ahead    int  // bytes asked from the disk beforehand; 0: none
	quiet    bool // an event whose head cannot be decoded is neither reported nor given to fn
}

// scanEvents calls fn with the events of a range, in order, until it returns false, and at most
// r.steps of them. It returns where to go on: at the event fn did not take, or above r.to at the
// end. An event whose head cannot be decoded is reported, and has a corrupt head.
func (b *Box) scanEvents(tx *bbolt.Tx, r eventRange, fn func(e storedEvent) bool) (next outbox.Seq) {
	c := tx.Bucket([]byte(bucketEvents)).Cursor()
	if r.steps == 0 {
		r.steps = maxSteps
	}
	steps := 0
	for k, v := c.Seek(seqKey(r.from)); k != nil; k, v = c.Next() {
		seq, ok := parseSeq(k)
		if !ok || seq > r.to {
			break
		}
		if steps == r.steps {
			return seq
		}
		if r.ahead > 0 && steps%aheadEvery == 0 {
			b.db.Ahead(tx, v, r.ahead)
		}
		steps++
		head, err := outbox.DecodeEventHead(seq, v)
		if err != nil && r.quiet {
			continue
		}
		if err != nil {
			b.unreadable(bucketEvents, k, err)
			head = outbox.EventHead{Corrupt: true}
		}
		if !fn(storedEvent{seq, head, v}) {
			return seq
		}
	}
	return max(r.from, r.to+1)
}

// scanHeads is scanEvents in a transaction of its own.
func (b *Box) scanHeads(from, to outbox.Seq, fn func(e storedEvent) bool) (next outbox.Seq, err error) {
	r := eventRange{from: from, to: to}
	if to-from >= blockSize { // a long walk, not a look at one block
		r.ahead = maxAhead
	}
	err = b.view(func(tx *bbolt.Tx) error {
		next = b.scanEvents(tx, r, fn)
		return nil
	})
	return next, err
}

// event decodes the whole of e, its body copied. One that is damaged is reported, and Corrupt.
func (b *Box) event(e storedEvent) outbox.Event {
	ev, err := outbox.DecodeEvent(e.seq, e.value)
	if err != nil {
		b.unreadable(bucketEvents, seqKey(e.seq), err)
		return outbox.DecodeDamaged(e.seq, e.value)
	}
	ev.Body = bytes.Clone(ev.Body)
	return ev
}

// eventFields is event without the body, which is not read.
func (b *Box) eventFields(e storedEvent) outbox.Event {
	ev, err := outbox.DecodeEventFields(e.seq, e.value)
	if err != nil {
		b.unreadable(bucketEvents, seqKey(e.seq), err)
		return outbox.DecodeDamaged(e.seq, e.value)
	}
	return ev
}

// scanRecords calls fn with the records of a subscription filed at or above from, in order, until
// it returns false. v is the file's memory.
func scanRecords(tx *bbolt.Tx, bucket string, id outbox.SubID, from outbox.Seq, fn func(key outbox.Seq, v []byte) bool) {
	prefix := subPrefix(id)
	c := tx.Bucket([]byte(bucket)).Cursor()
	for k, v := c.Seek(subKey(id, from)); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if _, s, ok := parseSubKey(k); ok && !fn(s, v) {
			return
		}
	}
}

// mayStandFor returns the first and last sequence that a stored dead record may stand for: of a
// damaged one nobody knows whether it was a run, and where it began.
func mayStandFor(sub outbox.SubID, key outbox.Seq, v []byte) (first, last outbox.Seq) {
	_, span, err := outbox.DecodeRecordHead(sub, key, v)
	if err != nil {
		return 1, key
	}
	return key - outbox.Seq(span), key
}

// runRange returns the first and last sequence of a stored dead record if it is a run.
func runRange(sub outbox.SubID, key outbox.Seq, v []byte) (first, last outbox.Seq, ok bool) {
	_, span, err := outbox.DecodeRecordHead(sub, key, v)
	if err != nil || span == 0 {
		return 0, 0, false
	}
	return key - outbox.Seq(span), key, true
}

package boltbox

import (
	"errors"
	"fmt"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// seqRange is a range of sequences, both included.
type seqRange struct{ first, last outbox.Seq }

func (r seqRange) overlaps(o seqRange) bool { return r.first <= o.last && o.first <= r.last }

// without returns r without the given ranges.
func (r seqRange) without(others []seqRange) []seqRange {
	left := []seqRange{r}
	for _, o := range others {
		var rest []seqRange
		for _, p := range left {
			if !p.overlaps(o) {
				rest = append(rest, p)
				continue
			}
			if p.first < o.first {
				rest = append(rest, seqRange{p.first, o.first - 1})
			}
			if p.last > o.last {
				rest = append(rest, seqRange{o.last + 1, p.last})
			}
		}
		left = rest
	}
	return left
}

// journal remembers for a while what writes have begun to hold, and what they let go of, so that a
// trim that was searched for beside them knows what became wrong meanwhile. It belongs to who
// commits. An entry of a write that failed afterwards does no harm.
type journal struct {
	entries []journalEntry
	cut     int           // entries of this transaction and before were dropped
	age     atomic.Uint64 // how often it began anew: older searches know another file
}

type journalEntry struct {
	tx int
	seqRange
	held bool // else let go of
}

// journalSize is how many entries are kept; a trim takes milliseconds.
const journalSize = 4096

// forget begins anew: after the file was opened again, without what was not certain.
func (j *journal) forget() {
	j.entries, j.cut = nil, 0
	j.age.Add(1)
}

func (j *journal) add(tx *bbolt.Tx, r seqRange, held bool) {
	if len(j.entries) == journalSize {
		const half = journalSize / 2
		j.cut = j.entries[half-1].tx
		j.entries = append([]journalEntry(nil), j.entries[half:]...)
	}
	j.entries = append(j.entries, journalEntry{tx.ID(), r, held})
}

// since returns what was written after the transaction seen; false when that is not known any
// more.
func (j *journal) since(seen int, age uint64) (journalPart, bool) {
	if seen < j.cut || age != j.age.Load() {
		return nil, false
	}
	for i, e := range j.entries {
		if e.tx > seen {
			return j.entries[i:], true
		}
	}
	return nil, true
}

type journalPart []journalEntry

// holds reports whether seq came to be held.
func (p journalPart) holds(seq outbox.Seq) bool {
	for _, e := range p {
		if e.held && e.first <= seq && seq <= e.last {
			return true
		}
	}
	return false
}

// lowest returns to, or the lowest sequence from from on that was let go of: what was passed as
// held may be held no more.
func (p journalPart) lowest(from, to outbox.Seq) outbox.Seq {
	for _, e := range p {
		if e.last >= from && e.first < to {
			to = max(from, e.first)
		}
	}
	return to
}

// takeFreed removes the part of a range of the bucket freed that was looked at, unless it was added
// to meanwhile.
func (b *Box) takeFreed(tx *bbolt.Tx, p journalPart, f freedScan) error {
	for _, e := range p {
		if e.overlaps(seqRange{f.first, f.next - 1}) {
			return nil
		}
	}
	bucket := tx.Bucket([]byte(bucketFreed))
	if last, ok := b.freedUpTo(tx, f.first, bucket.Get(seqKey(f.first))); !ok || last != f.last {
		return nil
	}
	if err := bucket.Delete(seqKey(f.first)); err != nil {
		return err
	}
	if f.next > f.last {
		return nil
	}
	return b.putFreed(tx, seqRange{f.next, f.last})
}

// putFreed adds a range to the bucket freed: events below the mark of trimming that a record has
// let go of.
func (b *Box) putFreed(tx *bbolt.Tx, r seqRange) error {
	bucket, key := tx.Bucket([]byte(bucketFreed)), seqKey(r.first)
	if last, ok := b.freedUpTo(tx, r.first, bucket.Get(key)); ok {
		r.last = max(r.last, last)
	}
	if err := bucket.Put(key, appendSum(seqKey(r.last), key)); err != nil {
		return fmt.Errorf("note what was let go of: %w", err)
	}
	return nil
}

// freedUpTo returns where a range of the bucket freed ends; false when there is none. One that is
// damaged may end anywhere below the mark of trimming.
func (b *Box) freedUpTo(tx *bbolt.Tx, first outbox.Seq, v []byte) (last outbox.Seq, ok bool) {
	if v == nil {
		return 0, false
	}
	v, err := checkSum(v, seqKey(first))
	if last, ok = parseSeq(v); err != nil || !ok {
		b.unreadable(bucketFreed, seqKey(first), errors.New("where the range ends is damaged"))
		last = b.trimMark(tx) - 1
	}
	return max(first, last), true
}

// freedRanges returns the first ranges of the bucket freed.
func (b *Box) freedRanges(tx *bbolt.Tx, limit int) (out []seqRange) {
	c := tx.Bucket([]byte(bucketFreed)).Cursor()
	for k, v := c.First(); k != nil && len(out) < limit; k, v = c.Next() {
		first, ok := parseSeq(k)
		if !ok {
			continue
		}
		if last, ok := b.freedUpTo(tx, first, v); ok {
			out = append(out, seqRange{first, last})
		}
	}
	return out
}

// held returns what a stored record holds of the events: nothing when it has expired.
func held(sub outbox.SubID, key outbox.Seq, v []byte) (r seqRange, some bool) {
	if v == nil || outbox.HoldsNothing(sub, key, v) {
		return seqRange{}, false
	}
	first, last := mayStandFor(sub, key, v)
	return seqRange{first, last}, true
}

// noteHeld compares what records held before a change with what they hold after it.
func (b *Box) noteHeld(tx *bbolt.Tx, filed []heldBy) error {
	var after []seqRange
	for _, h := range filed {
		if h.holds {
			b.journal.add(tx, h.after, true)
			after = append(after, h.after)
		}
	}
	for _, h := range filed {
		if !h.held || h.holds && h.before == h.after {
			continue
		}
		for _, free := range h.before.without(after) {
			if err := b.letGo(tx, free); err != nil {
				return err
			}
		}
	}
	return nil
}

// letGo notes that a record holds a range no more. What a trim has not come to yet it meets anyway.
func (b *Box) letGo(tx *bbolt.Tx, r seqRange) error {
	b.journal.add(tx, r, false)
	mark := b.trimMark(tx)
	if r.first >= mark {
		return nil
	}
	return b.putFreed(tx, seqRange{r.first, min(r.last, mark-1)})
}

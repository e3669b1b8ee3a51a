package boltbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store"
	"waoutbox/store/failpoint"
)

const (
	// trimSteps is how many events one trim looks at, besides those that it removes.
	trimSteps = 4096
	// trimBlocks is how many kept counts of blocks one trim removes.
	trimBlocks = 64
	// trimTries is how often one trim searches when nobody knows what was written since its search.
	trimTries = 3
	// wrongClock is how far ahead of the clock an event's time must be to say nothing about its
	// age: it was written while the clock was wrong. It is as old as those behind it.
	wrongClock = time.Hour
)

// Trim removes events created before before that every cursor has passed and no record holds, the
// oldest first, at most limit (and outbox.MaxBatch) of them, and returns how many. It stops at the
// first event that is younger: more tells that it has not come so far. A cursor holds back what its
// subscription may still be owed, a pending or dead record its event, a run all that is owed in it;
// an expired record or run holds nothing.
//
// A call looks at a few thousand events beside other writes, and then removes what it found in one
// commit. What it has passed it does not look at again, but for what a record has let go of since.
// Repeating it is harmless. While a subscription cannot be decoded it removes nothing and returns
// an error that says so. Other errors: outbox.ErrFull, ErrClosed, ErrUnknown, ctx's.
func (b *Box) Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, false, err
	}
	b.forgetRecent()
	t := &trim{box: b, before: before, limit: page(limit), now: b.now()}
	for range trimTries {
		t.age = b.journal.age.Load()
		if err := b.view(t.search); err != nil {
			return 0, false, fmt.Errorf("trim: %w", err)
		}
		if !t.worthwhile() {
			return 0, t.more, nil
		}
		if err := b.do(ctx, store.Op{Apply: t.apply, Publish: t.publish, Frees: true, Soon: !b.writes(), Bytes: 64 << 10}); err != nil {
			return 0, false, fmt.Errorf("trim: %w", err)
		}
		if t.known {
			break
		}
	}
	return t.gone, t.more || t.gone < len(t.found), nil
}

// forgetRecent lets go of what the ring has had for long enough, also while nothing is appended.
func (b *Box) forgetRecent() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring.age(time.Since(b.opened))
}

// writes reports whether events or settlements are written at the moment: a removal then shares
// their commits, each of which writes the list of all free pages.
func (b *Box) writes() bool {
	const within = 2 * store.SettleDelay
	return b.db.Appending(within) || time.Since(b.opened)-time.Duration(b.settled.Load()) < within
}

// trim is one call: a search in a read transaction, and the removal of what it found.
type trim struct {
	box    *Box
	before time.Time
	now    time.Time
	limit  int

	seen   int         // the read transaction
	age    uint64      // of the journal
	floor  outbox.Seq  // from here on events may be unread by a subscription
	from   outbox.Seq  // the mark so far
	mark   outbox.Seq  // the mark afterwards
	freed  []freedScan // ranges of the bucket freed that were looked at
	found  []outbox.Seq
	behind outbox.Seq // an event that is old, behind some of which nobody knows by themselves
	more   bool
	blocks []uint64 // of which the kept count is not needed any more

	known   bool // what was written between the search and the commit
	trimmed []outbox.Seq
	gone    int // of trimmed, those that were still there
	// dedupe keys were sealed, since events go of which the keys were in memory alone
	sealed bool
}

// freedScan is a range of the bucket freed, of which everything below next was looked at.
type freedScan struct {
	seqRange
	next outbox.Seq
}

// worthwhile reports whether the search found something to write.
func (t *trim) worthwhile() bool {
	return len(t.found) > 0 || len(t.freed) > 0 || t.mark >= t.from+blockSize || len(t.blocks) == trimBlocks
}

// search looks for events that may go: first what records have let go of, then from the mark on.
func (t *trim) search(tx *bbolt.Tx) error {
	t.seen, t.more, t.found, t.freed, t.blocks = tx.ID(), false, nil, nil, nil
	t.from = max(1, t.box.trimMark(tx))
	t.mark = t.from
	var holders []stored
	var err error
	if t.floor, holders, err = t.holders(tx); err != nil {
		return err
	}
	steps := trimSteps
	looked := outbox.Seq(0) // everything below it; ranges may overlap
	for _, r := range t.box.freedRanges(tx, trimSteps/16) {
		if t.floor <= r.first {
			break
		}
		next, stopped := t.look(tx, holders, seqRange{max(r.first, looked), min(r.last, t.floor-1)}, &steps)
		if next > r.first {
			t.freed = append(t.freed, freedScan{r, next})
		}
		looked = max(looked, next)
		if stopped || steps <= 0 {
			break
		}
	}
	if !t.more && steps > 0 && t.from < t.floor {
		t.mark, _ = t.look(tx, holders, seqRange{t.from, t.floor - 1}, &steps)
	}
	t.blocks = oldBlocks(tx, blockOf(t.floor))
	return nil
}

// look goes over a range up to the first event that is not old, until limit events are found or
// steps are used up (more). It returns where to go on.
func (t *trim) look(tx *bbolt.Tx, holders []stored, r seqRange, steps *int) (next outbox.Seq, stopped bool) {
	for next = r.first; next <= r.last; {
		if len(t.found) == t.limit || *steps <= 0 {
			t.more = true
			return next, true
		}
		var old []storedEvent
		n := min(*steps, blockSize)
		// one that cannot be decoded is reported when it is read, and kept as evidence
		looked := eventRange{from: next, to: r.last, steps: n, ahead: 64 << 10, quiet: true}
		young := false
		at := t.box.scanEvents(tx, looked, func(e storedEvent) bool {
			*steps--
			if young = !t.old(tx, e); young {
				return false
			}
			old = append(old, storedEvent{seq: e.seq, head: e.head})
			return true
		})
		if len(old) > 0 {
			if full := t.take(old, namedEvents(tx, holders, old)); full != 0 {
				t.more = true
				return full, true
			}
		}
		if len(old) == 0 { // nothing could be decoded
			*steps -= n
		}
		if next = at; young {
			return next, true
		}
	}
	return next, false
}

// old reports whether an event is so by its time, or by one behind it when its own is wrong.
func (t *trim) old(tx *bbolt.Tx, e storedEvent) bool {
	ahead := t.now.Add(wrongClock)
	switch created := e.head.Created(); {
	case created.Before(t.before):
		return true
	case !created.After(ahead):
		return false
	case t.behind < e.seq:
		t.behind = oldBehind(tx, e.seq, t.before, ahead)
	}
	return t.behind > e.seq
}

// take notes the events of old that nothing holds. When there are too many it returns the first one
// that is left.
func (t *trim) take(old []storedEvent, named map[outbox.Seq]bool) (full outbox.Seq) {
	for _, e := range old {
		if named[e.seq] {
			continue
		}
		if len(t.found) == t.limit {
			return e.seq
		}
		t.found = append(t.found, e.seq)
	}
	return 0
}

// holders returns the subscriptions that have records, and the sequence from which on events may be
// unread by one; an error when nobody can know.
func (t *trim) holders(tx *bbolt.Tx) (floor outbox.Seq, holders []stored, err error) {
	floor = outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence()) + 1
	c := tx.Bucket([]byte(bucketCursors)).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		s, _ := t.box.lookup(tx, outbox.SubID(k))
		if s.sub.Epochs == nil {
			return 0, nil, fmt.Errorf("nothing is removed: subscription %s cannot be decoded, so nobody knows what is owed to it", s.sub.ID)
		}
		if first, ok := s.sub.FirstOwed(s.cur.Next); ok {
			floor = min(floor, first)
		}
		if s.cur.Pending+s.cur.Dead > 0 {
			holders = append(holders, s)
		}
	}
	for id := range deadOwners(tx, "") {
		if s, _ := t.box.lookup(tx, id); s.inRemoved { // the others have a cursor
			holders = append(holders, s)
		}
	}
	return floor, holders, nil
}

// namedEvents returns those of old, ascending, that a record of some subscription holds.
func namedEvents(tx *bbolt.Tx, holders []stored, old []storedEvent) map[outbox.Seq]bool {
	named := map[outbox.Seq]bool{}
	first, last := old[0].seq, old[len(old)-1].seq
	for _, s := range holders {
		for _, bucket := range []string{bucketPending, bucketDead} {
			eachNamed(tx, bucket, s.sub.ID, old, func(seq outbox.Seq, v []byte) {
				if bucket == bucketPending || !outbox.HoldsNothing(s.sub.ID, seq, v) {
					named[seq] = true
				}
			})
		}
		if s.cur.Runs == 0 {
			continue
		}
		// a run lies under its last sequence, and runs do not overlap; but a damaged record may be
		// one that does
		scanRecords(tx, bucketDead, s.sub.ID, first, func(key outbox.Seq, v []byte) bool {
			from, to := mayStandFor(s.sub.ID, key, v)
			if from == to {
				return true
			}
			for _, e := range old {
				if from <= e.seq && e.seq <= to && !outbox.HoldsNothing(s.sub.ID, key, v) && s.sub.Owes(e.seq, e.head) {
					named[e.seq] = true
				}
			}
			return to < last
		})
	}
	return named
}

// eachNamed calls fn with the records filed under the sequences of old, ascending. It passes
// neither the records between them one by one, nor old where there are no records.
func eachNamed(tx *bbolt.Tx, bucket string, id outbox.SubID, old []storedEvent, fn func(seq outbox.Seq, v []byte)) {
	c := tx.Bucket([]byte(bucket)).Cursor()
	for i := 0; i < len(old); {
		k, v := c.Seek(subKey(id, old[i].seq))
		owner, key, ok := parseSubKey(k)
		if k == nil || ok && owner != id {
			return
		}
		if ok && key == old[i].seq {
			fn(key, v)
			i++
			continue
		}
		for i < len(old) && (!ok || old[i].seq < key) {
			i++
			if !ok {
				break
			}
		}
	}
}

// apply removes what was found, as far as that is still right: whatever was written since the
// search and may hold an event is in the journal.
func (t *trim) apply(tx *bbolt.Tx) error {
	t.trimmed, t.gone, t.sealed = nil, 0, false
	var since journalPart
	if since, t.known = t.box.journal.since(t.seen, t.age); !t.known {
		t.more = true
		return nil
	}
	for _, seq := range t.found {
		if !since.holds(seq) {
			t.trimmed = append(t.trimmed, seq)
		}
	}
	if err := t.remove(tx); err != nil {
		return err
	}
	return t.move(tx, since)
}

func (t *trim) remove(tx *bbolt.Tx) error {
	if len(t.trimmed) == 0 {
		return nil
	}
	if newest := slices.Max(t.trimmed); newest > t.box.sealedUpTo(tx) {
		t.sealed = true
		if err := t.box.seen.sealNow(tx); err != nil {
			return err
		}
	}
	removed := t.box.trimmedEvents(tx)
	events := tx.Bucket([]byte(bucketEvents))
	gone := 0
	for _, seq := range t.trimmed {
		key := seqKey(seq)
		if events.Get(key) == nil { // another trim was faster
			continue
		}
		if err := events.Delete(key); err != nil {
			return fmt.Errorf("remove event %d: %w", seq, err)
		}
		gone++
	}
	failpoint.Hit(failpoint.TrimRemoved)
	if err := t.box.noteRemoved(tx, slices.Max(t.trimmed)); err != nil {
		return err
	}
	t.gone = gone
	return putMetaNumber(tx, metaTrimmed, removed+uint64(gone))
}

// move stores what need not be looked at again.
func (t *trim) move(tx *bbolt.Tx, since journalPart) error {
	for _, f := range t.freed {
		if err := t.box.takeFreed(tx, since, f); err != nil {
			return fmt.Errorf("move the mark of trimming: %w", err)
		}
	}
	if now := t.box.trimMark(tx); now == t.from || now == 0 && t.from == 1 {
		if mark := since.lowest(t.from, t.mark); mark > t.from {
			if err := putMetaNumber(tx, metaTrimMark, uint64(mark)); err != nil {
				return err
			}
		}
	}
	for _, block := range t.blocks {
		if err := tx.Bucket([]byte(bucketBlocks)).Delete(blockKey(block)); err != nil {
			return fmt.Errorf("remove the count of a block: %w", err)
		}
	}
	return nil
}

func (t *trim) publish() {
	if t.sealed {
		t.box.seen.commit()
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.ring.drop(t.trimmed)
}

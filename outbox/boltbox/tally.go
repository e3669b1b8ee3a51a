package boltbox

import (
	"context"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// blockSize is how many sequences are counted together: the price of an exact count is at most one block read from the file.
const blockSize = 1024

// aheadEvery is how many events a long walk passes before it asks the disk for more.
const aheadEvery = 512

func blockOf(s outbox.Seq) uint64        { return uint64(s) / blockSize }
func blockStart(block uint64) outbox.Seq { return outbox.Seq(block * blockSize) }

// tally counts the events owed to a subscription, by block of sequences, from its cursor's block on. What is appended is
// counted as it becomes readable; what was there before (at or below cut) is counted when somebody first asks.
type tally struct {
	blocks map[uint64]uint32
	total  int64
	cut    outbox.Seq
	done   bool // everything at or below cut is counted too
}

// newTally begins a count for a cursor at next, with last the newest sequence.
func newTally(next, last outbox.Seq) tally {
	return tally{blocks: map[uint64]uint32{}, cut: last, done: next > last}
}

func (t *tally) add(s outbox.Seq) { t.addBlock(blockOf(s), 1) }

func (t *tally) addBlock(block uint64, n uint32) {
	t.blocks[block] += n
	t.total += int64(n)
}

// passed forgets the blocks below next.
func (t *tally) passed(old, next outbox.Seq) {
	from, to := blockOf(old), blockOf(next)
	if to-from > uint64(len(t.blocks)) {
		for b, n := range t.blocks {
			if b < to {
				t.total -= int64(n)
				delete(t.blocks, b)
			}
		}
		return
	}
	for b := from; b < to; b++ {
		t.total -= int64(t.blocks[b])
		delete(t.blocks, b)
	}
}

// above is the number of owed events in the blocks after the one of next.
func (t *tally) above(next outbox.Seq) int64 { return t.total - int64(t.blocks[blockOf(next)]) }

// first is the lowest block after the one of next in which something is owed.
func (t *tally) first(next outbox.Seq) (block uint64, ok bool) {
	for b, n := range t.blocks {
		if n > 0 && b > blockOf(next) && (!ok || b < block) {
			block, ok = b, true
		}
	}
	return block, ok
}

// skip answers from, or a later position when nothing is owed before it. next is the cursor and last the newest sequence.
func (t *tally) skip(from, next, last outbox.Seq) outbox.Seq {
	if !t.done || from < next || t.blocks[blockOf(from)] > 0 {
		return from
	}
	if b, ok := t.first(from); ok {
		return blockStart(b)
	}
	return last + 1
}

// oldCount is the counting of one subscription's backlog from before.
type oldCount struct {
	st        *subState
	sub       outbox.Subscription // as it was when counting began
	from, cut outbox.Seq
	got       map[uint64]uint32
}

// countOld counts what was in the file before this process appended, for every subscription where that was not done yet. It
// reads in short transactions and one caller at a time.
func (b *Box) countOld(ctx context.Context) error {
	select {
	case b.scanning <- struct{}{}:
		defer func() { <-b.scanning }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		jobs, from, to := b.uncounted()
		if len(jobs) == 0 {
			return nil
		}
		for from <= to {
			if err := b.ready(ctx); err != nil {
				return err
			}
			next, err := b.heads(from, to, func(seq outbox.Seq, h outbox.EventHead) bool {
				for _, j := range jobs {
					if seq >= j.from && seq <= j.cut && j.sub.Owes(seq, h.Name, h.Chat) {
						j.got[blockOf(seq)]++
					}
				}
				return true
			})
			if err != nil {
				return err
			}
			from = next
		}
		b.counted(jobs)
	}
}

// uncounted answers what is to be counted, and the range that covers it all.
func (b *Box) uncounted() (jobs []oldCount, from, to outbox.Seq) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, st := range b.subs {
		if st.tally.done {
			continue
		}
		j := oldCount{st: st, sub: st.sub, from: blockStart(blockOf(st.cur.Next)), cut: st.tally.cut, got: map[uint64]uint32{}}
		if len(jobs) == 0 || j.from < from {
			from = j.from
		}
		to = max(to, j.cut)
		jobs = append(jobs, j)
	}
	return jobs, from, to
}

// counted adds the counts, except where they became wrong meanwhile: the filters of the past changed, or the file was reloaded.
// Those are counted again.
func (b *Box) counted(jobs []oldCount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range jobs {
		if j.st.tally.done || j.st.tally.cut != j.cut || b.subs[j.sub.ID] != j.st || !sameHistory(j.sub, j.st.sub) {
			continue
		}
		for block, n := range j.got {
			if block >= blockOf(j.st.cur.Next) {
				j.st.tally.addBlock(block, n)
			}
		}
		j.st.tally.done = true
	}
}

// heads calls fn with the heads of at most maxSteps events from from to to, in one short transaction, and answers where to go
// on (above to at the end). fn ends it early by answering false.
func (b *Box) heads(from, to outbox.Seq, fn func(outbox.Seq, outbox.EventHead) bool) (next outbox.Seq, err error) {
	next = to + 1
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		steps := 0
		k, v := c.Seek(seqKey(from))
		for ; k != nil; k, v = c.Next() {
			seq, ok := parseSeq(k)
			if !ok || seq > to {
				return nil
			}
			if steps == maxSteps {
				next = seq
				return nil
			}
			if steps%aheadEvery == 0 && to-from >= blockSize { // a long walk, not a look at one block
				b.db.Ahead(tx, v, maxAhead)
			}
			steps++
			h, err := outbox.DecodeEventHead(seq, v)
			if err != nil {
				b.unreadable(bucketEvents, k, err)
				continue
			}
			if !fn(seq, h) {
				next = seq
				return nil
			}
		}
		return nil
	})
	return next, err
}

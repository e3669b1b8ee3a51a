package boltbox

import (
	"context"
	"slices"

	"waoutbox/outbox"
)

// blockSize is how many sequences are counted together: the price of an exact count is at most one
// block read from the file.
const blockSize = 1024

func blockOf(s outbox.Seq) uint64        { return uint64(s) / blockSize }
func blockStart(block uint64) outbox.Seq { return outbox.Seq(block * blockSize) }

// owedCounter counts the events owed to a subscription, by block of sequences, from its cursor's
// block on. What is appended is counted as it becomes readable; what was there before (at or below
// cut) is counted when somebody first asks: from the counts of blocks that the file keeps, and what
// these lack by a walk.
type owedCounter struct {
	blocks map[uint64]uint32
	total  int64
	cut    outbox.Seq
	done   bool // everything at or below cut is counted too
}

// newOwedCounter begins a count for a subscription, with last the newest sequence.
func newOwedCounter(s stored, last outbox.Seq) owedCounter {
	return owedCounter{blocks: map[uint64]uint32{}, cut: last, done: !mayOwe(s, last)}
}

// knows reports whether the count of a block is whole, apart from what is not appended yet.
func (c *owedCounter) knows(block uint64) bool { return c.done || blockStart(block) > c.cut }

func (c *owedCounter) add(s outbox.Seq) { c.addBlock(blockOf(s), 1) }

func (c *owedCounter) addBlock(block uint64, n uint32) {
	c.blocks[block] += n
	c.total += int64(n)
}

// passed forgets the blocks below next.
func (c *owedCounter) passed(old, next outbox.Seq) {
	from, to := blockOf(old), blockOf(next)
	if to-from > uint64(len(c.blocks)) {
		for b, n := range c.blocks {
			if b < to {
				c.total -= int64(n)
				delete(c.blocks, b)
			}
		}
		return
	}
	for b := from; b < to; b++ {
		c.total -= int64(c.blocks[b])
		delete(c.blocks, b)
	}
}

// above is the number of owed events in the blocks after the one of next.
func (c *owedCounter) above(next outbox.Seq) int64 { return c.total - int64(c.blocks[blockOf(next)]) }

// first is the lowest block after the one of next in which something is owed.
func (c *owedCounter) first(next outbox.Seq) (block uint64, ok bool) {
	for b, n := range c.blocks {
		if n > 0 && b > blockOf(next) && (!ok || b < block) {
			block, ok = b, true
		}
	}
	return block, ok
}

// skip returns from, or a later position when nothing is owed before it. next is the cursor and
// last the newest sequence.
func (c *owedCounter) skip(from, next, last outbox.Seq) outbox.Seq {
	if !c.done || from < next || c.blocks[blockOf(from)] > 0 {
		return from
	}
	if b, ok := c.first(from); ok {
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
	kept      map[uint64]bool // blocks whose count was in the file
}

// walks reports whether a block must be walked for j.
func (j *oldCount) walks(block uint64) bool {
	return block >= blockOf(j.from) && block <= blockOf(j.cut) && !j.kept[block]
}

// countOld counts what was in the file before this process appended, for every subscription where
// that was not done yet. It reads in short transactions and one caller at a time.
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
		if err := b.takeKept(jobs); err != nil {
			return err
		}
		for from <= to {
			first, last := unkept(jobs, from, to) // neighbouring blocks that somebody must walk
			if first > to {
				break
			}
			if err := b.walkOld(ctx, jobs, first, last); err != nil {
				return err
			}
			from = last + 1
		}
		b.counted(jobs)
	}
}

// unkept returns the first stretch from from on that must be walked; one above to when nothing
// must.
func unkept(jobs []oldCount, from, to outbox.Seq) (first, last outbox.Seq) {
	walks := func(block uint64) bool {
		return slices.ContainsFunc(jobs, func(j oldCount) bool { return j.walks(block) })
	}
	for from <= to && !walks(blockOf(from)) {
		from = blockStart(blockOf(from) + 1)
	}
	if from > to {
		return from, to
	}
	last = blockStart(blockOf(from)+1) - 1
	for last < to && walks(blockOf(last+1)) {
		last = blockStart(blockOf(last+1)+1) - 1
	}
	return from, min(last, to)
}

// walkOld counts a stretch event by event.
func (b *Box) walkOld(ctx context.Context, jobs []oldCount, from, to outbox.Seq) error {
	for from <= to {
		if err := b.ready(ctx); err != nil {
			return err
		}
		next, err := b.scanHeads(from, to, func(e storedEvent) bool {
			block := blockOf(e.seq)
			for _, j := range jobs {
				if j.walks(block) && e.seq >= j.from && e.seq <= j.cut && j.sub.Owes(e.seq, e.head) {
					j.got[block]++
				}
			}
			return true
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// uncounted returns what is to be counted, and the range that covers it all.
func (b *Box) uncounted() (jobs []oldCount, from, to outbox.Seq) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, st := range b.subs {
		if st.owed.done {
			continue
		}
		j := oldCount{st: st, sub: st.sub, from: blockStart(blockOf(st.cur.Next)), cut: st.owed.cut, got: map[uint64]uint32{}, kept: map[uint64]bool{}}
		if len(jobs) == 0 || j.from < from {
			from = j.from
		}
		to = max(to, j.cut)
		jobs = append(jobs, j)
	}
	return jobs, from, to
}

// counted adds the counts, except where they became wrong meanwhile: the filters of the past
// changed, or the file was reloaded. Those are counted again.
func (b *Box) counted(jobs []oldCount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range jobs {
		if j.st.owed.done || j.st.owed.cut != j.cut || b.subs[j.sub.ID] != j.st || !sameHistory(j.sub, j.st.sub, j.cut) {
			continue
		}
		for block, n := range j.got {
			if block >= blockOf(j.st.cur.Next) {
				j.st.owed.addBlock(block, n)
			}
		}
		j.st.owed.done = true
	}
}

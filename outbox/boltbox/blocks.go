package boltbox

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// How many events of a block (blockSize sequences) are owed to each subscription is kept in the
// bucket blocks, by an append some time after the block is full. After a start the backlog is
// counted from these; only blocks that are not kept, or not for a subscription, are walked. That
// matters for more than speed: reading skips blocks in which nothing is owed, so a count is kept
// only when it is sure, and what is not listed is unknown.

// blocksPerCommit is how many counts one append keeps at most.
const blocksPerCommit = 4

// historyKey is where the bucket blocks says from which block on the counts of a subscription are
// those of its filters: a filter of the past was changed. Block keys have 8 bytes and begin with 0.
func historyKey(id outbox.SubID) []byte { return append([]byte{0xff}, id...) }

func blockKey(block uint64) []byte { return binary.BigEndian.AppendUint64(nil, block) }

// oldBlocks returns some of the kept blocks below block.
func oldBlocks(tx *bbolt.Tx, block uint64) (out []uint64) {
	c := tx.Bucket([]byte(bucketBlocks)).Cursor()
	for k, _ := c.First(); k != nil && len(out) < trimBlocks; k, _ = c.Next() {
		b, ok := parseSeq(k)
		if !ok || uint64(b) >= block {
			break
		}
		out = append(out, uint64(b))
	}
	return out
}

// keepBlocks writes the counts of blocks that are full and whose events are readable, and returns
// the next block to keep.
func (b *Box) keepBlocks(tx *bbolt.Tx) (next uint64, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	full := blockOf(b.last + 1) // blocks below it are full
	next = b.nextBlock
	for n := 0; next < full && n < blocksPerCommit; n++ {
		if err := tx.Bucket([]byte(bucketBlocks)).Put(blockKey(next), appendSum(b.encodeBlock(next), blockKey(next))); err != nil {
			return next, fmt.Errorf("keep the count of a block: %w", err)
		}
		next++
	}
	return next, nil
}

// encodeBlock lists the subscriptions that have not passed a block and whose count of it is whole.
// b.mu is held.
func (b *Box) encodeBlock(block uint64) []byte {
	v := []byte{1}
	for id, st := range b.subs {
		if !st.owed.knows(block) || blockOf(st.cur.Next) > block {
			continue
		}
		v = binary.AppendUvarint(v, uint64(len(id)))
		v = append(v, id...)
		v = binary.AppendUvarint(v, uint64(st.owed.blocks[block]))
	}
	return v
}

// decodeBlock calls fn with the counts of a block. What cannot be decoded is not counted.
func decodeBlock(v []byte, fn func(id []byte, n uint64)) {
	if len(v) == 0 || v[0] != 1 {
		return
	}
	for v = v[1:]; len(v) > 0; {
		size, n := binary.Uvarint(v)
		if n <= 0 || size > uint64(len(v)-n) {
			return
		}
		id := v[n : n+int(size)]
		v = v[n+int(size):]
		owed, n := binary.Uvarint(v)
		if n <= 0 || owed > blockSize {
			return
		}
		v = v[n:]
		fn(id, owed)
	}
}

// changeHistory makes the counts kept of a subscription unknown: its filters of the past changed.
func changeHistory(tx *bbolt.Tx, id outbox.SubID, at outbox.Seq) error {
	key := historyKey(id)
	if err := tx.Bucket([]byte(bucketBlocks)).Put(key, appendSum(blockKey(blockOf(at)+1), key)); err != nil {
		return fmt.Errorf("forget the counts of %s: %w", id, err)
	}
	return nil
}

// takeKept takes over what is kept of the blocks of jobs.
func (b *Box) takeKept(jobs []oldCount) error {
	byID := make(map[string]*oldCount, len(jobs))
	first := ^uint64(0)
	for i := range jobs {
		byID[string(jobs[i].sub.ID)] = &jobs[i]
		first = min(first, blockOf(jobs[i].from))
	}
	return b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(bucketBlocks))
		valid := map[string]uint64{}
		for id := range byID {
			key := historyKey(outbox.SubID(id))
			v := bucket.Get(key)
			if v == nil {
				continue
			}
			v, err := checkSum(v, key)
			if seq, ok := parseSeq(v); err == nil && ok {
				valid[id] = uint64(seq)
				continue
			}
			b.unreadable(bucketBlocks, key, errors.New("from where on the counts are right is damaged"))
			valid[id] = ^uint64(0) // none is believed
		}
		c := bucket.Cursor()
		for k, v := c.Seek(blockKey(first)); k != nil; k, v = c.Next() {
			seq, ok := parseSeq(k)
			if !ok || k[0] != 0 {
				break
			}
			block := uint64(seq)
			v, err := checkSum(v, k)
			if err != nil { // it is walked
				b.unreadable(bucketBlocks, k, err)
				continue
			}
			decodeBlock(v, func(id []byte, n uint64) {
				j := byID[string(id)]
				if j == nil || block < blockOf(j.from) || blockStart(block+1) > j.cut+1 || block < valid[string(id)] {
					return
				}
				j.got[block] = uint32(n)
				j.kept[block] = true
			})
		}
		return nil
	})
}

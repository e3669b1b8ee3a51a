package boltbox

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

const (
	seenEntrySize = hashSize + 8
	// seenBlock is how many entries lie in one value: two values make a page of 4 KiB.
	seenBlock = 99
	// seenPart is about how many entries have a filter of their own.
	seenPart = 1024
	// seenMaxParts is how many parts a run has at most: those of a billion keys.
	seenMaxParts = 1 << 20
)

// seenEntry is a key that is known, and the sequence of its first event.
type seenEntry struct {
	hash keyHash
	seq  outbox.Seq
}

// sortSeen sorts entries and returns them with each hash once, with its lowest sequence.
func sortSeen(entries []seenEntry) []seenEntry {
	slices.SortFunc(entries, func(a, b seenEntry) int {
		if c := cmp.Compare(a.hash.head(), b.hash.head()); c != 0 {
			return c
		}
		if c := bytes.Compare(a.hash[:], b.hash[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	})
	return onceSeen(entries)
}

// onceSeen returns sorted entries with each hash once, with its lowest sequence.
func onceSeen(entries []seenEntry) []seenEntry {
	return slices.CompactFunc(entries, func(a, b seenEntry) bool { return a.hash == b.hash })
}

// below reports whether a comes before b in a run.
func (a *seenEntry) below(b *seenEntry) bool {
	if a.hash == b.hash {
		return a.seq < b.seq
	}
	return a.hash.below(b.hash)
}

// mergeSeen sorts entries that are sorted pieces, one after the other; ends says where each ends,
// and is overwritten. Both slices belong to it, and both are returned, the sorted one first.
func mergeSeen(entries, spare []seenEntry, ends []int) (sorted, rest []seenEntry) {
	for len(ends) > 1 {
		spare = spare[:0]
		begin, pieces := 0, 0
		for i := 0; i < len(ends); i += 2 {
			end := ends[min(i+1, len(ends)-1)]
			a, b := entries[begin:ends[i]], entries[ends[i]:end]
			for len(a) > 0 && len(b) > 0 {
				if b[0].below(&a[0]) {
					spare, b = append(spare, b[0]), b[1:]
				} else {
					spare, a = append(spare, a[0]), a[1:]
				}
			}
			spare = append(append(spare, a...), b...)
			begin, ends[pieces] = end, end
			pieces++
		}
		ends = ends[:pieces]
		entries, spare = spare, entries
	}
	return entries, spare
}

// seenRun is a sorted run of entries in the file. Hashes are spread evenly, so the range of all
// hashes is cut into equal parts, of which each has a filter.
type seenRun struct {
	id      uint64
	newest  uint32 // unix time of its newest key; 0: keys without a time, which stay
	count   uint64
	parts   uint32
	filters []seenFilter // by part; nil until it is needed

	inMemory uint32 // how many of filters are not nil
	made     bool   // by this process
	view     uint64 // the first view that knew what is in it; 0: none yet
}

// newSeenRun begins a run of count entries, in parts of about part.
func newSeenRun(tx *bbolt.Tx, newest uint32, count uint64, part int) (*seenRun, error) {
	id, err := tx.Bucket([]byte(bucketSeenRuns)).NextSequence()
	if err != nil {
		return nil, fmt.Errorf("next run of dedupe keys: %w", err)
	}
	parts := uint32(min(seenMaxParts, max(1, (count+uint64(part)/2)/uint64(part))))
	return &seenRun{id: id, newest: newest, count: count, parts: parts, filters: make([]seenFilter, parts)}, nil
}

// part is the part of a run that a hash belongs to.
func (r *seenRun) part(h keyHash) uint32 {
	hi, _ := bits.Mul64(h.head(), uint64(r.parts))
	return uint32(hi)
}

// bound is the lowest hash of a part; false at the end of the last one.
func (r *seenRun) bound(part uint32) (h keyHash, ok bool) {
	if part >= r.parts {
		return h, false
	}
	q, rest := bits.Div64(uint64(part), 0, uint64(r.parts))
	if rest > 0 {
		q++
	}
	binary.BigEndian.PutUint64(h[:], q)
	return h, true
}

// write stores the parts from from to to, which hold entries, sorted and each hash once.
func (r *seenRun) write(tx *bbolt.Tx, from, to uint32, entries []seenEntry) error {
	keys, filters := tx.Bucket([]byte(bucketSeenKeys)), tx.Bucket([]byte(bucketSeenFilters))
	keys.FillPercent, filters.FillPercent = 1.0, 1.0 // what is written is never inserted into
	for p := from; p < to; p++ {
		n := len(entries)
		if bound, ok := r.bound(p + 1); ok {
			n = sort.Search(len(entries), func(i int) bool { return !entries[i].hash.below(bound) })
		}
		f := newSeenFilter(entries[:n])
		r.keep(p, f)
		if err := filters.Put(r.filterKey(p), appendSum(slices.Clone(f))); err != nil {
			return fmt.Errorf("store a filter of dedupe keys: %w", err)
		}
		for block := range slices.Chunk(entries[:n], seenBlock) {
			v := make([]byte, 0, len(block)*seenEntrySize+sumSize)
			for _, e := range block {
				v = binary.BigEndian.AppendUint64(append(v, e.hash[:]...), uint64(e.seq))
			}
			if err := keys.Put(r.blockKey(block[len(block)-1].hash), appendSum(v)); err != nil {
				return fmt.Errorf("store dedupe keys: %w", err)
			}
		}
		entries = entries[n:]
	}
	return nil
}

// blockKey names a block by the highest hash in it, so that seeking any hash finds its block.
func (r *seenRun) blockKey(highest keyHash) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+hashSize), r.id), highest[:]...)
}

func (r *seenRun) filterKey(part uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(make([]byte, 0, 12), r.id), part)
}

// partOf is the part that a key of a filter names.
func partOf(k []byte) uint32 {
	if len(k) != 12 {
		return 0
	}
	return binary.BigEndian.Uint32(k[8:])
}

func (r *seenRun) prefix() []byte { return binary.BigEndian.AppendUint64(nil, r.id) }

// seenReader looks into runs in one transaction.
type seenReader struct {
	box    *Box
	tx     *bbolt.Tx
	cursor *bbolt.Cursor
}

// find returns the sequence of a hash in a run. The file is touched only when the filter says that
// the hash is probably there.
func (s *seenReader) find(r *seenRun, h keyHash) (outbox.Seq, bool) {
	p := r.part(h)
	f := r.filters[p]
	if f == nil {
		f = s.filter(r, p)
	}
	if !f.mayHold(h) {
		return 0, false
	}
	if s.cursor == nil {
		s.cursor = s.tx.Bucket([]byte(bucketSeenKeys)).Cursor()
	}
	k, v := s.cursor.Seek(r.blockKey(h))
	if !bytes.HasPrefix(k, r.prefix()) {
		return 0, false
	}
	b, err := parseSeenBlock(v)
	if err != nil {
		s.box.unreadable(bucketSeenKeys, k, err)
		return 0, false
	}
	i := sort.Search(b.len(), func(i int) bool { return !b.hash(i).below(h) })
	if i == b.len() || b.hash(i) != h {
		return 0, false
	}
	return b.entry(i).seq, true
}

// filter reads a filter from the file. Without a whole one every hash may be there.
func (s *seenReader) filter(r *seenRun, part uint32) seenFilter {
	k := r.filterKey(part)
	v, err := checkSum(s.tx.Bucket([]byte(bucketSeenFilters)).Get(k))
	if err == nil && len(v)%seenLine != 0 {
		err = errors.New("not whole lines")
	}
	if err != nil {
		s.box.unreadable(bucketSeenFilters, k, err)
		v = seenFilterOfAll()
	}
	r.keep(part, append(seenFilter{}, v...))
	if r.complete() && s.box.seen.next != nil {
		s.box.seen.next.viewed = false
	}
	return r.filters[part]
}

// keep takes a filter into memory.
func (r *seenRun) keep(part uint32, f seenFilter) {
	if r.filters[part] == nil {
		r.inMemory++
	}
	r.filters[part] = f
}

// seenBlockOf is the content of a block: the file's memory.
type seenBlockOf []byte

func parseSeenBlock(v []byte) (seenBlockOf, error) {
	v, err := checkSum(v)
	if err == nil && (len(v) == 0 || len(v)%seenEntrySize != 0) {
		err = errors.New("not whole entries")
	}
	return v, err
}

func (b seenBlockOf) len() int { return len(b) / seenEntrySize }

func (b seenBlockOf) hash(i int) keyHash { return keyHash(b[i*seenEntrySize:]) }

func (b seenBlockOf) entry(i int) seenEntry {
	return seenEntry{hash: b.hash(i), seq: outbox.Seq(binary.BigEndian.Uint64(b[i*seenEntrySize+hashSize:]))}
}

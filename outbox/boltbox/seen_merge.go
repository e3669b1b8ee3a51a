package boltbox

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store/failpoint"
)

const (
	// seenFanIn is how many runs of about one size are merged into one.
	seenFanIn = 8
	// seenWeek is how many seconds the keys of a merged run span at most.
	seenWeek = 7 * 24 * 60 * 60
)

// seenMerge is a run in the making. Its parts below next are done and hold what the inputs, which
// it takes the place of, do not have any more. So whatever the size of the runs, one transaction
// does a few parts, and the file never holds much twice.
type seenMerge struct {
	out    *seenRun
	next   uint32
	inputs []*seenRun
}

func (m *seenMerge) find(s *seenReader, h keyHash) (outbox.Seq, bool) {
	if m.out.part(h) < m.next {
		return s.find(m.out, h)
	}
	for _, r := range m.inputs {
		if seq, ok := s.find(r, h); ok {
			return seq, true
		}
	}
	return 0, false
}

// mergeSome does some of the merging and removing that is due: not more than the keys that came in
// allow, so that appends are never held up for long, and as much as keeps up with them.
func (x *seenIndex) mergeSome(tx *bbolt.Tx) error {
	if err := x.plan(tx); err != nil {
		return err
	}
	for limit := min(x.credit, max(2*x.step, x.earned)); limit >= x.step; {
		n, err := x.workOnce(tx)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		n = max(n, x.step/64) // pages are written whole
		limit -= n
		x.credit -= n
	}
	return nil
}

// workOnce does one step of the smallest merge, or else removes a piece of an expired run, and
// returns how many keys it dealt with.
func (x *seenIndex) workOnce(tx *bbolt.Tx) (int, error) {
	if len(x.next.merges) == 0 {
		return x.removeSome(tx)
	}
	// the smallest first: a large one takes long, and meanwhile small runs must not pile up
	at := 0
	for i, m := range x.next.merges {
		if m.out.count < x.next.merges[at].out.count {
			at = i
		}
	}
	m := *x.next.merges[at]
	n, err := x.mergeParts(tx, &m)
	if err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.SeenMergedPart)
	if m.next < m.out.parts {
		x.next.merges[at] = &m
		return n, m.put(tx)
	}
	x.next.merges = slices.Delete(x.next.merges, at, at+1)
	x.next.live = append(x.next.live, m.out)
	sortRuns(x.next.live)
	x.next.planned, x.next.viewed = false, false
	for _, r := range m.inputs {
		if err := tx.Bucket([]byte(bucketSeenRuns)).Delete(r.prefix()); err != nil {
			return 0, fmt.Errorf("remove a run of dedupe keys: %w", err)
		}
	}
	failpoint.Hit(failpoint.SeenMerged)
	return n, seenHeader{run: m.out, state: seenLive}.put(tx)
}

func (m *seenMerge) put(tx *bbolt.Tx) error {
	h := seenHeader{run: m.out, state: seenBuilding, next: m.next}
	for _, r := range m.inputs {
		h.inputs = append(h.inputs, r.id)
	}
	return h.put(tx)
}

// plan begins the merges that are due: of runs of one week that have about the same size, and of
// whatever is left of a week that is over.
func (x *seenIndex) plan(tx *bbolt.Tx) error {
	week := unix32(x.now()) / seenWeek
	if x.next.planned && x.next.week == week {
		return nil
	}
	x.next.planned, x.next.week = true, week
	type group struct {
		week uint32
		tier int
	}
	groups, weeks := map[group]int{}, map[uint32]int{}
	for _, r := range x.next.live {
		groups[group{r.week(), r.tier()}]++
		weeks[r.week()]++
	}
	for w, n := range weeks {
		// not while keys of that time may still come: each would be merged with all of the week
		if over := w > 0 && w < week && !x.next.old && !x.merging(w); over && n > 1 {
			if err := x.merge(tx, func(r *seenRun) bool { return r.week() == w }); err != nil {
				return err
			}
		}
	}
	for g, n := range groups {
		if n < seenFanIn {
			continue
		}
		if err := x.merge(tx, func(r *seenRun) bool { return r.week() == g.week && r.tier() == g.tier }); err != nil {
			return err
		}
	}
	return nil
}

// week is when the keys of r came, by weeks; 0 for those without a time.
func (r *seenRun) week() uint32 { return r.newest / seenWeek }

func (r *seenRun) tier() int { return tierOf(r.count) }

// tierOf tells numbers of keys apart by powers of eight; 1,024 lies in the middle of one.
func tierOf(keys uint64) int { return (bits.Len64(keys) - 1) / 3 }

func (x *seenIndex) merging(week uint32) bool {
	return slices.ContainsFunc(x.next.merges, func(m *seenMerge) bool { return m.out.week() == week })
}

// merge begins to merge the runs that of says.
func (x *seenIndex) merge(tx *bbolt.Tx, of func(r *seenRun) bool) error {
	m := &seenMerge{}
	var count uint64
	var newest uint32
	x.next.live = slices.DeleteFunc(x.next.live, func(r *seenRun) bool {
		if !of(r) {
			return false
		}
		m.inputs = append(m.inputs, r)
		count, newest = count+r.count, max(newest, r.newest)
		return true
	})
	if len(m.inputs) == 0 { // another merge of this plan has them
		return nil
	}
	var err error
	if m.out, err = newSeenRun(tx, newest, count, x.part); err != nil {
		return err
	}
	m.out.made = true
	x.next.merges, x.next.viewed = append(x.next.merges, m), false
	return m.put(tx)
}

// mergeParts makes the next parts of a merge, and takes what they hold away from the inputs.
func (x *seenIndex) mergeParts(tx *bbolt.Tx, m *seenMerge) (int, error) {
	to := min(m.out.parts, m.next+uint32(max(1, x.step/x.part)))
	from, _ := m.out.bound(m.next)
	end, bounded := m.out.bound(to)
	x.buf = x.buf[:0]
	var ends []int // in x.buf, of what is there of each input
	for _, r := range m.inputs {
		passed := x.collect(tx, r, from, func(h keyHash) bool { return !bounded || h.below(end) })
		ends = append(ends, len(x.buf))
		if err := deleteAll(tx, bucketSeenKeys, passed); err != nil {
			return 0, err
		}
		if err := deleteAll(tx, bucketSeenFilters, passedFilters(tx, r, end, bounded)); err != nil {
			return 0, err
		}
	}
	n := len(x.buf)
	x.buf, x.spare = mergeSeen(x.buf, x.spare, ends)
	if err := m.out.write(tx, m.next, to, onceSeen(x.buf)); err != nil {
		return 0, err
	}
	m.next = to
	return n, nil
}

// collect adds to x.buf the entries of a run from from on and below an end, and returns the keys of
// blocks that lie wholly below it.
func (x *seenIndex) collect(tx *bbolt.Tx, r *seenRun, from keyHash, below func(keyHash) bool) (passed [][]byte) {
	c, prefix := tx.Bucket([]byte(bucketSeenKeys)).Cursor(), r.prefix()
	for k, v := c.Seek(r.blockKey(from)); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		b, err := parseSeenBlock(v)
		if err != nil { // left where it is
			x.box.unreadable(bucketSeenKeys, k, err)
			continue
		}
		i := sort.Search(b.len(), func(i int) bool { return !b.hash(i).below(from) })
		for ; i < b.len() && below(b.hash(i)); i++ {
			x.buf = append(x.buf, b.entry(i))
		}
		if i < b.len() {
			return passed
		}
		passed = append(passed, bytes.Clone(k))
	}
	return passed
}

// passedFilters returns the keys of the filters of r that only know hashes below end.
func passedFilters(tx *bbolt.Tx, r *seenRun, end keyHash, bounded bool) (passed [][]byte) {
	c, prefix := tx.Bucket([]byte(bucketSeenFilters)).Cursor(), r.prefix()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if bounded {
			if bound, ok := r.bound(partOf(k) + 1); !ok || end.below(bound) {
				break
			}
		}
		passed = append(passed, bytes.Clone(k))
	}
	return passed
}

// removeSome removes a piece of an expired run.
func (x *seenIndex) removeSome(tx *bbolt.Tx) (int, error) {
	if len(x.next.gone) == 0 {
		return 0, nil
	}
	r := x.next.gone[0]
	blocks := max(1, x.step/seenBlock)
	removed := 0
	for _, bucket := range []string{bucketSeenKeys, bucketSeenFilters} {
		var keys [][]byte
		c, prefix := tx.Bucket([]byte(bucket)).Cursor(), r.prefix()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(keys) < blocks; k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		if err := deleteAll(tx, bucket, keys); err != nil {
			return 0, err
		}
		removed += len(keys)
	}
	if removed > 0 {
		failpoint.Hit(failpoint.SeenRemovedPart)
		return removed * seenBlock, nil
	}
	x.next.gone = slices.Delete(x.next.gone, 0, 1)
	return 1, deleteAll(tx, bucketSeenRuns, [][]byte{r.prefix()})
}

func deleteAll(tx *bbolt.Tx, bucket string, keys [][]byte) error {
	b := tx.Bucket([]byte(bucket))
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return fmt.Errorf("remove from %s: %w", bucket, err)
		}
	}
	return nil
}

package boltbox

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/store/failpoint"
)

const (
	// seenSeal is how many keys are kept in memory alone before they are written as a run: as many
	// events are read when the file is opened.
	seenSeal = 1024
	// seenUnsealed is how many times as many events may lie above what is sealed: those with random
	// ids have no keys, and are read too when the file is opened.
	seenUnsealed = 8
	// seenSpare is how many keys may be merged for each key that is appended, besides one for each
	// power of eight in their number: as often a key is merged, and once more when its week is
	// over. More would do large merges in less time, and slow the appends down meanwhile.
	seenSpare = 2
	// seenStep is about how many keys are merged at once. Less would write the same pages again and
	// again, more would be felt by the appends in the same commit.
	seenStep = 4096
	// seenAhead is how many bytes are asked from the disk before the newest events are read.
	seenAhead = 2 << 20
)

// seenIndex knows the keys of events of the last 30 days, by their hash alone: those of the newest
// events in memory, the others in sorted runs in the file. It belongs to who commits.
//
// What a transaction changes is kept apart (next, fresh) until it is committed, so that one that
// is rolled back leaves nothing behind.
type seenIndex struct {
	box  *Box
	now  func() time.Time
	seal int // seenSeal, and less in tests
	step int // seenStep, and less in tests
	part int // seenPart, and less in tests

	cur   *seenState // as committed; nil when it is to be read from the file
	tx    *bbolt.Tx  // the transaction that next and fresh belong to
	next  *seenState
	fresh map[keyHash]seenKey // entered in tx

	view  atomic.Pointer[seenView] // of cur, for everybody
	views uint64                   // how many there were

	credit int    // keys that may be merged
	earned int    // credit of the transaction before
	fed    int    // keys that came in the transaction before
	stamp  uint32 // newest stanza time met since the file was opened
	// room for what is merged at once
	buf, spare []seenEntry
}

// seenOptions make the index small and let time pass, in tests.
type seenOptions struct {
	seal, step, part int
	now              func() time.Time
}

func (x *seenIndex) init(b *Box, o Options) {
	x.box, x.now, x.seal, x.step, x.part = b, o.seen.now, o.seen.seal, o.seen.step, o.seen.part
	if x.now == nil {
		x.now = b.now
	}
	if x.seal == 0 { // all three
		x.seal, x.step, x.part = seenSeal, seenStep, seenPart
	}
}

// seenState is the index at one moment. Slices and maps are replaced, not changed in place, except
// that a commit enters its keys into tail.
type seenState struct {
	sealed outbox.Seq          // the keys of all events at and below it are in runs
	tail   map[keyHash]seenKey // those of the events above it
	live   []*seenRun          // ascending ids
	merges []*seenMerge
	gone   []*seenRun // expired, and not yet removed as a whole
	old    bool       // there are keys that lie as in formats 1 and 2

	viewed  bool // the view knows all that it can of these runs
	planned bool // every merge that is due has begun, as far as runs and week are concerned
	week    uint32
}

// seenKey is what is known of a key that is not in a run yet.
type seenKey struct {
	seq   outbox.Seq
	stamp uint32
}

// reset forgets what is known of the file, which may have changed.
func (x *seenIndex) reset() { x.cur, x.tx, x.next = nil, nil, nil }

// begin is called by every write before it looks into the index. The first one of a transaction
// does a share of what has to be done: it seals keys, forgets old runs and merges others.
func (x *seenIndex) begin(tx *bbolt.Tx) error {
	if x.tx == tx && x.next != nil {
		return nil
	}
	x.tx, x.next, x.fresh = nil, nil, make(map[keyHash]seenKey, len(x.fresh))
	if x.cur == nil {
		cur, err := x.load(tx)
		if err != nil {
			return err
		}
		// else a process that ends soon, again and again, never merges
		x.cur, x.credit = cur, x.step
	}
	next := *x.cur
	next.live, next.merges, next.gone = slices.Clone(next.live), slices.Clone(next.merges), slices.Clone(next.gone)
	x.tx, x.next = tx, &next
	if err := x.maintain(tx); err != nil {
		x.reset()
		return err
	}
	return nil
}

// maintain is the share of the work that one transaction does.
func (x *seenIndex) maintain(tx *bbolt.Tx) error {
	unsealed := tx.Bucket([]byte(bucketEvents)).Sequence() - uint64(x.next.sealed)
	if len(x.next.tail) >= x.seal || unsealed >= uint64(x.seal)*seenUnsealed {
		if err := x.sealAll(tx); err != nil {
			return err
		}
	}
	if err := x.convert(tx); err != nil {
		return err
	}
	if err := x.expire(tx); err != nil {
		return err
	}
	x.preload(tx)
	return x.mergeSome(tx)
}

// commit takes over what the transaction that was just committed did. It is called for operations
// that called begin in it, and for no other: what is kept apart may be of one that was rolled back.
func (x *seenIndex) commit() {
	if x.next == nil {
		return
	}
	maps.Copy(x.next.tail, x.fresh)
	x.earn(len(x.fresh))
	x.cur, x.next, x.tx = x.next, nil, nil
	x.show()
}

// earn allows merging for n keys that came into the index.
func (x *seenIndex) earn(n int) {
	x.fed, x.earned = n, x.next.perKey(x.seal)*n
	x.credit = min(x.credit+x.earned, max(4*x.step, 4*x.earned))
}

// perKey is how many keys may be merged for each one that comes; seal is the size of the smallest
// runs.
func (s *seenState) perKey(seal int) int {
	least := tierOf(uint64(seal))
	most := least
	for _, r := range s.live {
		most = max(most, r.tier())
	}
	for _, m := range s.merges {
		most = max(most, m.out.tier())
	}
	return seenSpare + most - least
}

// find returns the first sequence of a key, which is in no run of the view absent (0: of none).
func (x *seenIndex) find(tx *bbolt.Tx, h keyHash, stamp uint32, absent uint64) (outbox.Seq, bool) {
	if k, ok := x.fresh[h]; ok {
		return k.seq, true
	}
	if k, ok := x.next.tail[h]; ok {
		return k.seq, true
	}
	runs := seenReader{box: x.box, tx: tx}
	for _, r := range slices.Backward(x.next.live) {
		if r.absentSince(absent) {
			continue
		}
		if seq, ok := runs.find(r, h); ok {
			return seq, true
		}
	}
	for _, m := range x.next.merges {
		if m.absentSince(absent) {
			continue
		}
		if seq, ok := m.find(&runs, h); ok {
			return seq, true
		}
	}
	return x.findOld(tx, h, stamp)
}

// enter adds the key of an event that is appended in the transaction.
func (x *seenIndex) enter(h keyHash, k seenKey) {
	x.fresh[h] = k
	x.stamp = max(x.stamp, k.stamp)
}

// sealNow makes sure that the keys of all events are in runs, so that they are known when the
// events are not there any more.
func (x *seenIndex) sealNow(tx *bbolt.Tx) error {
	if err := x.begin(tx); err != nil {
		return err
	}
	return x.sealAll(tx)
}

// sealAll writes all keys that are in memory alone as runs, those without a time as one of their
// own.
func (x *seenIndex) sealAll(tx *bbolt.Tx) error {
	var timed, timeless []seenEntry
	newest := unix32(x.now())
	for _, keys := range []map[keyHash]seenKey{x.next.tail, x.fresh} {
		for h, k := range keys {
			e := seenEntry{hash: h, seq: k.seq}
			if k.stamp == 0 {
				timeless = append(timeless, e)
				continue
			}
			timed = append(timed, e)
			// with a clock that is behind, the run would be forgotten too early
			newest = max(newest, k.stamp)
		}
	}
	if err := x.addRun(tx, timed, newest); err != nil {
		return err
	}
	if err := x.addRun(tx, timeless, 0); err != nil {
		return err
	}
	sealed := outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence())
	if err := putMetaNumber(tx, metaSealed, uint64(sealed)); err != nil {
		return err
	}
	x.next.sealed, x.next.tail = sealed, make(map[keyHash]seenKey, x.seal)
	x.earn(len(x.fresh))
	x.fresh = map[keyHash]seenKey{}
	failpoint.Hit(failpoint.SeenSealed)
	return nil
}

// addRun writes entries as a new run.
func (x *seenIndex) addRun(tx *bbolt.Tx, entries []seenEntry, newest uint32) error {
	if len(entries) == 0 {
		return nil
	}
	entries = sortSeen(entries)
	r, err := newSeenRun(tx, newest, uint64(len(entries)), x.part)
	if err != nil {
		return err
	}
	if err := r.write(tx, 0, r.parts, entries); err != nil {
		return err
	}
	x.next.live, x.next.planned, x.next.viewed = append(x.next.live, r), false, false
	return seenHeader{run: r, state: seenLive}.put(tx)
}

// expire gives up runs whose newest key is older than outbox.SeenKept.
func (x *seenIndex) expire(tx *bbolt.Tx) error {
	// a clock that leaps forward makes nothing old: WhatsApp's time must have come near it
	now := min(int64(unix32(x.now())), int64(x.stamp)+seenClock)
	var errs error
	x.next.live = slices.DeleteFunc(x.next.live, func(r *seenRun) bool {
		if errs != nil || r.newest == 0 || now-int64(r.newest) < int64(outbox.SeenKept/time.Second) {
			return false
		}
		x.next.gone, x.next.viewed = append(x.next.gone, r), false
		errs = seenHeader{run: r, state: seenGone}.put(tx)
		return true
	})
	return errs
}

// seenClock is how many seconds the newest stanza time may be behind the clock when runs expire.
const seenClock = 24 * 60 * 60

func unix32(t time.Time) uint32 { return uint32(max(0, min(t.Unix(), 1<<32-1))) }

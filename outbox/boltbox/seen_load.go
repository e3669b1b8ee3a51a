package boltbox

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// load reads the index from the file: the heads of the runs, and the keys of the events that are
// in none. Neither grows with the number of keys that are known.
func (x *seenIndex) load(tx *bbolt.Tx) (*seenState, error) {
	s := &seenState{sealed: x.box.sealedUpTo(tx), old: tx.Bucket([]byte(bucketOldSeen)) != nil}
	runs := map[uint64]*seenRun{}
	var building []seenHeader
	err := tx.Bucket([]byte(bucketSeenRuns)).ForEach(func(k, v []byte) error {
		h, err := parseSeenHeader(k, v)
		if err != nil {
			x.box.unreadable(bucketSeenRuns, k, err)
			return nil
		}
		switch h.state {
		case seenLive:
			runs[h.run.id] = h.run
		case seenBuilding:
			building = append(building, h)
		case seenGone:
			s.gone = append(s.gone, h.run)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, h := range building {
		m := &seenMerge{out: h.run, next: h.next}
		for _, id := range h.inputs {
			if r, ok := runs[id]; ok {
				m.inputs = append(m.inputs, r)
				delete(runs, id)
			}
		}
		s.merges = append(s.merges, m)
	}
	for _, r := range runs {
		s.live = append(s.live, r)
	}
	sortRuns(s.live)
	s.tail, err = x.loadTail(tx, s.sealed)
	return s, err
}

// loadTail reads the keys of the events above sealed.
func (x *seenIndex) loadTail(tx *bbolt.Tx, sealed outbox.Seq) (map[keyHash]seenKey, error) {
	tail := map[keyHash]seenKey{}
	x.stamp = 0
	last := outbox.Seq(tx.Bucket([]byte(bucketEvents)).Sequence())
	r := eventRange{from: sealed + 1, to: last, ahead: seenAhead}
	for r.from <= last {
		next := x.box.scanEvents(tx, r, func(e storedEvent) bool {
			ev := x.box.eventFields(e) // the body is not needed, and may be damaged
			if ev.Corrupt {
				return true
			}
			h := hashKey(ev.Key)
			if _, ok := tail[h]; !ok && !ev.Random {
				tail[h] = seenKey{seq: ev.Seq, stamp: ev.Stamp}
				x.stamp = max(x.stamp, ev.Stamp)
			}
			return true
		})
		if next <= r.from && next <= last {
			return nil, fmt.Errorf("read the newest events: no way past %d", next)
		}
		r.from = next
	}
	return tail, nil
}

func sortRuns(runs []*seenRun) {
	slices.SortFunc(runs, func(a, b *seenRun) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
}

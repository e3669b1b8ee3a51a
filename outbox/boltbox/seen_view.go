package boltbox

import "go.etcd.io/bbolt"

// seenView is what is known of the runs at one moment, for callers that prepare an append: nearly
// every key is new, and that can be told beside the commits, from the filters in memory alone. It
// never changes.
type seenView struct {
	number uint64
	runs   []*seenRun
	merges []seenMerge
}

// absent returns the number of the view if h is in none of its runs, 0 when it may be. What is in
// none of them is not in what they are merged into either.
func (v *seenView) absent(h keyHash) uint64 {
	if v == nil {
		return 0
	}
	for _, r := range v.runs {
		if r.filters[r.part(h)].mayHold(h) {
			return 0
		}
	}
	for i := range v.merges {
		if v.merges[i].mayHold(h) {
			return 0
		}
	}
	return v.number
}

// mayHold is find by the filters alone, which are all in memory.
func (m *seenMerge) mayHold(h keyHash) bool {
	if p := m.out.part(h); p < m.next {
		return m.out.filters[p].mayHold(h)
	}
	for _, r := range m.inputs {
		if r.filters[r.part(h)].mayHold(h) {
			return true
		}
	}
	return false
}

// show makes a view of what is committed, unless there is one. It leaves out runs of which a filter
// was not read yet, and merges that an earlier process began.
func (x *seenIndex) show() {
	if x.cur.viewed {
		return
	}
	x.views++
	v := &seenView{number: x.views}
	for _, r := range x.cur.live {
		if r.complete() {
			v.runs = append(v.runs, r)
			r.shown(v)
		}
	}
	for _, m := range x.cur.merges {
		if m.begunHere() {
			v.merges = append(v.merges, *m)
			m.out.shown(v)
		}
	}
	x.cur.viewed = true
	x.view.Store(v)
}

// shown notes the first view that r, or what it is made of, is in.
func (r *seenRun) shown(v *seenView) {
	if r.view == 0 {
		r.view = v.number
	}
}

// complete reports whether all filters of r are in memory.
func (r *seenRun) complete() bool { return r.inMemory == r.parts }

func (m *seenMerge) begunHere() bool {
	for _, r := range m.inputs {
		if !r.complete() {
			return false
		}
	}
	return m.out.made
}

// absentSince reports whether a key that was in nothing of the view with that number is not in r.
func (r *seenRun) absentSince(view uint64) bool { return r.view != 0 && r.view <= view }

// absentSince is the same of what is merged: no key comes into it.
func (m *seenMerge) absentSince(view uint64) bool {
	if m.out.absentSince(view) {
		return true
	}
	for _, r := range m.inputs {
		if !r.absentSince(view) {
			return false
		}
	}
	return len(m.inputs) > 0
}

// preload reads some of the filters that are not in memory yet: one for every eight keys that the
// transaction before entered, so that it is not felt by a single append.
func (x *seenIndex) preload(tx *bbolt.Tx) {
	n := x.fed / 8
	s := seenReader{box: x.box, tx: tx}
	for _, r := range x.next.live {
		for p := uint32(0); p < r.parts && n > 0 && !r.complete(); p++ {
			if r.filters[p] == nil {
				s.filter(r, p)
				n--
			}
		}
	}
}

package boltbox

import (
	"testing"
	"time"

	"waoutbox/outbox"
)

// What comes slowly does not fill the ring: an event stays for a minute, and the list shrinks with
// its events. Before, events of the last hours took 8 MiB.
//
// Mutation of ring.go: what came within the last hours fills the ring of recent events, up to 8
// MiB.
func TestTheRingForgets(t *testing.T) {
	const second, each = time.Second, 1000
	r, seq := newRing(1<<30, 1), outbox.Seq(0)
	floor := func(now time.Duration, want outbox.Seq) {
		t.Helper()
		if r.age(now); r.floor != want {
			t.Errorf("after %v everything from %d on is there, want %d", now, r.floor, want)
		}
		bytes := 0
		for _, e := range r.from(0) {
			bytes += weight(&e)
		}
		if live := r.from(0); r.bytes != bytes || len(live) != int(seq+1-want) || len(live) > 0 && live[0].Seq != want {
			t.Errorf("after %v: %d events from %d on, of %d bytes; %d are counted", now, len(live), want, bytes, r.bytes)
		}
	}
	for i := range 100 {
		for range each {
			seq++
			r.push(&outbox.Event{Seq: seq, Body: make([]byte, 10)}, time.Duration(i)*second)
		}
	}
	floor(99*second, 38*each+1)
	floor(150*second, 89*each+1)
	floor(time.Hour, seq+1)
	if len(r.marks) != 0 || cap(r.evs) > 1024 {
		t.Errorf("%d marks, a list for %d events", len(r.marks), cap(r.evs))
	}
	seq++
	r.push(&outbox.Event{Seq: seq}, time.Hour)
	floor(time.Hour+second, seq)
	r.drop([]outbox.Seq{seq})
	if r.age(2 * time.Hour); len(r.from(0)) != 0 || r.bytes != 0 {
		t.Errorf("%d events, %d bytes", len(r.from(0)), r.bytes)
	}
}

package scheduler

import (
	"testing"
	"time"

	"waoutbox/outbox"
)

// TestWhatHasSpentItsScheduleProbesInTurn: while new deliveries are held back those that have spent
// their schedule probe in turn, and between two rounds one that was never attempted: an event that
// alone fails keeps nobody from finding out that an outage is over.
//
// Mutation of patient.go: one event that never succeeds keeps a lease from finding out that an
// outage is over.
func TestWhatHasSpentItsScheduleProbesInTurn(t *testing.T) {
	t.Parallel()
	start := time.Now()
	s := New(1, start)
	s.SetPatient(4)
	s.HoldNew(true)
	for seq := outbox.Seq(1); seq <= 2; seq++ {
		s.AddStored(outbox.Record{Seq: seq, State: outbox.Pending, Attempts: 4, Order: uint64(seq)}, start)
	}
	for seq := outbox.Seq(3); seq <= 5; seq++ {
		s.Add(outbox.Event{Seq: seq, Chat: "c", Body: []byte("{}")}, uint64(seq))
	}
	var probed []outbox.Seq
	for i := range 9 {
		now := start.Add(time.Duration(i+1) * time.Minute)
		d := s.Probe(now)
		if d == nil {
			t.Fatalf("nothing probes after %v", probed)
		}
		probed = append(probed, d.Seq)
		for more := d; more != nil; more = s.Start(now, 4) { // its schedule
			s.Fail(more, now, nil)
			s.Committed(s.Checkpoint(now, true), now)
		}
	}
	got := map[outbox.Seq]int{}
	for _, seq := range probed {
		got[seq]++
	}
	if got[1] < 2 || got[2] < 2 || got[3] == 0 || s.Lowest() != 1 {
		t.Errorf("probed %v, lowest %d", probed, s.Lowest())
	}
	// when the outage is over they are due at once, as retries
	s.HoldNew(false)
	s.Hurry(start.Add(time.Hour))
	if d := s.Start(start.Add(time.Hour), 4); d == nil || d.Seq > 3 {
		t.Errorf("after the outage %+v starts", d)
	}
}

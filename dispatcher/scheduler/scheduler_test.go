package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/outbox"
)

// bench is a Scheduler with a clock in the test's hand.
type bench struct {
	t   *testing.T
	o   *Scheduler
	now time.Time
	by  map[outbox.Seq]*Delivery
}

func newBench(t *testing.T) *bench {
	now := time.Unix(1_700_000_000, 0)
	return &bench{t: t, o: New(1, now), now: now, by: map[outbox.Seq]*Delivery{}}
}

func (b *bench) add(key uint64, seqs ...outbox.Seq) {
	for _, s := range seqs {
		b.o.Add(outbox.Event{Seq: s, Body: []byte("x")}, key)
	}
}

// start starts as many as may and returns their sequences.
func (b *bench) start(slots int) (out []outbox.Seq) {
	for d := b.o.Start(b.now, slots); d != nil; d = b.o.Start(b.now, slots) {
		b.by[d.Seq] = d
		out = append(out, d.Seq)
	}
	return out
}

// commit makes a checkpoint and commits it; it returns "next [records]".
func (b *bench) commit(force bool) string {
	c := b.o.Checkpoint(b.now, force)
	b.o.Committed(c, b.now)
	out := fmt.Sprint(uint64(c.Next), " ")
	for _, r := range c.Set {
		out += fmt.Sprintf("%d:%s:%d ", r.Seq, r.State, r.Attempts)
	}
	return out
}

func (b *bench) want(what string, got any, want any) {
	b.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestOnlyTheLowestOfEachKeyStarts(t *testing.T) {
	b := newBench(t)
	b.add(1, 1, 2)
	b.add(2, 3)
	b.add(1, 4)
	b.want("first", b.start(16), []outbox.Seq{1, 3})
	b.o.Deliver(b.by[3], b.now)
	b.want("nothing of the busy key", b.start(16), []outbox.Seq{})
	b.o.Deliver(b.by[1], b.now)
	b.want("the next of the key, before anything is settled", b.start(16), []outbox.Seq{2})
}

func TestSlotsBoundAttempts(t *testing.T) {
	b := newBench(t)
	for k := range uint64(5) {
		b.add(k, outbox.Seq(k+1))
	}
	b.want("two slots", b.start(2), []outbox.Seq{1, 2})
	b.o.Release(b.by[1])
	b.want("a released one starts again, lowest first", b.start(2), []outbox.Seq{1})
}

func TestHappyPathLeavesNoRecord(t *testing.T) {
	b := newBench(t)
	b.add(1, 1)
	b.add(2, 2)
	b.start(16)
	b.o.Deliver(b.by[1], b.now)
	b.o.Deliver(b.by[2], b.now)
	if at, ok := b.o.CheckpointAt(); !ok || !at.Equal(b.now.Add(settleDelay)) {
		t.Errorf("checkpoint at %v, %v", at, ok)
	}
	b.now = b.now.Add(settleDelay)
	b.want("one cursor, no record", b.commit(false), "3 ")
	if b.o.Unsettled() != 0 || b.o.Unfinished() != 0 || b.o.chats.last.used != 0 || b.o.held != 0 {
		t.Errorf("left behind: %+v", b.o)
	}
}

// Mutation of checkpoint.go: the cursor passes an unfinished delivery and leaves no record.
func TestAFirstFailureMovesTheCursorPastItselfAndLeavesItsRecord(t *testing.T) {
	b := newBench(t)
	b.add(1, 1, 2)
	b.add(2, 3)
	b.start(16)
	b.o.Fail(b.by[3], b.now.Add(time.Second), []byte("log"))
	b.want("what is below gets records too", b.commit(false), "4 1:pending:0 2:pending:0 3:pending:1 ")
	b.o.Deliver(b.by[1], b.now)
	b.now = b.now.Add(settleDelay)
	b.want("a stored one is removed", b.commit(false), "0 1:done:0 ")
}

func TestARetryStartsOnlyOnceItIsStored(t *testing.T) {
	b := newBench(t)
	b.add(1, 1, 2)
	b.start(16)
	b.o.Fail(b.by[1], b.now, nil)
	b.want("not stored yet", b.start(16), []outbox.Seq{})
	b.commit(false)
	b.want("stored, and before the next of its key", b.start(16), []outbox.Seq{1})
}

func TestADeadLetterLetsItsKeyGoOnOnlyOnceItIsStored(t *testing.T) {
	b := newBench(t)
	b.add(1, 1, 2)
	b.start(16)
	b.o.DeadLetter(b.by[1], 4, "http", b.now, nil)
	b.want("not stored yet", b.start(16), []outbox.Seq{})
	c := b.o.Checkpoint(b.now, false)
	b.want("still not", b.start(16), []outbox.Seq{})
	b.o.Committed(c, b.now)
	b.want("stored", b.start(16), []outbox.Seq{2})
	if r := c.Set[0]; r.State != outbox.Dead || r.Reason != "http" || r.Attempts != 4 || !r.At.Equal(b.now) {
		t.Errorf("record %+v", r)
	}
}

func TestWhatEndsWhileACheckpointIsWrittenIsWrittenByTheNext(t *testing.T) {
	b := newBench(t)
	b.add(1, 1)
	b.add(2, 2)
	b.start(16)
	b.o.Fail(b.by[2], b.now, nil)
	c := b.o.Checkpoint(b.now, false)
	b.o.Deliver(b.by[1], b.now) // delivered while its pending record is on the way
	b.o.Committed(c, b.now)
	b.now = b.now.Add(settleDelay)
	b.want("its record is taken back", b.commit(false), "0 1:done:0 ")
	b.want("settled", b.o.Unsettled(), 0)
}

// Mutation of scheduler.go: retries take every slot.
func TestRetriesTakeAtMostHalfTheSlots(t *testing.T) {
	b := newBench(t)
	for k := range uint64(8) {
		b.add(k, outbox.Seq(k+1))
	}
	b.start(8)
	for s := outbox.Seq(1); s <= 8; s++ {
		b.o.Fail(b.by[s], b.now, nil)
	}
	b.commit(false)
	for k := range uint64(8) {
		b.add(100+k, outbox.Seq(101+k))
	}
	b.want("four retries, two fresh", b.start(6), []outbox.Seq{1, 2, 3, 101, 102, 103})
	if _, due := b.o.NextDue(8); !due {
		t.Error("a fourth retry would fit into eight slots")
	}
	if _, due := b.o.NextDue(6); due {
		t.Error("with all slots taken nothing is due")
	}
}

func TestWithOneSlotFreshAndRetriesAlternate(t *testing.T) {
	b := newBench(t)
	var got []outbox.Seq
	for k := range uint64(3) {
		b.add(k, outbox.Seq(k+1))
	}
	b.start(3)
	for s := outbox.Seq(1); s <= 3; s++ {
		b.o.Fail(b.by[s], b.now, nil)
	}
	b.commit(false)
	for k := range uint64(3) {
		b.add(10+k, outbox.Seq(11+k))
	}
	for range 6 {
		s := b.start(1)
		got = append(got, s...)
		b.o.Deliver(b.by[s[0]], b.now)
	}
	b.want("turns", got, []outbox.Seq{1, 11, 2, 12, 3, 13})
}

func TestRetriesWaitForTheirDueTime(t *testing.T) {
	b := newBench(t)
	b.add(1, 1)
	b.start(16)
	due := b.now.Add(3 * time.Second)
	b.o.Fail(b.by[1], due, nil)
	b.commit(false)
	b.want("not due", b.start(16), []outbox.Seq{})
	if at, ok := b.o.NextDue(16); !ok || !at.Equal(due) {
		t.Errorf("next due %v, %v", at, ok)
	}
	b.now = due
	b.want("due", b.start(16), []outbox.Seq{1})
}

// Mutation of chats.go: a replayed event goes to the end of its chat.
func TestAReplayGoesBeforeNewerOnesOfItsKeyButNotBesideThem(t *testing.T) {
	b := newBench(t)
	b.o.SetRead(10)
	b.commit(true)
	b.add(1, 10, 11)
	b.start(16)
	b.o.AddStored(outbox.Record{Seq: 5, Order: 1, Replay: 1}, b.now)
	b.want("one of the key is in flight", b.start(16), []outbox.Seq{})
	b.o.Deliver(b.by[10], b.now)
	b.want("the lowest unfinished", b.start(16), []outbox.Seq{5})
	b.o.AddStored(outbox.Record{Seq: 5, Order: 1, Replay: 2}, b.now)
	b.want("adding it twice changes nothing", b.by[5].Replay(), 1)
}

func TestACheckpointHoldsAtMostMaxChangeRecords(t *testing.T) {
	b := newBench(t)
	for s := outbox.Seq(1); s <= 600; s++ {
		b.add(uint64(s), s)
	}
	b.start(600)
	b.o.Fail(b.by[600], b.now, nil)
	var sizes []int
	next := outbox.Seq(1)
	for {
		c := b.o.Checkpoint(b.now, false)
		if c.Empty() {
			break
		}
		if c.Next < next {
			t.Fatalf("cursor went back from %d to %d", next, c.Next)
		}
		next = c.Next
		sizes = append(sizes, len(c.Set))
		b.o.Committed(c, b.now)
	}
	b.want("records a Change", sizes, []int{256, 256, 88})
	b.want("cursor", b.o.Next(), 601)
}

func TestTheCursorMovesAloneAfterManySkipsOrAMinute(t *testing.T) {
	b := newBench(t)
	b.o.SetRead(500)
	if at, ok := b.o.CheckpointAt(); !ok || !at.Equal(b.now.Add(skipTime)) {
		t.Errorf("few skipped: at %v, %v", at, ok)
	}
	b.o.SetRead(2000)
	if at, ok := b.o.CheckpointAt(); !ok || !at.IsZero() {
		t.Errorf("many skipped: at %v, %v", at, ok)
	}
	b.want("cursor alone", b.commit(false), "2000 ")
	if _, ok := b.o.CheckpointAt(); ok {
		t.Error("nothing is left to write")
	}
}

// Mutation of scheduler.go: bodies of a backlog are held without bound.
func TestBodiesBeyondTheReadAheadAreDropped(t *testing.T) {
	b := newBench(t)
	big := make([]byte, readAhead*2/3)
	b.o.Add(outbox.Event{Seq: 1, Body: big}, 1)
	b.o.Add(outbox.Event{Seq: 2, Body: big}, 2)
	b.start(2)
	if b.by[1].Event() == nil || b.by[2].Event() != nil {
		t.Fatal("want the first body held and the second dropped")
	}
	b.o.Deliver(b.by[1], b.now)
	b.o.Deliver(b.by[2], b.now)
	b.want("held after both", b.o.held, 0)
}

// Attempts of one chat that are in flight when the webhook is made ordered go on; the next one
// waits for all of them.
//
// Mutation of scheduler.go: made ordered, the lane forgets what is in flight.
func TestMadeOrderedTheNextWaitsForAllInFlight(t *testing.T) {
	b := newBench(t)
	b.o.SetUnordered(true)
	b.add(1, 1, 2, 3, 4)
	b.want("all at once", b.start(3), []outbox.Seq{1, 2, 3})
	b.o.SetUnordered(false)
	b.o.Deliver(b.by[1], b.now)
	b.o.Deliver(b.by[3], b.now)
	b.want("one is left", b.start(3), []outbox.Seq{})
	b.o.Fail(b.by[2], b.now, nil)
	b.want("it failed, and is not stored", b.start(3), []outbox.Seq{})
	b.commit(false)
	b.want("its retry goes first", b.start(3), []outbox.Seq{2})
	b.o.Deliver(b.by[2], b.now)
	b.want("then the next", b.start(3), []outbox.Seq{4})
}

// One of them may be a retry that waits below those in flight.
//
// Mutation of chats.go: an attempt in flight does not hold back its chat.
func TestMadeOrderedARetryWaitsForThoseInFlightAboveIt(t *testing.T) {
	b := newBench(t)
	b.o.SetUnordered(true)
	b.add(1, 1, 2)
	b.start(2)
	b.o.Fail(b.by[1], b.now, nil)
	b.commit(false)
	b.o.SetUnordered(false)
	b.want("beside 2", b.start(2), []outbox.Seq{})
	b.o.Deliver(b.by[2], b.now)
	b.want("after 2", b.start(2), []outbox.Seq{1})
}

// What was ready is not any more once a lower one of its key is there, though that is due later.
func TestAReplayHoldsBackNewerOnesThatWereReady(t *testing.T) {
	b := newBench(t)
	b.o.SetRead(10)
	b.commit(true)
	b.add(1, 10)
	b.o.AddStored(outbox.Record{Seq: 5, Order: 1, Replay: 1}, b.now.Add(time.Second))
	b.want("5 is not due, and 10 waits for it", b.start(16), []outbox.Seq{})
	b.now = b.now.Add(time.Second)
	b.want("5 is due", b.start(16), []outbox.Seq{5})
}

func TestChatKey(t *testing.T) {
	a, b := outbox.Event{Key: "e1", Chat: "alice"}, outbox.Event{Key: "e2", Chat: "alice"}
	if ChatKey(a) != ChatKey(b) || ChatKey(a) == ChatKey(outbox.Event{Key: "e1", Chat: "bob"}) {
		t.Error("the key is not the chat's")
	}
}

func TestHeapOrder(t *testing.T) {
	h := deliveryHeap{less: byDue}
	for i, due := range []int{3, 1, 2, 1} {
		h.push(&Delivery{Seq: outbox.Seq(10 - i), at: int64(due)})
	}
	var got []outbox.Seq
	for len(h.items) > 0 {
		got = append(got, h.pop().Seq)
	}
	if want := []outbox.Seq{7, 9, 8, 10}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

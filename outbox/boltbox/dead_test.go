package boltbox_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/outbox"
)

// withDeadLetters is an outbox of wh_a with n dead letters, every thousandth of a group.
func withDeadLetters(t testing.TB, dir string, n int) *outboxAt {
	t.Helper()
	o := &outboxAt{path: filepath.Join(dir, "dead.db")}
	o.open(t)
	subscribe(t, o.box, "wh_a", outbox.Any)
	settled := make(chan error, 1)
	settled <- nil
	for o.n < n {
		evs := make([]outbox.Event, min(outbox.MaxBatch, n-o.n))
		for i := range evs {
			o.n++
			evs[i] = event(fmt.Sprint(o.n))
			if o.n%1000 == 0 {
				evs[i].Name = "group.update"
			}
		}
		seqs, err := o.box.Append(t.Context(), evs...)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-settled; err != nil {
			t.Fatal(err)
		}
		set := make([]outbox.Record, len(seqs))
		for i, seq := range seqs {
			set[i] = outbox.Record{Seq: seq, State: outbox.Dead, Reason: "http", Log: make([]byte, 300)}
		}
		// it rides along with the next append
		go func() {
			settled <- o.box.Commit(t.Context(), outbox.Change{Sub: "wh_a", Next: seqs[len(seqs)-1] + 1, Set: set})
		}()
	}
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
	return o
}

// walkDead goes over all dead letters of wh_a and counts those of groups.
func (o *outboxAt) walkDead(t testing.TB) (found, walked int) {
	t.Helper()
	for after := outbox.Seq(0); ; {
		page, err := o.box.DeadHeads(t.Context(), "wh_a", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return found, walked
		}
		for _, h := range page {
			walked++
			if h.Event.Name == "group.update" {
				found++
			}
		}
		after = page[len(page)-1].Record.KeySeq()
	}
}

// A page of dead letters costs the same wherever it lies, so a filtered walk costs what it goes
// over: 100,000 letters within a second (BenchmarkWalkDead). Before, the caller asked for each
// event by itself, with its body, and from the beginning for every page: 10,000 letters took 0.3 s
// and 40,000 took 9.2 s.
func TestManyDeadLettersAreWalked(t *testing.T) {
	const n = 20_000
	o := withDeadLetters(t, t.TempDir(), n)
	defer o.close(t)
	if found, walked := o.walkDead(t); walked != n || found != n/1000 {
		t.Errorf("found %d of %d letters, want %d of %d", found, walked, n/1000, n)
	}
	var first, last time.Duration
	for range 50 {
		for after, best := range map[outbox.Seq]*time.Duration{0: &first, n - outbox.MaxBatch: &last} {
			start := time.Now()
			if page, err := o.box.DeadHeads(t.Context(), "wh_a", after, 0); err != nil || len(page) != outbox.MaxBatch {
				t.Fatalf("a page after %d has %d letters, %v", after, len(page), err)
			}
			*best = least(*best, time.Since(start))
		}
	}
	t.Logf("the first page takes %v, the last %v", first, last)
	if last > 3*first+500*time.Microsecond {
		t.Errorf("the first page takes %v, the last %v: a walk is not linear", first, last)
	}
}

// BenchmarkWalkDead is the walk over 100,000 letters.
func BenchmarkWalkDead(b *testing.B) {
	o := withDeadLetters(b, b.TempDir(), 100_000)
	defer o.close(b)
	for b.Loop() {
		o.walkDead(b)
	}
}

// Trimming over many steps leaves what records name, wherever a step ends: single ones, and a run
// that spans several steps.
func TestTrimInManySteps(t *testing.T) {
	const n = 5_000
	o := &outboxAt{path: filepath.Join(memoryDir(t), "trim.db")}
	o.open(t)
	defer o.close(t)
	subscribe(t, o.box, "wh_a", "message.received")
	subscribe(t, o.box, "wh_b", outbox.Any)
	for o.n < n {
		evs := make([]outbox.Event, outbox.MaxBatch)
		for i := range evs {
			o.n++
			evs[i] = event(fmt.Sprint(o.n))
			if o.n%2 == 0 {
				evs[i].Name = "presence.update"
			}
		}
		if _, err := o.box.Append(t.Context(), evs...); err != nil {
			t.Fatal(err)
		}
	}
	last := outbox.Seq(o.n)
	commit(t, o.box, outbox.Change{Sub: "wh_a", Next: last + 1, Set: []outbox.Record{{Seq: 1001, Last: 3999, Count: 1500, State: outbox.Dead}}})
	kept := map[outbox.Seq]bool{}
	set := []outbox.Record{}
	for _, seq := range []outbox.Seq{1, 2, 1024, 1025, 2048, 4096, 4097, last} {
		kept[seq] = true
		set = append(set, outbox.Record{Seq: seq, State: outbox.Pending + outbox.State(seq%2)})
	}
	commit(t, o.box, outbox.Change{Sub: "wh_b", Next: last + 1, Set: set})
	for seq := outbox.Seq(1001); seq <= 3999; seq += 2 {
		kept[seq] = true
	}
	total := 0
	for { // in calls of an odd size
		got, more, err := o.box.Trim(t.Context(), time.Now(), 70)
		if err != nil {
			t.Fatal(err)
		}
		total += got
		if !more {
			break
		}
	}
	if want := o.n - len(kept); total != want {
		t.Errorf("%d events were trimmed, want %d", total, want)
	}
	for seq := outbox.Seq(1); seq <= last; seq++ {
		if _, err := o.box.Event(t.Context(), seq); (err == nil) != kept[seq] {
			t.Fatalf("event %d: %v, kept: %v", seq, err, kept[seq])
		}
	}
}

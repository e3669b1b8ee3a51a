package boltbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

const (
	// trimChildEnv makes the test binary a process that appends, dead-letters, replays, purges,
	// lets expire and trims until it kills itself.
	trimChildEnv = "WAOUTBOX_TEST_TRIM_CHILD"
	// trimLives is how many processes die.
	trimLives = 30
)

// trimChild works until it dies.
func trimChild(path string) int {
	ctx := context.Background()
	fail := func(err error) int { fmt.Println("error", err); return 1 }
	box, err := openToDie(ctx, path)
	if err != nil {
		return fail(err)
	}
	failed := make(chan error, 3)
	for _, id := range []outbox.SubID{"wh_a", "wh_b"} {
		go func() { failed <- trimLane(ctx, box, id) }()
	}
	go func() {
		for {
			if _, _, err := box.Trim(ctx, time.Now(), 1+rand.IntN(40)); err != nil {
				failed <- err
				return
			}
		}
	}()
	return fail(<-failed)
}

// trimLane is one writer of a subscription: it passes events, leaves records of some, and changes
// what the records of before are.
func trimLane(ctx context.Context, box *boltbox.Box, id outbox.SubID) error {
	for round := 0; ; round++ {
		var evs []outbox.Event
		for i := range 12 {
			evs = append(evs, seenEvent(fmt.Sprint(id, os.Getpid(), "-", round, "-", i)))
		}
		if _, err := box.Append(ctx, evs...); err != nil {
			return err
		}
		next, _, pending, err := box.Load(ctx, id)
		if err != nil {
			return err
		}
		owed, err := box.CountOwed(ctx, id, next, 1<<60)
		if err != nil || owed.Count < 6 {
			return fmt.Errorf("%d events are owed, %w", owed.Count, err)
		}
		reasons := []string{"http", outbox.ReasonExpired}
		run := outbox.Record{Seq: owed.First, State: outbox.Dead, Reason: reasons[rand.IntN(2)]}
		mid, err := box.CountOwed(ctx, id, owed.First, owed.First+(owed.Last-owed.First)/2)
		if err != nil {
			return err
		}
		if mid.Count > 1 {
			run.Last, run.Count = mid.Last, mid.Count
		}
		c := outbox.Change{Sub: id, Next: owed.Last + 1, Set: []outbox.Record{run, {Seq: owed.Last, State: outbox.Pending}}}
		for _, r := range pending {
			r.State = outbox.State(rand.IntN(3))
			r.Reason = reasons[rand.IntN(2)]
			c.Set = append(c.Set, r)
		}
		dead, err := box.Dead(ctx, id, outbox.Seq(rand.Int64N(int64(owed.Last))), 8)
		if err != nil {
			return err
		}
		for _, r := range dead {
			if !r.Expired() { // what has expired stays so
				r.Reason = reasons[rand.IntN(2)]
			}
			switch rand.IntN(3) {
			case 0:
				r.State = outbox.Done
			case 1:
				if !r.IsRun() && !r.Expired() {
					r.State, r.Replay = outbox.Pending, r.Replay+1
				}
			}
			c.Set = append(c.Set, r)
		}
		if err := box.Commit(ctx, c); err != nil {
			return err
		}
	}
}

// A process that dies right before or right after any commit leaves what records hold, and a mark
// of trimming that is right: in the end everything else goes, however far it had come, and the
// counts by reason are those of a walk.
func TestTrimKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	open := func() (*store.DB, *boltbox.Box) {
		db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		return db, openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	}
	db, box := open()
	subscribe(t, box, "wh_a", outbox.Any)
	subscribe(t, box, "wh_b", "message.received")
	for life := range trimLives {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := dyingChild(t, trimChildEnv, path, life).Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Success() || len(out) > 0 {
			t.Fatalf("life %d: the child did not die: %v %s", life, err, out)
		}
		storetest.Check(t, path)
		db, box = open()
		checkHeld(t, box, life)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkHeld trims everything there is, and compares what is left with the records.
func checkHeld(t *testing.T, box *boltbox.Box, life int) {
	t.Helper()
	st, err := box.Stats(t.Context())
	if err != nil || st.Undecodable != 0 {
		t.Fatalf("life %d: %+v, %v", life, st, err)
	}
	held := map[outbox.Seq]bool{}
	for id := range st.Subs {
		next, _, pending, err := box.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range pending {
			held[r.Seq] = true
		}
		reasons := map[string]int64{}
		for after := outbox.Seq(0); ; {
			page, err := box.Dead(t.Context(), id, after, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				after = r.KeySeq()
				reasons[r.Reason] += int64(max(1, r.Count))
				for seq := r.Seq; seq <= r.KeySeq() && !r.Expired(); seq++ {
					if _, err := box.Event(t.Context(), seq); err == nil { // of a run, what is owed
						held[seq] = true
					} else if seq == r.Seq || seq == r.KeySeq() {
						t.Errorf("life %d: the event of %s/%d is gone: %v", life, id, seq, err)
					}
				}
			}
			if len(page) < outbox.MaxBatch {
				break
			}
		}
		if got, err := box.DeadReasons(t.Context(), id); err != nil || fmt.Sprint(got) != fmt.Sprint(reasons) {
			t.Errorf("life %d: dead by reason: %v, %v; a walk counts %v", life, got, err, reasons)
		}
		for seq := next; seq <= st.Last; seq++ {
			held[seq] = true
		}
	}
	trimAll(t, box)
	kept := 0
	for seq := outbox.Seq(1); seq <= st.Last; seq++ {
		_, err := box.Event(t.Context(), seq)
		if err == nil {
			kept++
		}
		if err == nil && !held[seq] {
			t.Errorf("life %d: event %d is held by nothing and stays", life, seq)
		}
	}
	if st, err := box.Stats(t.Context()); err != nil || st.Events != int64(kept) {
		t.Errorf("life %d: %d events are counted, %v; %d are there", life, st.Events, err, kept)
	}
}

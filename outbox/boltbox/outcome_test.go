package boltbox_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// slowDisk holds every commit, once armed, until it is released: a disk whose fsync takes its time.
type slowDisk struct {
	armed   atomic.Bool
	began   chan struct{} // one value for each commit that waits
	release chan error    // what the commit returns after the real one; one value for each
}

func newSlowDisk() *slowDisk {
	return &slowDisk{began: make(chan struct{}, 8), release: make(chan error, 8)}
}

func (d *slowDisk) commit(commit func() error) error {
	if !d.armed.Load() {
		return commit()
	}
	d.began <- struct{}{}
	return errors.Join(<-d.release, commit())
}

// A change whose caller leaves while it is being written is waited for: whoever loads afterwards
// sees it. Before, the call returned at once with an unknown outcome, a load read the state from
// before the change, and a sequence was delivered twice, the second time after a later one
// (1 1 3 1), or stayed pending for ever.
func TestLoadAfterACutCommitSeesIt(t *testing.T) {
	disk := newSlowDisk()
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: disk.commit})
	box := openBox(t, db, boltbox.Options{})
	subscribe(t, box, "wh_a", outbox.Any)
	seqs := appendKeys(t, box, "1", "2")
	disk.armed.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- box.Commit(ctx, outbox.Change{Sub: "wh_a", Next: seqs[1], Set: []outbox.Record{{Seq: seqs[0], State: outbox.Pending, Attempts: 1}}})
	}()
	<-disk.began
	cancel()
	select {
	case err := <-done:
		close(disk.release)
		t.Fatalf("Commit returned %v while its write was still to come", err)
	case <-time.After(50 * time.Millisecond):
	}
	disk.release <- nil
	if err := soon(t, done); err != nil {
		t.Fatalf("a commit that was written gave %v", err)
	}
	next, _, pending, err := box.Load(t.Context(), "wh_a")
	if err != nil || next != seqs[1] || len(pending) != 1 || pending[0].Attempts != 1 {
		t.Errorf("Load after it = %d, %+v, %v", next, pending, err)
	}
}

// After a commit of unknown outcome nothing is read until it is known: a Load that is asked while
// the disk is slow, the file closed or being opened again, never shows the old state of a change
// that is in the file in the end.
func TestLoadNeverShowsTheOldStateOfAnUnknownWrite(t *testing.T) {
	for name, written := range map[string]bool{"not written": false, "written": true} {
		t.Run(name, func(t *testing.T) {
			var fail atomic.Bool
			db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
				if !fail.CompareAndSwap(true, false) {
					return commit()
				}
				if !written {
					return syscall.EIO
				}
				return errors.Join(commit(), syscall.EIO)
			}})
			box := openBox(t, db, boltbox.Options{})
			subscribe(t, box, "wh_a", outbox.Any)
			seqs := appendKeys(t, box, "1", "2")
			for i := range 20 {
				change := outbox.Change{Sub: "wh_a", Next: seqs[1], Lane: []byte{byte(i)}}
				fail.Store(true)
				var wg sync.WaitGroup
				told := make(chan struct{})
				var early []byte // what the last Load that began before the verdict saw
				wg.Go(func() {
					for {
						_, lane, _, err := box.Load(t.Context(), "wh_a")
						if err != nil && !errors.Is(err, outbox.ErrClosed) {
							t.Errorf("Load: %v", err)
						}
						select {
						case <-told:
							return
						default:
							early = lane
						}
					}
				})
				err := box.Commit(t.Context(), change)
				_, lane, _, loadErr := box.Load(t.Context(), "wh_a")
				close(told)
				wg.Wait()
				if !errors.Is(err, outbox.ErrUnknown) || loadErr != nil {
					t.Fatalf("Commit = %v, Load = %v", err, loadErr)
				}
				if got := slices.Equal(lane, change.Lane); got != written {
					t.Fatalf("round %d: Load after the verdict shows %v (before it %v), written: %v", i, lane, early, written)
				}
				commit(t, box, change) // repeating it is harmless, and settles it
				if _, lane, _, err := box.Load(t.Context(), "wh_a"); err != nil || !slices.Equal(lane, change.Lane) {
					t.Fatalf("after repeating it: %v, %v", lane, err)
				}
			}
		})
	}
}

// While the file cannot be opened again, statistics and the list of subscriptions come from memory
// and say so; a settlement hears at once that it was not done. Before, Stats failed, so `status`
// and `webhook list` did, and a settlement waited for the whole pause.
func TestStatsWhileTheFileCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail, down atomic.Bool
		db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema(), CommitHook: func(commit func() error) error {
			if fail.CompareAndSwap(true, false) {
				return syscall.EIO
			}
			return commit()
		}})
		box := openBox(t, db, boltbox.Options{})
		db.OnReload(func() error {
			if down.Load() {
				return errors.New("no such luck")
			}
			return nil
		})
		subscribe(t, box, "wh_a", outbox.Any)
		seqs := appendKeys(t, box, "1", "2", "3", "4")
		commit(t, box, outbox.Change{Sub: "wh_a", Next: seqs[3], Set: []outbox.Record{{Seq: seqs[0], State: outbox.Pending}, {Seq: seqs[1], State: outbox.Dead}}})
		fail.Store(true)
		down.Store(true)
		if _, err := box.Append(t.Context(), event("5")); !errors.Is(err, outbox.ErrUnknown) {
			t.Fatalf("Append = %v", err)
		}
		start := time.Now()
		if err := box.Commit(t.Context(), outbox.Change{Sub: "wh_a", Next: seqs[3]}); !errors.Is(err, outbox.ErrClosed) {
			t.Errorf("a settlement while the file is down: %v", err)
		}
		for range 2 {
			st, err := box.Stats(t.Context())
			if err != nil || !st.CountsUnknown || st.Last != seqs[3] || len(st.Faults) != 2 || st.Faults[0].Cause != outbox.FaultCommit || st.Faults[1].Cause != outbox.FaultReopening {
				t.Fatalf("Stats = %+v, %v", st, err)
			}
			if ss := st.Subs["wh_a"]; ss.Next != seqs[3] || ss.Dead != 1 || ss.Pending < 1 {
				t.Errorf("Stats of wh_a = %+v", ss)
			}
		}
		if subs, err := box.Subs(t.Context()); err != nil || len(subs) != 1 {
			t.Errorf("Subs = %v, %v", subs, err)
		}
		if took := time.Since(start); took >= time.Second {
			t.Errorf("all of this took %v: the pause was waited for", took)
		}
		down.Store(false)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		deadline := time.After(time.Minute)
		for {
			if _, err := box.Append(t.Context(), event("5")); err == nil {
				break
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("the file is not opened again")
			}
		}
		if st, err := box.Stats(t.Context()); err != nil || st.CountsUnknown || len(st.Faults) != 0 || st.Events != 5 {
			t.Errorf("afterwards Stats = %+v, %v", st, err)
		}
	})
}

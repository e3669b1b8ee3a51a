package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Asking for status clears no fault, however often: before, the first call after a failed commit
// made it invisible.
func TestStatsClearsNoFault(t *testing.T) {
	db, heal, _ := broken(t, store.DBOptions{MinFree: 1})
	var since time.Time
	for range 3 {
		s := db.Stats()
		if causes(s) != "commit reopening" {
			t.Fatalf("faults while the file is down: %v", s.Faults)
		}
		if since.IsZero() {
			since = s.Faults[0].Since
		}
		if !s.Faults[0].Since.Equal(since) {
			t.Errorf("the first fault is of %v, it was of %v", s.Faults[0].Since, since)
		}
	}
	heal()
	within(t, func() bool { return causes(db.Stats()) == "commit" })
	// that a settlement is committed shows that commits work: before, the alarm stayed until the
	// next append, so for hours in a quiet night
	if err := db.Do(t.Context(), put("settle")); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); len(s.Faults) != 0 {
		t.Errorf("after a settlement: %v", s.Faults)
	}
}

// Every error that means a full disk is one, on each system: before, only ENOSPC was; EDQUOT and
// EFBIG were told as an unknown outcome.
//
// Mutation of errors.go: a full quota or a file too large counts as an unknown outcome.
func TestEveryFullDiskIsFull(t *testing.T) {
	for _, full := range store.DiskFullErrors() {
		t.Run(full.Error(), func(t *testing.T) {
			var fail atomic.Bool
			fail.Store(true)
			db := storetest.Open(t, store.DBOptions{CommitHook: func(commit func() error) error {
				if fail.Load() {
					return fmt.Errorf("write: %w", full)
				}
				return commit()
			}})
			for range 2 {
				if err := db.Do(t.Context(), appendOf("a")); !errors.Is(err, store.Full) || errors.Is(err, store.Unknown) {
					t.Errorf("a full disk gives %v", err)
				}
				if s := db.Stats(); causes(s) != "disk_full" || !strings.Contains(s.Faults[0].Message, "make space") {
					t.Errorf("faults of a full disk: %v", s.Faults)
				}
			}
			fail.Store(false)
			if err := db.Do(t.Context(), appendOf("b")); err != nil {
				t.Errorf("with space again: %v", err)
			}
			if s := db.Stats(); len(s.Faults) != 0 {
				t.Errorf("with space again: %v", s.Faults)
			}
			if got := keys(t, db); got != "b" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
	for goos, want := range map[string][]error{
		"linux":   {syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG},
		"darwin":  {syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG},
		"windows": {syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295)},
	} {
		for _, w := range want {
			if !strings.Contains(fmt.Sprintf("%#v", store.DiskFullErrorsOf(goos)), fmt.Sprintf("%#v", w)) {
				t.Errorf("%s: %#v is not among %#v", goos, w, store.DiskFullErrorsOf(goos))
			}
		}
	}
}

// A full disk stays one alarm since the first append that did not fit, whatever settlements do that
// still find room: before, each of them cleared it, and the next append began it anew.
//
// Mutation of faults.go: a settlement clears the alarm of appends that do not fit.
func TestSettlementsDoNotMoveTheAlarm(t *testing.T) {
	var appending atomic.Bool
	db := storetest.Open(t, store.DBOptions{CommitHook: func(commit func() error) error {
		if appending.Load() {
			return syscall.ENOSPC
		}
		return commit()
	}})
	var since time.Time
	for i := range 4 {
		appending.Store(true)
		if err := db.Do(t.Context(), appendOf("a")); !errors.Is(err, store.Full) {
			t.Fatal(err)
		}
		appending.Store(false)
		if err := db.Do(t.Context(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		s := db.Stats()
		if causes(s) != "disk_full" {
			t.Fatalf("faults after a settlement: %v", s.Faults)
		}
		if i == 0 {
			since = s.Faults[0].Since
		}
		if !s.Faults[0].Since.Equal(since) {
			t.Errorf("the alarm moved from %v to %v", since, s.Faults[0].Since)
		}
	}
}

// A short disk is a fault until it has space again, whether or not an append comes, and hides no
// other.
//
// Mutation of space.go: appends are taken into the last half of the space that is kept free.
func TestShortDiskEndsByItself(t *testing.T) {
	var free atomic.Uint64
	free.Store(5)
	db := storetest.Open(t, store.DBOptions{MinFree: 10, FreeSpace: func(string) (uint64, error) { return free.Load(), nil }})
	if err := db.Do(t.Context(), appendOf("a")); !errors.Is(err, store.Full) {
		t.Fatalf("a short disk gives %v", err)
	}
	first := db.Stats().Faults
	if err := db.Do(t.Context(), put("settle")); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); causes(s) != "disk_low" || !s.Faults[0].Since.Equal(first[0].Since) {
		t.Errorf("after a settlement: %v, want %v", s.Faults, first)
	}
	free.Store(10)
	within(t, func() bool { return len(db.Stats().Faults) == 0 })
}

// MinFree 0 is no limit: before, it meant 256 MiB.
func TestNoLimitOfFreeSpace(t *testing.T) {
	db := storetest.Open(t, store.DBOptions{FreeSpace: func(string) (uint64, error) { return 0, nil }})
	if err := db.Do(t.Context(), appendOf("a")); err != nil {
		t.Error(err)
	}
}

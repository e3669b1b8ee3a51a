package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

// Steps of the history of a lease.
const (
	leaseAppend = iota
	leaseMood
	leasePass
	leaseRestart
	leaseExpire
	leaseRefresh
	leaseLapse
	leaseTrim
	leaseUnsubscribe
)

func leaseSteps() []int {
	return []int{leaseAppend, leaseAppend, leaseAppend, leaseAppend, leaseMood, leaseMood, leaseMood, leasePass, leasePass, leasePass, leaseRestart, leaseRestart,
		leaseExpire, leaseRefresh, leaseRefresh, leaseLapse, leaseTrim, leaseUnsubscribe}
}

// take makes a step.
func (w *leaseWorld) take(s step) {
	waits := []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, time.Second, 4 * time.Second, 11 * time.Second,
		15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour}
	switch s.Kind {
	case leaseAppend:
		w.append(s.A, s.Hook+s.B)
	case leaseMood:
		w.mu.Lock()
		w.mood, w.gapMood = s.A%leaseMoods, s.B
		w.mu.Unlock()
	case leasePass:
		pass(waits[s.A])
	case leaseRestart:
		w.restart()
	case leaseExpire:
		w.expire(s.A, waits[s.B])
	case leaseRefresh:
		w.refresh(s.A%3 == 0)
	case leaseLapse:
		w.lapse()
	case leaseTrim:
		w.trim(waits[s.A])
	case leaseUnsubscribe:
		w.unsubscribe()
	}
}

// liveLease runs a history and returns the rules that were broken.
func liveLease(t *testing.T, slow bool, history []step) (faults []string, seen leaseSeen) {
	dir := t.TempDir()
	// it is about meaning, not about durability
	if shm, err := os.MkdirTemp("/dev/shm", "waoutbox-model"); err == nil {
		defer os.RemoveAll(shm)
		dir = shm
	}
	synctest.Test(t, func(t *testing.T) {
		w := newLeaseWorld(dir, slow)
		w.append(0, 0)
		w.subscribe(0)
		w.start()
		for _, s := range history {
			w.take(s)
		}
		w.end()
		faults, seen = w.faults, w.seen
	})
	storetest.Check(t, filepath.Join(dir, store.OutboxFile))
	return faults, seen
}

// Whatever a receiver, a disk, a client and time do to a lease: every event that it wanted arrives,
// or was refused by its receiver, or its client is told that some are lost; each chat in order; and
// nothing says of an event that it is behind which was neither delivered, nor refused, nor told as
// lost.
func TestHistoriesOfLeases(t *testing.T) {
	for name, slow := range map[string]bool{"near": false, "far": true} {
		t.Run(name, func(t *testing.T) {
			var all leaseSeen
			everything := func() bool {
				return all.delivered > 0 && all.refused > 0 && all.truncated > 0 && all.lives > 0 && all.gaps > 0
			}
			for batch := 0; batch < 10 && !everything() && !t.Failed(); batch++ { // some are rare
				rapid.Check(t, func(rt *rapid.T) {
					faults, seen := liveLease(t, slow, steps(leaseSteps()).Draw(rt, "history"))
					all.add(seen)
					if len(faults) > 0 {
						rt.Fatalf("%d faults:\n%s", len(faults), strings.Join(faults[:min(len(faults), 10)], "\n"))
					}
				})
			}
			t.Logf("%+v", all)
			if !everything() {
				t.Errorf("the histories did not come to everything: %+v", all)
			}
		})
	}
}

// The model can see faults: a body that says that an event is behind which never arrived, and one
// that vanished.
func TestTheModelOfLeasesSeesFaults(t *testing.T) {
	w := &leaseWorld{leaseModel: newLeaseModel()}
	w.appended("a", 1)
	w.appended("a", 2)
	w.appended("b", 3)
	w.begins(1, false)
	w.begins(1, false) // another life
	w.mu.Lock()
	w.judge(2, 2)
	w.judge(3, 1)
	n := len(w.faults)
	w.finish()
	w.mu.Unlock()
	if n != 1 || len(w.faults) != n+3 {
		t.Errorf("a model that sees %q", w.faults)
	}
}

package model

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"waoutbox/outbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// step is one step of a history: what, on which webhook, and two numbers of which each kind makes
// what it needs.
type step struct{ Kind, Hook, A, B int }

// kinds of steps.
const (
	stepAppend = iota
	stepMood
	stepPass
	stepReplay
	stepPurge
	stepFilter
	stepRemove
	stepRestart
	stepStop
	stepTrim
	stepExpire
	stepCompact
	stepClock // the times of the events to come: outbox/retention has tests of its clock
	stepResume
	stepPause
	stepRedeliver
	stepSkip
	stepOrder
	stepRedrive
	stepOutage
	stepLeap // the clock of the machine is set
	stepSend
)

// anySteps are of every kind, orderSteps of those that order depends on.
func anySteps() []int {
	return []int{stepAppend, stepAppend, stepAppend, stepAppend, stepMood, stepMood, stepPass, stepPass, stepPass, stepReplay, stepReplay, stepPurge,
		stepFilter, stepRemove, stepRemove, stepRestart, stepStop, stepTrim, stepExpire, stepCompact, stepClock, stepResume, stepPause, stepRedeliver, stepSkip, stepOrder,
		stepRedrive, stepOutage, stepLeap, stepSend}
}

// redriveSteps are those that a redrive depends on, outages above all.
func redriveSteps() []int {
	return []int{stepAppend, stepAppend, stepMood, stepPass, stepPass, stepOutage, stepOutage, stepOutage, stepRedrive, stepReplay, stepPurge, stepRestart,
		stepExpire, stepRedeliver, stepSkip, stepClock, stepRemove, stepFilter, stepResume}
}

func orderSteps() []int {
	return []int{stepAppend, stepAppend, stepAppend, stepAppend, stepMood, stepMood, stepPass, stepPass, stepPass, stepFilter, stepRestart, stepOrder, stepOrder, stepOrder}
}

func steps(kinds []int) *rapid.Generator[[]step] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			rapid.SampledFrom(kinds).Draw(t, "kind"),
			rapid.IntRange(0, 2).Draw(t, "hook"), rapid.IntRange(0, 11).Draw(t, "a"), rapid.IntRange(0, 11).Draw(t, "b"),
		}
	})
	return rapid.SliceOfN(one, 1, 40)
}

// take makes a step.
func (w *world) take(s step) {
	waits := []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, time.Second, time.Second, 4 * time.Second,
		11 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 100 * time.Second}
	switch s.Kind {
	case stepAppend:
		w.append(s.A, s.Hook, s.B)
	case stepMood:
		w.mu.Lock()
		w.mood[s.Hook] = s.A % moods
		if s.B == 0 { // nobody is there
			w.mood = [3]int{broken, broken, broken}
		}
		w.mu.Unlock()
	case stepPass:
		pass(waits[s.A])
	case stepReplay:
		w.ask(s.Hook, s.A, false, waits[s.B])
	case stepPurge:
		w.ask(s.Hook, s.A, true, waits[s.B])
	case stepFilter: // and revive. The first webhook stays ordered
		w.put(s.Hook, s.A%nothing, s.Hook > 0 && s.B%3 == 0, waits[s.B])
	case stepRemove:
		if s.Hook > 0 {
			w.put(s.Hook, nothing, false, waits[s.B])
		}
	case stepRestart:
		w.restart()
		w.start()
	case stepStop: // what is asked for then happens without lanes
		w.stop()
	case stepTrim:
		_, _, _ = w.eng.Trim(context.Background(), time.Now().Add(-waits[s.A]), 1+s.B)
	case stepExpire:
		w.expire(s.Hook, outbox.Seq(s.A), waits[s.B], s.B < 3)
	case stepCompact:
		if err := w.db.Compact(context.Background()); err != nil && !errors.Is(err, store.Busy) {
			w.mu.Lock()
			w.fault("compact: %v", err)
			w.mu.Unlock()
		}
	case stepClock:
		w.clock = time.Duration(s.A-6) * 24 * time.Hour
	case stepResume:
		w.start()
		_ = w.disp.Resume(context.Background(), hookID(s.Hook))
	case stepOrder: // either way; every event is wanted
		if s.Hook > 0 {
			w.put(s.Hook, 0, s.A%2 == 0, time.Minute)
		}
	case stepRedrive: // on or off
		if w.redrive[s.Hook] = s.A%4 != 0; w.wish[s.Hook] != nothing {
			w.put(s.Hook, w.wish[s.Hook], w.unordered[s.Hook], time.Minute)
		}
	case stepOutage: // so long that some events die, and then over
		w.outage(s.Hook, s.A, s.B)
	case stepRedeliver:
		w.redeliver(s.Hook, s.A, s.B, waits[s.A])
	case stepSkip:
		w.skip(s.Hook)
	case stepLeap:
		w.leap(s.A)
	case stepSend:
		w.send()
	case stepPause:
		_ = w.disp.Pause(context.Background(), hookID(s.Hook), "paused")
	}
}

// live runs a history and returns the rules that were broken, and how much was redriven.
func live(t *testing.T, slow bool, history []step) (faults []string, redriven int) {
	dir := t.TempDir()
	// it is about meaning, not about durability
	if shm, err := os.MkdirTemp("/dev/shm", "waoutbox-model"); err == nil {
		defer os.RemoveAll(shm)
		dir = shm
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, slow)
		w.redrive[1] = true
		for i := range w.mood {
			w.put(i, i%2, false, time.Minute)
		}
		w.append(0, 0, 1) // what is known of the time
		w.start()
		for _, s := range history {
			w.take(s)
		}
		faults, redriven = w.end(), w.own
	})
	storetest.Check(t, filepath.Join(dir, store.OutboxFile))
	return faults, redriven
}

// Whatever happens in whatever order, everything owed ends delivered or as a dead letter, in order,
// after the attempts of the schedule and no others.
//
// Mutation of dispatcher/backlog.go: a delivery that is waiting when its webhook is removed is
// forgotten.
// Mutation of dispatcher/finish.go: a wait counts from the beginning of the attempt before.
func TestHistories(t *testing.T) {
	for name, c := range map[string]struct {
		slow  bool
		kinds []int
	}{"near": {false, anySteps()}, "far": {true, anySteps()}, "near, order": {false, orderSteps()}, "far, order": {true, orderSteps()}, "near, leaps": {false, leapSteps()}, "far, leaps": {true, leapSteps()}, "near, redrive": {false, redriveSteps()}, "far, redrive": {true, redriveSteps()}} {
		t.Run(name, func(t *testing.T) {
			redriven := 0
			rapid.Check(t, func(rt *rapid.T) {
				faults, n := live(t, c.slow, steps(c.kinds).Draw(rt, "history"))
				if redriven += n; len(faults) > 0 {
					rt.Fatalf("%d faults:\n%s", len(faults), strings.Join(faults[:min(len(faults), 10)], "\n"))
				}
			})
			if strings.HasSuffix(name, "redrive") && redriven == 0 {
				t.Error("nothing was redriven")
			}
		})
	}
}

// The model can see faults: an engine that forgets a record, and one that reads an event twice.
func TestTheModelSeesFaults(t *testing.T) {
	m := newModel()
	m.changing("wh_0", 0, false)
	m.put("wh_0", 1)
	e := modelEvent{key: "evt_1", name: "message.received", chat: "2@lid", body: "{}"}
	m.appended([]modelEvent{e}, []outbox.Seq{1})
	if faults := m.ended(nil); len(faults) != 1 {
		t.Errorf("an event that vanished: %q", faults)
	}
	m.faults = nil
	ev := outbox.Event{Seq: 1, Key: e.key, Name: e.name, Chat: e.chat, Body: []byte(e.body)}
	for range 2 {
		m.arrive("wh_0", ev, 1, 0)
		m.answered("wh_0", ev, true, false, false)
	}
	if faults := m.ended(nil); len(faults) != 1 {
		t.Errorf("an event that is delivered twice: %q", faults)
	}
}

package model

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/outbox/retention"
)

// machineClock is the clock of the machine: it may be off, while the monotonic clock goes on.
type machineClock struct{ seconds atomic.Int64 }

// now is what time.Now would return.
func (c *machineClock) now() time.Time {
	return leap(time.Now(), time.Duration(c.seconds.Load())*time.Second)
}

// leap moves t, which is now, by d, but not its monotonic reading, as a clock does that is set. In
// simulated time there is no such reading; it gets one.
func leap(t time.Time, d time.Duration) time.Time {
	// a Time with a monotonic reading: a mark, 33 bits of seconds since 1885 and 30 of nanoseconds;
	// the reading; the location
	type words struct {
		wall      uint64
		monotonic int64
		location  *time.Location
	}
	const mark, nanoseconds = 1 << 63, 30
	started := words{wall: mark}
	t = t.Round(0).Add(d)
	seconds := t.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	out := words{mark | uint64(seconds)<<nanoseconds | uint64(t.Nanosecond()), int64(time.Since(*(*time.Time)(unsafe.Pointer(&started)))), time.Local}
	return *(*time.Time)(unsafe.Pointer(&out))
}

func TestLeap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := leap(time.Now(), 0)
		pass(time.Minute)
		for _, d := range []time.Duration{0, time.Second, -time.Second, 1000 * time.Hour, -1000 * time.Hour} {
			then := leap(time.Now(), d)
			if got := time.Until(then.Round(0)); got != d || then.UnixNano() != time.Now().Add(d).UnixNano() {
				t.Errorf("after %v it is off by %v", d, got)
			}
			if got, since := then.Sub(began), time.Since(began); got != time.Minute || since != time.Minute {
				t.Errorf("after %v: a minute is %v, and %v", d, got, since)
			}
		}
	})
}

// leaps are by how much the clock may be off, in seconds.
func leaps() []int64 {
	const hour, day = 3600, 86400
	return []int64{0, 0, 1, 30, hour - 60, 26 * hour, 40 * day, -1, -30, -hour - 60, -26 * hour, -40 * day}
}

// leap sets the clock.
func (w *world) leap(n int) {
	w.machine.seconds.Store(leaps()[n])
	if w.wrong.IsZero() {
		w.wrong = time.Now()
	}
	w.low, w.high = min(w.low, leaps()[n]), max(w.high, leaps()[n])
	w.mu.Lock()
	defer w.mu.Unlock()
	w.model.leapt = time.Duration(w.high-w.low) * time.Second
}

// kept is an engine for retention, as large as it may be.
type kept struct{ outboxtest.Engine }

func (kept) LiveBytes() int64 { return 0 }

// retention removes what is old, beside the lanes. Nothing in a history is, by the true time.
func (w *world) retention() *retention.Retention {
	var newest time.Time
	if ev, err := w.eng.Newest(context.Background()); err == nil {
		newest = ev.Time
	}
	const month = 30 * 24 * time.Hour
	p := retention.Policy{Delivered: 3 * 24 * time.Hour, Pending: month, Dead: month, Now: w.machine.now}
	return retention.New(kept{w.eng}, w.disp, p, newest, nil)
}

// sent is a send that was settled.
type sent struct {
	key    string
	at     time.Time // by the true time
	behind bool      // settled while the clock was behind: it is older than it is then
}

// send settles a send, whose key is kept for a day.
func (w *world) send() {
	w.sends = append(w.sends, sent{fmt.Sprint("key ", len(w.sends)), time.Now(), w.machine.seconds.Load() < 0})
	s := outbox.Send{MessageID: fmt.Sprint("3EB0", len(w.sends)), IdempotencyKey: w.sends[len(w.sends)-1].key, State: outbox.SendSent, CreatedAt: w.machine.now(), SettledAt: w.machine.now()}
	w.persist(func(ctx context.Context) error { return w.eng.PutSend(ctx, s) })
}

// keptSends checks that no key was forgotten within a day.
func (w *world) keptSends() {
	for _, s := range w.sends {
		_, err := w.eng.SendByKey(context.Background(), s.key)
		if age := time.Since(s.at); errors.Is(err, outbox.ErrNotFound) && !s.behind && age < outbox.SendKept {
			w.fault("%s is forgotten after %v", s.key, age)
		}
	}
}

// leapSteps are those that the clock matters for, leaps above all.
func leapSteps() []int {
	return []int{stepAppend, stepAppend, stepAppend, stepMood, stepMood, stepPass, stepPass, stepPass, stepLeap, stepLeap, stepLeap, stepRestart, stepRestart,
		stepSend, stepReplay, stepFilter, stepOutage, stepRedrive, stepStop, stepResume}
}

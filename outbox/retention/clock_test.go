package retention

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// The service stood still for forty days, or its clock is forty days ahead: what waited has a day
// to be delivered before it expires by the new time.
//
// Mutation of clock.go: a clock that leapt ahead is believed at once.
func TestClockAheadIsBelievedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		r.append(1)
		newest := time.Now()
		idle(40 * day)
		stop := r.start(days(3, 30, 30), newest)
		defer stop()
		r.append(1) // the connection is up again
		idle(23 * time.Hour)
		if _, s := r.stats("wh_a"); s.Pending != 2 {
			t.Errorf("within a day: %+v", s)
		}
		idle(2 * time.Hour)
		if _, s := r.stats("wh_a"); s.Pending != 1 || s.Dead != 1 {
			t.Errorf("after a day: %+v", s)
		}
		if !strings.Contains(r.log.String(), "the clock is ahead") {
			t.Errorf("log:\n%s", r.log.String())
		}
	})
}

// A clock that leaps a year ahead drops no idempotency key before it is believed: by the machine's
// clock alone it did at once, and a call that was repeated was sent twice.
//
// Mutation of retention.go: a clock that leaps drops the idempotency keys of what was sent.
func TestALeapForgetsNoSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		newest := time.Now()
		if err := r.PutSend(t.Context(), outbox.Send{MessageID: "3EB0", IdempotencyKey: "key", State: outbox.SendSent, CreatedAt: newest, SettledAt: newest}); err != nil {
			t.Fatal(err)
		}
		idle(365 * day)
		stop := r.start(days(3, 30, 30), newest)
		defer stop()
		idle(23 * time.Hour)
		if _, err := r.SendByKey(t.Context(), "key"); err != nil {
			t.Errorf("within a day: %v", err)
		}
		idle(2 * time.Hour)
		if _, err := r.SendByKey(t.Context(), "key"); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("after a day: %v", err)
		}
	})
}

// A clock that is forty days ahead writes an event of the link, and the service starts again: the
// time that WhatsApp gave says that the clock is ahead. Before, all that waited expired at once.
//
// Mutation of retention.go: what the link wrote while the clock was ahead makes its time known at
// the next start.
func TestALeapIsNotKnownByWhatItWrote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		r.put(outbox.Event{Key: "before", Name: "x", Time: time.Now(), Stamp: uint32(time.Now().Unix()), Body: []byte("x")})
		idle(40 * day)
		r.put(outbox.Event{Key: "link", Random: true, Name: "x", Time: time.Now(), Body: []byte("x")})
		stop := r.start(days(3, 30, 30), time.Now())
		defer stop()
		idle(23 * time.Hour)
		if _, s := r.stats("wh_a"); s.Pending != 2 {
			t.Errorf("within a day: %+v", s)
		}
		idle(2 * time.Hour)
		if _, s := r.stats("wh_a"); s.Pending != 1 || s.Dead != 1 {
			t.Errorf("after a day: %+v", s)
		}
	})
}

// Events from a clock that was ahead: nothing goes until it is past them, but where nothing is to
// be kept.
//
// Mutation of retention.go: events go while the clock is behind the newest one.
func TestClockBehindPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		r.append(1)
		ahead := outbox.Event{Key: "ahead", Name: "x", Time: time.Now().Add(50 * day), Body: []byte("x")}
		r.put(ahead)
		stop := r.start(days(3, 30, 30), ahead.Time)
		defer stop()
		idle(49 * day)
		if st, s := r.stats("wh_a"); st.Events != 2 || s.Pending != 2 {
			t.Errorf("%+v of %d events", s, st.Events)
		}
		if !strings.Contains(r.log.String(), "the clock is behind") {
			t.Errorf("log:\n%s", r.log.String())
		}
		idle(2 * day)
		if _, s := r.stats("wh_a"); s.Pending != 1 {
			t.Errorf("once the clock is past them: %+v", s)
		}
	})
}

func TestClock(t *testing.T) {
	at := time.Now()
	after := func(d time.Duration) time.Time { return at.Add(d) }
	check := func(c *clock, now time.Time, newest time.Time, want time.Time, behind bool) {
		t.Helper()
		got, b := c.now(now, newest)
		if got.Sub(want.Round(0)).Abs() > time.Second || b != behind {
			t.Errorf("at %v: %v, behind %v; want %v, %v", now.Sub(at), got, b, want, behind)
		}
	}
	c := newClock(at.Add(-10*time.Minute), at)
	check(c, after(0), at, at, false)
	check(c, after(time.Minute), at, after(time.Minute), false)
	// it leaps a year ahead while the service runs, and is set right after two hours
	c.known = c.known.Add(-365 * day)
	check(c, after(2*time.Minute), at, after(2*time.Minute-365*day), false)
	check(c, after(2*time.Hour), at, after(2*time.Hour-365*day), false)
	c.known = c.known.Add(365 * day)
	check(c, after(3*time.Hour), at, after(3*time.Hour), false)
	// it leaps again: the day begins anew
	c.known = c.known.Add(-365 * day)
	check(c, after(24*time.Hour), at, after(24*time.Hour-365*day), false)
	check(c, after(47*time.Hour), at, after(47*time.Hour-365*day), false)
	check(c, after(48*time.Hour), at, after(48*time.Hour), false)
	// set back by a month, newer events than that
	c.known = c.known.Add(30 * day)
	check(c, after(49*time.Hour), after(59*time.Hour), after(49*time.Hour), true)
	check(c, after(60*time.Hour), after(59*time.Hour), after(60*time.Hour), false)
}

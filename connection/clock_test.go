package connection

import (
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// A clock that was set either way is compared again, and one that was wrong a while ago; one that
// was right and runs on is not.
func TestWhenTheClockIsComparedAgain(t *testing.T) {
	for _, c := range []struct {
		wall, mono, ahead time.Duration
		want              bool
	}{
		{wall: time.Hour, mono: time.Hour, ahead: time.Second},
		{wall: time.Minute, mono: time.Minute, ahead: 2 * time.Hour},
		{wall: clockAgain, mono: clockAgain, ahead: 2 * time.Hour, want: true},
		{wall: clockAgain, mono: clockAgain, ahead: -2 * time.Hour, want: true},
		{wall: time.Hour + time.Minute, mono: time.Minute, want: true},
		{wall: time.Minute - time.Hour, mono: time.Minute, want: true},
	} {
		if got := compareAgain(c.wall, c.mono, c.ahead); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// The clock is compared with WhatsApp's at a log-in, and when WhatsApp is asked for its time. What
// a log-in brings is not believed by itself when it is far away.
func TestTheClockIsCompared(t *testing.T) {
	r := newRig(t)
	r.sim.SetClock(-2 * time.Hour)
	if _, known := r.ClockAhead(); known {
		t.Error("known before a log-in")
	}
	r.run()
	r.pair()
	r.waitState(api.LinkConnected)
	if _, known := r.ClockAhead(); known || !r.clock.doubtful(time.Now()) {
		t.Error("a log-in alone made the clock wrong")
	}
	r.compareClock(t.Context())
	about := func(want time.Duration) {
		t.Helper()
		if ahead, known := r.ClockAhead(); !known || (ahead-want).Abs() > 30*time.Second {
			t.Errorf("ahead %v, known %t, want about %v", ahead, known, want)
		}
	}
	about(2 * time.Hour)
	r.sim.SetClock(time.Hour)
	r.compareClock(t.Context())
	about(-time.Hour)
	r.sim.Close() // nobody responds: it stays as it is known
	r.compareClock(t.Context())
	about(-time.Hour)
}

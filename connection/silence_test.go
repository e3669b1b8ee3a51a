package connection

import (
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/watchdog"
	"waoutbox/outbox/api"
)

// silentRig is a linked rig that finds a silence of that length odd.
func silentRig(t *testing.T, limit time.Duration) *rig {
	t.Helper()
	r := linkedRig(t)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	r.silence = watchdog.New(limit, limit)
	r.timings.silence = 20 * time.Millisecond
	return r
}

// A connection that responds to pings and brings nothing for longer than usual is made anew, and
// status says so until something arrives.
func TestASilentConnectionIsMadeAnew(t *testing.T) {
	r := silentRig(t, 300*time.Millisecond)
	r.run()
	r.waitState(api.LinkConnected)
	before := len(r.statuses())
	eventually(t, "the next log-in", func() bool { return slices.Contains(r.statuses()[before:], "disconnected 428") })
	eventually(t, "the note", func() bool { return strings.Contains(strings.Join(r.Link().Notes, ""), "nothing has arrived since") })
	r.waitState(api.LinkConnected)
	r.stillReceives("after the silence")
}

// What arrives as soon as the connection was made anew had been held back, and that is said.
func TestWhatASilentConnectionHeldBackIsTold(t *testing.T) {
	r := silentRig(t, time.Second)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.run()
	r.waitState(api.LinkConnected)
	eventually(t, "the question", func() bool { return len(r.Link().Notes) > 0 })
	r.acc.Refuse(500) // so that it comes with the next log-in
	eventually(t, "the end of the connection", func() bool { return !r.acc.Online() })
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "held back") })
	r.acc.Refuse(0)
	eventually(t, "the note", func() bool {
		return strings.Contains(strings.Join(r.Link().Notes, ""), "brought what WhatsApp had held back")
	})
	eventually(t, "the message", func() bool { return slices.Contains(r.texts(), "held back") })
}

// What was learned of the account's silences is there after a restart, and goes with the account.
func TestTheRhythmIsKept(t *testing.T) {
	r := linkedRig(t)
	at := time.Now().Add(-3 * time.Hour)
	r.silence.Connected(at)
	for range 12 {
		at = at.Add(10 * time.Minute)
		r.silence.Arrived(at)
	}
	learned := string(r.silence.Learned())
	r.restart()
	r.waitState(api.LinkConnected)
	if got := string(r.silence.Learned()); got != learned || learned == "" {
		t.Errorf("known after a restart: %s, want %s", got, learned)
	}
	r.acc.Unlink()
	r.waitState(api.LinkUnlinked)
	eventually(t, "a new device", func() bool {
		kept, err := r.dev.Kept(t.Context(), rhythmName)
		return err == nil && kept == nil
	})
}

package connection

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"

	"waoutbox/outbox/api"
)

// A version that WhatsApp no longer accepts is replaced by the current one, which stays over a
// restart; within the hour there is no second question.
func TestAnOutdatedVersionIsReplaced(t *testing.T) {
	own := store.GetWAVersion()
	t.Cleanup(func() { store.SetWAVersion(own) })
	r := linkedRig(t)
	before := len(r.statuses())
	r.sim.RequireRevision(own[2] + 5)
	r.acc.Drop()
	eventually(t, "the next log-in", func() bool { return slices.Contains(r.statuses()[before:], "connected") })
	if got := strings.Join(r.statuses()[before:], " "); !strings.Contains(got, "disconnected 405 connecting") || r.hasAlarm(alarmOutdated) {
		t.Errorf("connection events %s, alarms %v", got, r.Alarms())
	}
	used := store.GetWAVersion()
	if l := r.Link(); used[2] != own[2]+5 || len(l.Notes) != 1 || !strings.Contains(l.Notes[0], used.String()) {
		t.Errorf("version %s, link %+v", used, l)
	}

	store.SetWAVersion(own) // as in a new process
	before = len(r.statuses())
	r.restart()
	eventually(t, "the log-in after a restart", func() bool { return slices.Contains(r.statuses()[before:], "connected") })
	if got := r.statuses()[before:]; slices.Contains(got, "disconnected 405") || len(r.Link().Notes) != 1 {
		t.Errorf("connection events %q, link %+v", got, r.Link())
	}

	r.sim.RequireRevision(own[2] + 6)
	r.acc.Drop()
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmOutdated) })
	if l := r.Link(); !strings.Contains(l.Reason, "the current one is asked for at") || store.GetWAVersion() != used {
		t.Errorf("version %s, link %+v", store.GetWAVersion(), l)
	}
	r.sim.RequireRevision(0)
	r.waitState(api.LinkConnected)
	if r.hasAlarm(alarmOutdated) {
		t.Error("the alarm outlives its cause")
	}
}

// The same while pairing: the next try succeeds.
func TestAnOutdatedVersionIsReplacedWhilePairing(t *testing.T) {
	own := store.GetWAVersion()
	t.Cleanup(func() { store.SetWAVersion(own) })
	r := newRig(t)
	r.sim.RequireRevision(own[2] + 5)
	r.run()
	if _, err := r.PairNow(bounded(t), api.PairRequest{}); api.CodeOf(err) != api.CodePairingUnavail || !strings.Contains(err.Error(), "pair again") {
		t.Fatalf("PairNow returned %v", err)
	}
	r.pair()
}

// Connect does not wait for the next try, which is an hour away, and tells when WhatsApp still
// refuses the version.
func TestConnectTriesAtOnceAfterAnOutdatedVersion(t *testing.T) {
	own := store.GetWAVersion()
	t.Cleanup(func() { store.SetWAVersion(own) })
	r := newRig(t)
	r.timings.renewed, r.timings.banned = time.Hour, time.Hour
	r.run()
	r.pair()
	r.acc.Refuse(405)
	r.acc.Drop()
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmOutdated) && r.Link().State == api.LinkDisconnected })
	if _, err := r.Connect(bounded(t)); api.CodeOf(err) != api.CodeClientOutdated {
		t.Errorf("Connect while WhatsApp refuses: %v", err)
	}
	r.acc.Refuse(0)
	if l, err := r.Connect(bounded(t)); err != nil || l.State != api.LinkConnected || r.hasAlarm(alarmOutdated) {
		t.Errorf("Connect when WhatsApp accepts again: %+v, %v", l, err)
	}
}

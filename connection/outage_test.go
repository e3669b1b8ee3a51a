package connection

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/outboxtest"
)

// WhatsApp may be done with what waited before the library is with the log-in: the gap is told
// behind the open link all the same.
func TestTheGapFollowsTheOpenLink(t *testing.T) {
	r := linkedRig(t)
	before := len(r.statuses())
	// the replies of the log-in
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "iq", Times: 3, Effect: fault.Delay, For: 150 * time.Millisecond}))
	r.gapAfter(func() { r.acc.Drop() })
	if got, want := fmt.Sprint(r.statuses()[before:]), "[disconnected 428 connecting connected caught up]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// A link that is gone with whatsapp.db is told once, as a log-out, with an alarm that stays over
// restarts until the account is linked again. Before, nothing was told.
//
// Mutation of link.go: a link that is gone with its file is told to nobody.
func TestALostDeviceStoreIsTold(t *testing.T) {
	r := linkedRig(t)
	was := func(want bool) {
		t.Helper()
		var err error
		if r.wasLinked, err = WasLinked(t.Context(), r.engine); err != nil || r.wasLinked != want {
			t.Errorf("was linked: %t, %v", r.wasLinked, err)
		}
	}
	r.stop()
	was(true)
	files, err := filepath.Glob(r.path + "*")
	must(t, err)
	for _, name := range files {
		must(t, os.Remove(name))
	}
	before := len(r.statuses())
	for range 2 {
		r.restart()
		r.waitState(api.LinkUnlinked)
		if link := r.Link(); link.Reason != LinkLost || !r.hasAlarm(alarmLoggedOut) {
			t.Errorf("link %+v, alarms %+v", link, r.Alarms())
		}
		r.stop()
		if got := fmt.Sprint(r.statuses()[before:]); got != "[disconnected 401]" {
			t.Errorf("told %s", got)
		}
		was(false)
	}
	r.restart()
	r.acc.Unlink()
	r.pair()
	r.waitState(api.LinkConnected)
	if r.hasAlarm(alarmLoggedOut) {
		t.Error("the alarm is up though the account is linked again")
	}
	_, err = r.Unpair(bounded(t))
	must(t, err)
	was(false)
}

// A process that ends before it told of the gap leaves it to the next, from the same moment on.
// Before, the next one's began when this one was last seen.
//
// Mutation of outage.go: the gap of a process that was killed before it told of it is lost.
func TestTheGapOutlivesTheProcess(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	lastUp := func() time.Time {
		t.Helper()
		at, err := LastUp(ctx, r.engine)
		must(t, err)
		return at
	}
	bob := r.acc.NewContact("Bob", "15550100123")
	r.stop()
	up := lastUp()
	evs := r.events()
	if newest := evs[len(evs)-1].Time; !up.Equal(newest) {
		t.Errorf("last up at %v, want %v", up, newest)
	}
	_, err := bob.SendText(ctx, "held back")
	must(t, err)
	r.acc.Hold(true) // it does not catch up
	for range 2 {
		r.down = lastUp()
		r.restart()
		r.waitState(api.LinkConnected)
		r.stop()
	}
	r.acc.Hold(false)
	r.down = lastUp()
	if !r.down.Equal(up) {
		t.Errorf("last up at %v, want %v", r.down, up)
	}
	before := len(r.gaps())
	r.gapAfterStart()
	if g := r.gaps()[before:]; len(g) != 1 || g[0].From != up.UnixMilli() {
		t.Errorf("gaps %+v, want one from %d", g, up.UnixMilli())
	}
	r.stop()
	evs = r.events()
	if at, newest := lastUp(), evs[len(evs)-1].Time; !at.Equal(newest) {
		t.Errorf("after the gap was told: last up at %v, want %v", at, newest)
	}
}

// gapAfterStart starts another client and waits until it has caught up.
func (r *rig) gapAfterStart() {
	r.t.Helper()
	n := count(r.statuses(), "caught up")
	r.restart()
	eventually(r.t, "catching up", func() bool { return count(r.statuses(), "caught up") > n })
}

// The outage that was not told began with the first event about the link after the last that was.
func TestLastUp(t *testing.T) {
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	const (
		message, connecting, open, caughtUp = "message", "connecting", "open", "caught up"
		closed, login, qr, unreadable       = "close", "new login", "qr", "unreadable"
	)
	bodies := map[string]string{
		connecting: `{"data":{"status":"connecting","connection":"connecting","receivedPendingNotifications":false}}`,
		open:       `{"data":{"status":"connected","connection":"open"}}`,
		caughtUp:   `{"data":{"status":"connected","receivedPendingNotifications":true}}`,
		closed:     `{"data":{"status":"disconnected","connection":"close"}}`,
		login:      `{"data":{"status":"connecting","isNewLogin":true}}`,
		qr:         `{"data":{"status":"qr_required","qr":"x"}}`,
		unreadable: `?`,
	}
	for name, c := range map[string]struct {
		events []string
		want   int // the index of the event whose time it is, -1 for none
	}{
		"nothing stored":             {nil, -1},
		"never linked":               {[]string{connecting, qr}, 0},
		"up to the end":              {[]string{connecting, open, caughtUp, message, message}, 4},
		"ended in an outage":         {[]string{open, caughtUp, message, closed, connecting}, 3},
		"killed before it was open":  {[]string{open, caughtUp, message, connecting}, 2},
		"killed before it caught up": {[]string{open, caughtUp, message, connecting, open, message}, 2},
		"killed again and again":     {[]string{caughtUp, message, closed, connecting, connecting, open, connecting, message, connecting}, 2},
		"told since":                 {[]string{caughtUp, closed, connecting, open, message, caughtUp, message}, 6},
		"linked anew":                {[]string{caughtUp, closed, message, connecting, qr, login, open, message}, 7},
		"linked, and then down":      {[]string{caughtUp, closed, connecting, login, open, closed, connecting}, 5},
		"one that cannot be read":    {[]string{caughtUp, message, unreadable, connecting}, 2},
		"its end is not kept":        {[]string{connecting, open, message}, 0},
		"only messages are kept":     {[]string{message, message}, 1},
	} {
		engine := outboxtest.NewFake()
		for i, what := range c.events {
			ev := outbox.Event{Key: fmt.Sprint(i), Random: true, Time: start.Add(time.Duration(i) * time.Minute), Name: translate.ConnectionUpdate, Chat: translate.ConnectionChat, Body: []byte(bodies[what])}
			if what == message {
				ev.Name, ev.Chat, ev.Body = translate.MessageReceived, "chat", []byte(`{}`)
			}
			_, err := engine.Append(t.Context(), ev)
			must(t, err)
		}
		want := time.Time{}
		if c.want >= 0 {
			want = start.Add(time.Duration(c.want) * time.Minute)
		}
		if got, err := LastUp(t.Context(), engine); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
		engine.Hook(func(string) error { return errors.New("damaged") })
		if _, err := LastUp(context.Background(), engine); err == nil {
			t.Errorf("%s: no error of the log", name)
		}
	}
}

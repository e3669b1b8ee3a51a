package stanzas

import (
	"testing"
	"testing/synctest"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func notice(id, kind string) *waBinary.Node {
	return &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"id": id, "from": team, "type": kind, "t": "1735689600"}, Content: []waBinary.Node{{Tag: "locked"}}}
}

func noticeAck(id, kind string) *waBinary.Node {
	return &waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"id": id, "class": "notification", "to": team, "type": kind}}
}

func locked() *events.GroupInfo {
	return &events.GroupInfo{JID: team, Timestamp: time.Unix(1735689600, 0), Locked: &types.GroupLocked{IsLocked: true}}
}

// handle does with a notification what the library does: it tells events, and acknowledges.
func (w *watching) handle(t *testing.T, n *waBinary.Node, evts ...any) {
	t.Helper()
	w.Received(n)
	w.Handle(n, func() {
		for _, evt := range evts {
			if of := w.Told(evt); of != n {
				t.Errorf("the event comes from %v, want %v", of, n)
			}
		}
		w.Sending(noticeAck(text(n, "id"), text(n, "type")))
	})
}

// Events of equal notifications come from the one that is handled, also where one came twice and
// where the connection ended before another was handled. Before, what was never handled took the
// event of the next equal one, which then had a placeholder besides.
func TestANoticeIsToldWhileItIsHandled(t *testing.T) {
	w := newWatching()
	w.Received(&waBinary.Node{Tag: "success"})
	w.handle(t, notice("1", "w:gp2"), locked())
	w.Received(notice("1", "w:gp2")) // it is acknowledged, and comes no more
	w.Received(&waBinary.Node{Tag: "success"})
	w.handle(t, notice("2", "w:gp2"), locked())
	w.handle(t, notice("2", "w:gp2"), locked())
	w.handle(t, notice("3", "picture"), &events.Picture{Timestamp: time.Unix(1735689600, 0)}, &events.Picture{Timestamp: time.Unix(1735689600, 0)})
	w.handle(t, notice("4", "w:gp2"), &events.JoinedGroup{GroupInfo: types.GroupInfo{JID: team}})
	if len(w.found) != 0 {
		t.Errorf("found %v", w.found)
	}
	w.handle(t, notice("5", "w:gp2"))
	if len(w.found) != 1 {
		t.Errorf("of one that nothing told: found %v", w.found)
	}
	if of := w.Told(locked()); of != nil {
		t.Errorf("while none is handled an event comes from %v", of)
	}
	w.Sending(noticeAck("5", "w:gp2"))
	if len(w.found) != 1 || len(w.handled) != 0 || len(w.open) != 0 {
		t.Errorf("found %v, %d are handled, %d are open", w.found, len(w.handled), len(w.open))
	}
}

// One that the connection before left being handled is waited for, not for ever; what nothing is
// told of is not, and a panic ends the handling.
//
// Mutation of handled.go: the event of a group change, or its acknowledgement, is taken for that of
// another notification.
func TestNoticesAreHandledOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching()
		hang, began := make(chan struct{}), time.Now()
		go w.Handle(notice("1", "w:gp2"), func() { <-hang })
		synctest.Wait()
		w.handle(t, notice("D", "devices"))
		if waited := time.Since(began); waited != 0 {
			t.Errorf("of devices: waited %v", waited)
		}
		w.handle(t, notice("2", "picture"), &events.Picture{Timestamp: time.Unix(1735689600, 0)})
		if waited := time.Since(began); waited != noticeLimit {
			t.Errorf("waited %v, want %v", waited, noticeLimit)
		}
		close(hang)
		synctest.Wait()
		began = time.Now()
		func() {
			defer func() { recover() }()
			w.Handle(notice("3", "w:gp2"), func() { panic("3") })
		}()
		w.handle(t, notice("4", "w:gp2"), locked())
		if waited := time.Since(began); waited != 0 || len(w.handled) != 0 || len(w.found) != 0 {
			t.Errorf("waited %v, %d are handled, found %v", waited, len(w.handled), w.found)
		}
	})
}

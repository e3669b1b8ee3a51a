package stanzas

import (
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// noticeLimit is how long a notification waits at most for the one that is being handled: longer
// than an append may take.
const noticeLimit = 2 * time.Minute

// toldOf are the types of notifications that an event or a look tells of.
var toldOf = []string{"w:gp2", "picture", "contacts"}

// Handle runs handle, which handles a notification for the library: until it returns, all events of
// it are told, and it is acknowledged. An event does not say which of several equal notifications
// it comes from, so one is handled at a time: one that came twice is handled twice, and when a
// connection ends the library goes on with the one it was at, while the next connection brings it
// and others again.
func (w *Watch) Handle(n *waBinary.Node, handle func()) {
	if !slices.Contains(toldOf, text(n, "type")) {
		handle()
		return
	}
	turn := w.turn()
	limit := time.NewTimer(noticeLimit)
	defer limit.Stop()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-limit.C:
	}
	s := &stanza{node: n}
	w.mu.Lock()
	w.handled = append(w.handled, s)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.forget(s)
	}()
	handle()
}

// turn is held by the notification that is being handled.
func (w *Watch) turn() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noticeTurn == nil {
		w.noticeTurn = make(chan struct{}, 1)
	}
	return w.noticeTurn
}

// notice finds the notification that an event comes from, among those that are handled: there are
// several only after noticeLimit. Several pictures may be in one. The caller holds mu.
func (w *Watch) notice(kind string, from types.JID, t string) *stanza {
	for _, s := range w.handled {
		if text(s.node, "type") == kind && (from.IsEmpty() || jid(s.node, "from") == from) && (t == "" || text(s.node, "t") == t) &&
			(s.told == 0 || kind == "picture") {
			return s
		}
	}
	return nil
}

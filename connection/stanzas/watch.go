package stanzas

import (
	"context"
	"fmt"
	"slices"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
)

// Account is the linked account under its two addresses.
type Account struct {
	PN, LID types.JID
}

// Found is an event that stands for what an acknowledged stanza would have taken along.
type Found struct {
	// an event of the library's types, with what could be read; nil when there is nothing
	Event any
	// nothing but the fact can be told
	Placeholder bool
	// what was lost, one clause without content or numbers; "" when all is there
	Lost string
	Err  error // the cause where it is not the stanza's; for the log only
}

// Watch follows the stanzas of one client of the library after the other. Safe for concurrent use.
type Watch struct {
	// Account returns whose stanzas these are.
	Account func() Account
	// LIDOf returns the LID of a phone number, zero if it is not known. Direct messages are
	// decrypted under it.
	LIDOf func(ctx context.Context, pn types.JID) types.JID
	// ParseCopy makes an event of the phone's copy of a message, as the library does.
	ParseCopy  func(*waWeb.WebMessageInfo) (*events.Message, error)
	mu         sync.Mutex
	open       map[string][]*stanza // received and not acknowledged, by id
	handled    []*stanza            // notifications that are being handled, oldest first
	noticeTurn chan struct{}        // cap 1: holds an element while one is
	generation int                  // of connections
	plain      plaintexts
}

// stanza is one that was received, or a notification that is handled, and not yet acknowledged.
type stanza struct {
	node       *waBinary.Node
	generation int
	told       int  // events of it that were handed to the handler
	stored     int  // those of them that are stored
	committed  bool // with all that it was decrypted with
	// the same stanza on the connection before, whose events may be handled still, and the most
	// that was stored of it on one connection before that; nil if it was not received there
	before  *stanza
	earlier int
	// copies of messages in it that the library could not read, and the request they answer
	copies  [][]byte
	request string
}

// watched are the kinds of stanza that the library acknowledges; of notifications Handle is told.
var watched = []string{"message", "status", "appdata", "receipt"}

// Received takes note of a stanza before the library handles it.
func (w *Watch) Received(n *waBinary.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.Tag == "success" {
		w.nextConnection()
		return
	}
	if !slices.Contains(watched, n.Tag) {
		return
	}
	if w.open == nil {
		w.open = make(map[string][]*stanza)
	}
	s := &stanza{node: n, generation: w.generation}
	id := text(n, "id")
	for _, old := range w.open[id] {
		// It comes again, on another connection. One on the same is another: what its sender sent
		// when it was asked for a message that could not be read, before that was acknowledged.
		if sameStanza(old.node, n) && old.generation != w.generation {
			w.forget(old)
			s.before = old
			if old.before != nil {
				old.earlier, old.before = max(old.earlier, old.before.stored), nil
			}
			break
		}
	}
	w.open[id] = append(w.open[id], s)
}

// nextConnection drops what an earlier connection than the last left open: what was not
// acknowledged comes again.
func (w *Watch) nextConnection() {
	w.generation++
	for _, list := range w.open {
		for _, s := range slices.Clone(list) {
			if s.generation < w.generation-1 {
				w.forget(s)
			}
		}
	}
}

func (w *Watch) forget(s *stanza) {
	is := func(o *stanza) bool { return o == s }
	w.handled = slices.DeleteFunc(w.handled, is)
	id := text(s.node, "id")
	if left := slices.DeleteFunc(w.open[id], is); len(left) > 0 {
		w.open[id] = left
	} else {
		delete(w.open, id)
	}
}

// Told takes note of an event that the library hands to the handler, before it is handled, and
// returns the stanza that it comes from, nil where that cannot be known.
func (w *Watch) Told(evt any) *waBinary.Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	var s *stanza
	switch e := evt.(type) {
	case *events.Message:
		if e.SourceWebMsg == nil { // the phone's copy comes in a message of its own
			s = w.message(&e.Info)
		}
		if s != nil {
			s.copies, s.request = copiesIn(e)
		}
	case *events.FBMessage:
		s = w.message(&e.Info)
	case *events.GroupInfo:
		s = w.notice("w:gp2", e.JID, text(noticeTime(e.Timestamp), "t"))
	case *events.JoinedGroup:
		s = w.notice("w:gp2", e.JID, "")
	case *events.Picture:
		s = w.notice("picture", types.JID{}, text(noticeTime(e.Timestamp), "t"))
	}
	if s == nil {
		return nil
	}
	s.told++
	return s.node
}

// Stored takes note that an event is stored which Told returned this stanza for. A connection may
// end meanwhile, and the next one bring the stanza again: it is told then already.
func (w *Watch) Stored(n *waBinary.Node) {
	if n == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.open[text(n, "id")] {
		switch {
		case s.node == n:
			s.stored++
		case s.before != nil && s.before.node == n:
			s.before.stored++
		}
	}
}

// Committed takes note that a stanza may be acknowledged whatever becomes of others.
func (w *Watch) Committed(n *waBinary.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.open[text(n, "id")] {
		if s.node == n {
			s.committed = true
		}
	}
}

// IsCommitted reports whether n acknowledges a stanza that Committed was told of.
func (w *Watch) IsCommitted(n *waBinary.Node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.acknowledged(n)
	return s != nil && s.committed
}

// message finds the open stanza of a message: of several the oldest that nothing was told of.
func (w *Watch) message(info *types.MessageInfo) (found *stanza) {
	for _, s := range w.open[info.ID] {
		from, participant := jid(s.node, "from"), jid(s.node, "participant")
		sender := from
		if hasMembers(from) {
			if from != info.Chat {
				continue
			}
			sender = participant
		}
		if sender.User != info.Sender.User || sender.Device != info.Sender.Device {
			continue
		}
		if s.told == 0 {
			return s
		}
		if found == nil {
			found = s
		}
	}
	return found
}

// Missed returns what no event has told of the stanza that n acknowledges, and that stanza. Call it
// before n is sent, in the goroutine that sends it. It returns it once.
func (w *Watch) Missed(n *waBinary.Node) (of *waBinary.Node, found []Found) {
	s := w.take(n)
	if s == nil {
		return nil, nil
	}
	return s.node, w.missed(s, n)
}

// take forgets the stanza that n acknowledges, and returns it.
func (w *Watch) take(n *waBinary.Node) *stanza {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.acknowledged(n)
	if s == nil {
		return nil
	}
	w.forget(s)
	if s.before != nil {
		s.told = max(s.told, s.before.stored, s.before.earlier)
	}
	return s
}

// acknowledged finds the stanza that n acknowledges.
func (w *Watch) acknowledged(n *waBinary.Node) *stanza {
	tags := []string{text(n, "class")}
	switch {
	case n.Tag == "ack":
	case n.Tag == "receipt" && slices.Contains([]string{"", "inactive", "sender", "peer_msg"}, text(n, "type")):
		tags = []string{"message", "appdata"}
	default:
		return nil
	}
	for _, s := range slices.Concat(w.open[text(n, "id")], w.handled) {
		if slices.Contains(tags, s.node.Tag) && text(s.node, "id") == text(n, "id") &&
			text(s.node, "from") == text(n, "to") && text(s.node, "participant") == text(n, "participant") {
			return s
		}
	}
	return nil
}

// missed returns what of a stanza no event has told; ack is what acknowledges it. A panic costs no
// more than the content.
func (w *Watch) missed(s *stanza, ack *waBinary.Node) (found []Found) {
	defer func() {
		if p := recover(); p != nil {
			found = []Found{{Event: placeholderOf(s.node), Placeholder: true, Lost: "a stanza could not be looked into", Err: fmt.Errorf("panic: %s", outbox.PanicText(p))}}
		}
	}()
	switch s.node.Tag {
	case "receipt":
		return missedReceipt(s.node)
	case "notification":
		return missedNotice(s)
	default:
		return w.missedMessage(s, ack.Tag == "receipt")
	}
}

func sameStanza(a, b *waBinary.Node) bool {
	return a.Tag == b.Tag && text(a, "from") == text(b, "from") && text(a, "participant") == text(b, "participant")
}

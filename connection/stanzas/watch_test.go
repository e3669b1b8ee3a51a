package stanzas

import (
	"context"
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

var (
	bob  = types.NewJID("204813927440123", types.HiddenUserServer)
	team = types.NewJID("120363025846172094", types.GroupServer)
)

// watching is a Watch with what it found.
type watching struct {
	*Watch
	found []Found
}

func newWatching() *watching {
	w := &watching{}
	w.Watch = &Watch{
		Account: func() Account { return Account{PN: types.NewJID("15550100999", types.DefaultUserServer)} },
		LIDOf:   func(context.Context, types.JID) types.JID { return types.JID{} },
	}
	return w
}

// Sending keeps what was missed.
func (w *watching) Sending(n *waBinary.Node) {
	_, found := w.Missed(n)
	w.found = append(w.found, found...)
}

func message(id string) *waBinary.Node {
	return &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id, "from": bob, "t": "1735689600"}, Content: []waBinary.Node{
		{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "new"}, Content: []byte{1}}}}
}

func receiptFor(id string) *waBinary.Node {
	return &waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": id, "to": bob, "type": "inactive"}}
}

func told(id string) *events.Message {
	return &events.Message{Info: types.MessageInfo{ID: id, MessageSource: types.MessageSource{Chat: bob, Sender: bob}}}
}

// TestFoundIsWhatWasNotTold: an acknowledgement of a message without an event finds it, once.
func TestFoundIsWhatWasNotTold(t *testing.T) {
	w := newWatching()
	w.Received(message("A"))
	w.Received(message("B"))
	if n := w.Told(told("A")); n == nil || text(n, "id") != "A" {
		t.Errorf("the event comes from %v", n)
	}
	w.Sending(receiptFor("A"))
	if len(w.found) != 0 {
		t.Errorf("found what was told: %v", w.found)
	}
	for _, n := range []*waBinary.Node{ // none acknowledges it
		{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B", "to": bob, "type": "retry"}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B", "to": bob, "type": "read"}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B", "to": team}},
		{Tag: "ack", Attrs: waBinary.Attrs{"class": "notification", "id": "B", "to": bob}},
		{Tag: "iq", Attrs: waBinary.Attrs{"id": "B", "to": bob}},
	} {
		w.Sending(n)
	}
	if len(w.found) != 0 {
		t.Errorf("found before the acknowledgement: %v", w.found)
	}
	w.Sending(receiptFor("B"))
	w.Sending(receiptFor("B"))
	if len(w.found) != 1 || w.found[0].Lost == "" {
		t.Errorf("found %v", w.found)
	}
	if len(w.open) != 0 {
		t.Errorf("still open: %v", w.open)
	}
}

// TestWhatStaysOpenIsForgotten: what was never acknowledged comes again on another connection, so
// nothing is kept for longer than the one after.
func TestWhatStaysOpenIsForgotten(t *testing.T) {
	w := newWatching()
	for connection := range 5 {
		w.Received(&waBinary.Node{Tag: "success"})
		for i := range 10 {
			w.Received(message(fmt.Sprint(connection, i)))
			w.Received(message("again"))
		}
	}
	if len(w.open) > 41 || len(w.open["again"]) > 20 {
		t.Errorf("%d ids are open, %d of the same stanza", len(w.open), len(w.open["again"]))
	}
	for range 100 {
		w.Decrypted([32]byte{1}, []byte("x"))
	}
	if len(w.plain.kept) > keptPlaintexts {
		t.Errorf("%d plaintexts are kept", len(w.plain.kept))
	}
}

func BenchmarkToldMessage(b *testing.B) {
	w := newWatching()
	n, ack, evt := message("A"), receiptFor("A"), told("A")
	b.ReportAllocs()
	for b.Loop() {
		w.Received(n)
		w.Told(evt)
		w.Sending(ack)
	}
}

// TestSentAnewBeforeTheAcknowledgement: what the sender of an unreadable message sends when it is
// asked for it is a stanza of its own, also when it comes before the first one is acknowledged.
// Before, it was taken for the first one, and a placeholder stood before the message.
//
// Mutation of watch.go: what the sender of an unreadable message sends anew, before that was
// acknowledged, is taken for it.
func TestSentAnewBeforeTheAcknowledgement(t *testing.T) {
	w := newWatching()
	hidden := message("A")
	hidden.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "msg", "decrypt-fail": "hide"}, Content: []byte{1}}}
	ack := &waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"id": "A", "class": "message", "to": bob}}
	w.Received(&waBinary.Node{Tag: "success"})
	w.Received(hidden)
	w.Received(message("A"))
	w.Sending(ack)
	if len(w.found) != 1 || w.found[0].Event.(*events.UndecryptableMessage).DecryptFailMode != events.DecryptFailHide {
		t.Errorf("found %+v, want what the first one is", w.found)
	}
	again := message("A")
	w.Received(again) // and it came twice
	for _, want := range []*waBinary.Node{w.open["A"][0].node, again} {
		if of := w.Told(told("A")); of != want {
			t.Errorf("the event comes from %p, want %p", of, want)
		}
	}
	w.Sending(receiptFor("A"))
	w.Sending(receiptFor("A"))
	if len(w.found) != 1 || len(w.open) != 0 {
		t.Errorf("found %v, open %v", w.found[1:], w.open)
	}
}

// TestStoredOnTheConnectionBefore: what comes again while its event is being stored, and is
// acknowledged by whom it was stored, was told; what was handed over and refused there was not.
//
// Mutation of watch.go: a stanza that comes again while its event is being stored leaves a
// placeholder besides.
func TestStoredOnTheConnectionBefore(t *testing.T) {
	for name, c := range map[string]struct {
		stored bool
		times  int // that it comes again
		found  int
	}{
		"stored":                 {true, 1, 0},
		"stored, twice again":    {true, 2, 0},
		"refused":                {false, 1, 1},
		"refused, twice again":   {false, 2, 1},
		"stored, and not again":  {true, 0, 0},
		"refused, and not again": {false, 0, 0}, // its acknowledgement would not be sent
	} {
		w := newWatching()
		w.Received(&waBinary.Node{Tag: "success"})
		w.Received(message("A"))
		n := w.Told(told("A"))
		for i := range c.times {
			w.Received(&waBinary.Node{Tag: "success"})
			w.Received(message("A"))
			if c.stored && i == 0 {
				w.Stored(n)
			}
		}
		w.Stored(nil)
		if w.Sending(receiptFor("A")); len(w.found) != c.found {
			t.Errorf("%s: found %v, want %d", name, w.found, c.found)
		}
		if w.Sending(receiptFor("A")); len(w.open) != 0 {
			t.Errorf("%s: still open: %v", name, w.open)
		}
	}
}

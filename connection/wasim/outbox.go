package wasim

import (
	"container/list"
	"fmt"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// defaultWindow is how many stanzas may be unacknowledged on one connection. The
// library queues 2048 and loses their order beyond that.
const defaultWindow = 500

// Ack describes one stanza sent to the companion, acknowledged or pending.
type Ack struct {
	ID     string `json:"id"`
	Class  string `json:"class"`            // message, receipt or notification
	Chat   string `json:"chat"`             // JID of the contact or group
	Sender string `json:"sender,omitempty"` // JID of the member, in groups
	// the stanza's type; peer for the phone's own business
	Type string `json:"type,omitempty"`
	// the code of the acknowledgement with which the companion refused it
	Error string `json:"error,omitempty"`
	// when it was acknowledged; for pending ones when it was queued
	At time.Time `json:"at"`
}

// ackKey is what an acknowledgement names: several receipts may share one id.
type ackKey struct {
	class, id, from, participant, kind string
}

// stanza is one event for the companion, kept until it is acknowledged.
type stanza struct {
	key     ackKey
	node    waBinary.Node
	info    Ack
	sent    bool // on the present connection
	backlog bool // was waiting when the present connection became active
	// sent again for a retry receipt: the first copy's <ack> is still to come and means nothing
	ackOwed bool
}

// outbox holds a companion's unacknowledged stanzas in order. Every operation
// is O(1) in the number of stanzas, except those per connection. Guarded by the
// account's lock.
type outbox struct {
	all      *list.List // of *stanza
	byKey    map[ackKey][]*list.Element
	next     *list.Element   // first one not sent on the present connection
	again    []*list.Element // to be sent once more on the present connection
	inflight int
}

func (o *outbox) init() {
	o.all, o.byKey = list.New(), make(map[ackKey][]*list.Element)
}

func (o *outbox) push(st *stanza) {
	el := o.all.PushBack(st)
	o.byKey[st.key] = append(o.byKey[st.key], el)
	if o.next == nil {
		o.next = el
	}
}

// rewind forgets what was sent: a new connection starts from the beginning.
func (o *outbox) rewind() {
	for el := o.all.Front(); el != nil && el != o.next; el = el.Next() {
		st := el.Value.(*stanza)
		st.sent, st.ackOwed = false, false
	}
	o.next, o.again, o.inflight = o.all.Front(), nil, 0
}

// markBacklog marks everything queued as offline backlog.
func (o *outbox) markBacklog() {
	for el := o.all.Front(); el != nil; el = el.Next() {
		el.Value.(*stanza).backlog = true
	}
}

// counts returns how many stanzas of each class are queued.
func (o *outbox) counts() map[string]int {
	n := make(map[string]int)
	for el := o.all.Front(); el != nil; el = el.Next() {
		n[el.Value.(*stanza).key.class]++
	}
	return n
}

// take returns the next stanza to send, nil when there is none or the window is
// full.
func (o *outbox) take(window int) *stanza {
	if len(o.again) > 0 {
		st := o.again[0].Value.(*stanza)
		o.again = o.again[1:]
		return st
	}
	if o.next == nil || o.inflight >= window {
		return nil
	}
	st := o.next.Value.(*stanza)
	o.next = o.next.Next()
	o.inflight++
	st.sent = true
	return st
}

// backlogSent tells whether no stanza of the offline backlog waits any more.
func (o *outbox) backlogSent() bool {
	return o.next == nil || !o.next.Value.(*stanza).backlog
}

// find returns the oldest stanza with the key.
func (o *outbox) find(k ackKey) *stanza {
	if els := o.byKey[k]; len(els) > 0 {
		return els[0].Value.(*stanza)
	}
	return nil
}

// remove drops the oldest stanza with the key; nil when there is none.
func (o *outbox) remove(k ackKey) *stanza {
	els := o.byKey[k]
	if len(els) == 0 {
		return nil
	}
	el := els[0]
	if len(els) == 1 {
		delete(o.byKey, k)
	} else {
		o.byKey[k] = els[1:]
	}
	st := el.Value.(*stanza)
	if el == o.next {
		o.next = el.Next()
	}
	if st.sent {
		o.inflight--
	}
	for i, other := range o.again {
		if other == el {
			o.again = append(o.again[:i:i], o.again[i+1:]...)
			break
		}
	}
	o.all.Remove(el)
	return st
}

// resend replaces a stanza's content and sends it once more, ahead of the rest.
func (o *outbox) resend(k ackKey, node waBinary.Node) bool {
	els := o.byKey[k]
	if len(els) == 0 {
		return false
	}
	st := els[0].Value.(*stanza)
	st.node, st.ackOwed = node, true
	if st.sent {
		o.again = append(o.again, els[0])
	}
	return true
}

// reorder puts the stanzas that were not sent on the present connection into another order, a
// permutation of their indices.
func (o *outbox) reorder(order func(n int) []int) error {
	var waiting []*stanza
	for el := o.next; el != nil; el = el.Next() {
		waiting = append(waiting, el.Value.(*stanza))
	}
	indices := order(len(waiting))
	seen := make(map[int]bool)
	for _, i := range indices {
		if i < 0 || i >= len(waiting) || seen[i] {
			return fmt.Errorf("%v is no order of %d stanzas", indices, len(waiting))
		}
		seen[i] = true
	}
	if len(indices) != len(waiting) {
		return fmt.Errorf("%v is no order of %d stanzas", indices, len(waiting))
	}
	for el := o.next; el != nil; {
		next := el.Next()
		o.forget(el)
		el = next
	}
	o.next = nil
	for _, i := range indices {
		o.push(waiting[i])
	}
	return nil
}

// forget takes one stanza out of the lists.
func (o *outbox) forget(el *list.Element) {
	k := el.Value.(*stanza).key
	o.byKey[k] = slices.DeleteFunc(o.byKey[k], func(other *list.Element) bool { return other == el })
	if len(o.byKey[k]) == 0 {
		delete(o.byKey, k)
	}
	o.all.Remove(el)
}

// keyOf is the key under which a stanza for the companion is acknowledged.
func keyOf(n waBinary.Node) ackKey {
	k := ackKey{class: n.Tag, id: attrString(n, "id"), from: attrString(n, "from"), participant: attrString(n, "participant")}
	if n.Tag != "message" {
		k.kind = attrString(n, "type")
	}
	return k
}

// attrString renders an attribute, whatever its type; JIDs without device.
func attrString(n waBinary.Node, name string) string {
	switch v := n.Attrs[name].(type) {
	case string:
		return v
	case types.JID:
		return v.ToNonAD().String()
	}
	return ""
}

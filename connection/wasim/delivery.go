package wasim

import (
	"context"
	"fmt"
	"maps"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// keptStanzas is how many of the last stanzas can be repeated.
const keptStanzas = 4096

// keep remembers a stanza for Repeat. Call with the lock held.
func (a *Account) keep(n waBinary.Node) {
	if len(a.kept) >= 2*keptStanzas {
		a.kept = append(a.kept[:0:0], a.kept[keptStanzas:]...)
	}
	a.kept = append(a.kept, n)
}

// Repeat queues the last stanza with an id once more as it was, whether acknowledged or not, as a
// server does that has lost an acknowledgement; at, when it is not zero, is its new t. It is listed
// as acknowledged once more. A new copy from the sender, encrypted again, is a message with the
// same Form.ID instead. What was queued before a restart of the simulator is not known any more.
func (a *Account) Repeat(ctx context.Context, id string, at time.Time) error {
	d, err := a.companion(ctx)
	if err != nil {
		return fmt.Errorf("repeat %s: %w", id, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device != d {
		return fmt.Errorf("repeat %s: %w", id, ErrNotLinked)
	}
	for i := len(a.kept) - 1; i >= 0; i-- {
		if attrString(a.kept[i], "id") != id {
			continue
		}
		n := a.kept[i]
		n.Attrs = maps.Clone(n.Attrs)
		if !at.IsZero() {
			n.Attrs["t"] = unix(at)
		}
		a.push(d, n)
		return nil
	}
	return fmt.Errorf("repeat %s: %w stanza, or one of too long ago", id, errUnknown)
}

// Hold keeps everything that is queued from the companion until it is called with false, as a
// server in trouble does; the connection stays.
func (a *Account) Hold(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = on
	a.changed.notify()
}

// Reorder changes the order of what is queued and not sent on the present connection: order is
// given how many stanzas there are and returns their indices in the new order, such as rand.Perm.
func (a *Account) Reorder(order func(n int) []int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == nil {
		return fmt.Errorf("reorder: %w", ErrNotLinked)
	}
	if err := a.device.out.reorder(order); err != nil {
		return fmt.Errorf("reorder: %w", err)
	}
	a.changed.notify()
	return nil
}

// Reverse is an order for Reorder: the last comes first.
func Reverse(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = n - 1 - i
	}
	return order
}

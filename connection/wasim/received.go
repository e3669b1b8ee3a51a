package wasim

import (
	"context"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Received is a message of the companion as its receiver decrypted it.
type Received struct {
	ID      string         `json:"id"`
	Chat    string         `json:"chat"` // the account's phone number JID, or the group's
	Text    string         `json:"text"`
	At      time.Time      `json:"at"`
	Message *waE2E.Message `json:"-"` // read only
}

// CompanionReceipt is a receipt the companion sent for a contact's messages.
type CompanionReceipt struct {
	IDs  []string  `json:"ids"`
	Chat string    `json:"chat"`
	Type string    `json:"type"` // "" delivered to an active client, inactive, read, played …
	At   time.Time `json:"at"`
}

// Received lists the companion's messages this contact has decrypted, in order.
func (c *Contact) Received() []Received {
	c.acct.mu.Lock()
	defer c.acct.mu.Unlock()
	return append([]Received(nil), c.received...)
}

// WaitReceived blocks until the contact has received n messages in all.
func (c *Contact) WaitReceived(ctx context.Context, n int) error {
	if err := c.acct.until(ctx, func() (bool, error) { return len(c.received) >= n, nil }); err != nil {
		return fmt.Errorf("wait for %d messages to %s (%d so far): %w", n, c.name, len(c.Received()), err)
	}
	return nil
}

// Receipts lists the receipts the companion sent to this contact, in order.
func (c *Contact) Receipts() []CompanionReceipt {
	c.acct.mu.Lock()
	defer c.acct.mu.Unlock()
	return append([]CompanionReceipt(nil), c.receipts...)
}

// WaitReceipt blocks until the companion has sent a receipt of the type for the message.
func (c *Contact) WaitReceipt(ctx context.Context, typ, id string) error {
	err := c.acct.until(ctx, func() (bool, error) {
		for _, r := range c.receipts {
			for _, got := range r.IDs {
				if got == id && r.Type == typ {
					return true, nil
				}
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the %q receipt of %s: %w", typ, id, err)
	}
	return nil
}

// AutoReceipt lets the contact send receipts of these types, in this order, for every
// message it receives; without any it sends none, the default.
// "" is delivered.
func (c *Contact) AutoReceipt(typ ...string) {
	c.acct.mu.Lock()
	defer c.acct.mu.Unlock()
	c.auto = append([]string(nil), typ...)
}

// got records a message and returns the automatic receipts. Takes the lock.
func (c *Contact) got(id string, g *Group, m *waE2E.Message) []waBinary.Node {
	r := Received{ID: id, Chat: c.acct.PN(), Text: textOf(m), At: time.Now(), Message: m}
	if g != nil {
		r.Chat = g.JID()
	}
	c.acct.mu.Lock()
	c.received = append(c.received, r)
	auto := c.auto
	c.acct.changed.notify()
	c.acct.mu.Unlock()
	var receipts []waBinary.Node
	for _, typ := range auto {
		receipts = append(receipts, c.receipt(g, typ, id))
	}
	return receipts
}

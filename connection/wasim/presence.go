package wasim

import (
	"context"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// SetPresence shows the contact as available, or as unavailable since lastSeen
// (zero: hidden). It is remembered, told to a companion that subscribes later,
// and sent at once to one that is online; ErrNotOnline otherwise, for presence
// is never queued.
func (c *Contact) SetPresence(ctx context.Context, available bool, lastSeen time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := c.acct
	a.mu.Lock()
	c.available, c.lastSeen, c.known = available, lastSeen, true
	n := c.presence()
	skip := a.subscribedOnly && (a.device == nil || !a.device.watching[c.pn.User])
	a.mu.Unlock()
	if skip {
		return nil
	}
	return a.sendNow(n)
}

// RequirePresenceSubscription sends presence of contacts only to a companion
// that has subscribed to it, as the real server does. Off at first.
func (a *Account) RequirePresenceSubscription(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.subscribedOnly = on
}

// Available tells whether the online companion shows itself as available.
func (a *Account) Available() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.online() && a.device.available
}

// Typing shows the contact composing, recording or paused in the direct chat.
func (c *Contact) Typing(ctx context.Context, state string) error {
	return c.typing(ctx, c.direct("chatstate", ""), state)
}

// GroupTyping is Typing in a group.
func (c *Contact) GroupTyping(ctx context.Context, g *Group, state string) error {
	if err := g.mustHave(c); err != nil {
		return err
	}
	return c.typing(ctx, g.from("chatstate", "", c), state)
}

func (c *Contact) typing(ctx context.Context, n waBinary.Node, state string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(n.Attrs, "id")
	delete(n.Attrs, "t")
	child := waBinary.Node{Tag: state}
	switch state {
	case "composing", "paused":
	case "recording":
		child = waBinary.Node{Tag: "composing", Attrs: waBinary.Attrs{"media": "audio"}}
	default:
		return fmt.Errorf("typing state %q is not composing, recording or paused", state)
	}
	n.Content = []waBinary.Node{child}
	return c.acct.sendNow(n)
}

// presence is the contact's presence stanza. Call with the lock held.
func (c *Contact) presence() waBinary.Node {
	n := waBinary.Node{Tag: "presence", Attrs: waBinary.Attrs{"from": c.lid}}
	if c.addressing.byPN() {
		n.Attrs["from"] = c.pn
	}
	if !c.available {
		n.Attrs["type"] = "unavailable"
		n.Attrs["last"] = "deny"
		if !c.lastSeen.IsZero() {
			n.Attrs["last"] = unix(c.lastSeen)
		}
	}
	return n
}

// sendNow sends a stanza that is never queued; ErrNotOnline without a companion
// that has finished its login.
func (a *Account) sendNow(n waBinary.Node) error {
	a.mu.Lock()
	if !a.online() {
		a.mu.Unlock()
		return fmt.Errorf("send <%s>: %w", n.Tag, ErrNotOnline)
	}
	c := a.device.conn
	a.mu.Unlock()
	if err := c.send(n); err != nil {
		return fmt.Errorf("send <%s>: %w", n.Tag, ErrNotOnline)
	}
	return nil
}

// handlePresence notes the companion's own presence and its subscriptions.
func (a *Account) handlePresence(c *conn, d *device, n *waBinary.Node) error {
	switch attrString(*n, "type") {
	case "subscribe":
		to, _ := n.Attrs["to"].(types.JID)
		a.mu.Lock()
		contact := a.people[to.User]
		var known bool
		var reply waBinary.Node
		if contact != nil {
			d.watching[contact.pn.User] = true
			a.changed.notify()
			known, reply = contact.known, contact.presence()
		}
		a.mu.Unlock()
		if known {
			return c.send(reply)
		}
	case "available", "unavailable":
		a.mu.Lock()
		d.available = attrString(*n, "type") == "available"
		a.changed.notify()
		a.mu.Unlock()
	}
	return nil
}

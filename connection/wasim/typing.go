package wasim

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// noteTyping keeps what the companion showed in a chat.
func (a *Account) noteTyping(n *waBinary.Node) {
	to, _ := n.Attrs["to"].(types.JID)
	state := ""
	for _, child := range n.GetChildren() {
		state = child.Tag
		if state == "composing" && attrString(child, "media") == "audio" {
			state = "recording"
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.people[to.User]; c != nil {
		to = c.lid
	}
	if a.typed == nil {
		a.typed = make(map[types.JID][]string)
	}
	a.typed[to] = append(a.typed[to], state)
	a.changed.notify()
}

// WaitTyping blocks until the companion has shown n states (composing, recording, paused) in the
// chat, a contact's LID or a group, and returns them.
func (a *Account) WaitTyping(ctx context.Context, chat string, n int) ([]string, error) {
	jid, err := types.ParseJID(chat)
	if err != nil {
		return nil, fmt.Errorf("wait for typing in %q: %w", chat, err)
	}
	var states []string
	err = a.until(ctx, func() (bool, error) {
		states = append([]string(nil), a.typed[jid]...)
		return len(states) >= n, nil
	})
	if err != nil {
		return states, fmt.Errorf("wait for %d typing states in %s (%d so far): %w", n, chat, len(states), err)
	}
	return states, nil
}

// WaitWatched blocks until the companion that is connected has subscribed to the contact's
// presence.
func (c *Contact) WaitWatched(ctx context.Context) error {
	err := c.acct.until(ctx, func() (bool, error) {
		d := c.acct.device
		return d != nil && d.watching[c.pn.User], nil
	})
	if err != nil {
		return fmt.Errorf("wait for a subscription to the presence of %s: %w", c.name, err)
	}
	return nil
}

package wasim

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// Reinstall gives the contact a new phone: new identity and prekeys, no session, nothing to send
// again. The server tells the companion that the identity changed; what the companion sends in its
// old session cannot be read and is asked for again.
func (c *Contact) Reinstall(ctx context.Context) error {
	p := c.party
	p.mu.Lock()
	p.identity = keys.NewKeyPair()
	p.ring = newKeyring(p.identity, newRegistration())
	p.shared, p.sent, p.order = make(map[string]types.JID), make(map[string]outgoing), nil
	clear(p.retries)
	p.mu.Unlock()
	jid := c.lid
	c.acct.mu.Lock()
	if c.addressing.byPN() {
		jid = c.pn
	}
	c.acct.mu.Unlock()
	if err := c.acct.SendStanza(ctx, c.acct.notification(jid, "encrypt", waBinary.Node{Tag: "identity"})); err != nil {
		return fmt.Errorf("tell that %s has a new phone: %w", c.name, err)
	}
	return nil
}

// UsePreKeys uses up to n of the companion's one-time prekeys up, as strangers who write to it do,
// and returns how many are left. Whoever writes when there are none starts from the signed prekey
// alone. An online companion is asked for more when few are left.
func (a *Account) UsePreKeys(ctx context.Context, n int) (left int, err error) {
	d, err := a.companion(ctx)
	if err != nil {
		return 0, err
	}
	for range n {
		a.mu.Lock()
		left = len(d.oneTime)
		a.mu.Unlock()
		if left == 0 {
			break
		}
		if _, err := a.bundle(d); err != nil {
			return left, err
		}
		left--
	}
	return left, nil
}

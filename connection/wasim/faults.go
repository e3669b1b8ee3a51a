package wasim

import (
	"errors"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wasim/fault"
)

// errCut says that a planned fault ended the connection.
var errCut = errors.New("the connection was cut, as planned")

// Fault plans something that goes wrong on connections to come and present, of unlinked clients
// too: the steps of pairing are stanzas like others. Those of one account: Account.Fault.
func (s *Server) Fault(f fault.Fault) error { return s.plan.Add(f) }

// ClearFaults drops what Fault has planned and what has not happened yet.
func (s *Server) ClearFaults() { s.plan.Clear() }

// Fault plans something that goes wrong on the connections of the account's companion, its login
// included.
func (a *Account) Fault(f fault.Fault) error { return a.plan.Add(f) }

// ClearFaults drops what Fault has planned and what has not happened yet.
func (a *Account) ClearFaults() { a.plan.Clear() }

// FaultsLeft is how many of the planned faults are still to happen.
func (a *Account) FaultsLeft() int { return a.plan.Left() }

// faultAt returns what happens to a stanza. Every plan counts it until one has a fault for it.
func (c *conn) faultAt(from fault.Side, n *waBinary.Node) (fault.Fault, bool) {
	for _, p := range c.plans {
		if f, ok := p.Take(from, n); ok {
			return f, true
		}
	}
	return fault.Fault{}, false
}

// sendWrongly writes a marshalled stanza as the fault says.
func (c *conn) sendWrongly(f fault.Fault, raw []byte) error {
	switch f.Effect {
	case fault.CutBefore:
		if c.first() {
			c.sayNothing()
		}
		c.close()
		return errCut
	case fault.CutAfter:
		if err := c.write(raw); err != nil {
			return err
		}
		c.close()
		return errCut
	case fault.Lose:
		return nil
	case fault.Twice:
		if err := c.write(raw); err != nil {
			return err
		}
	case fault.Delay:
		c.start(func() {
			c.pause(f.For)
			c.write(raw) //nolint:errcheck // the connection is gone, and with it the stanza
		})
		return nil
	case fault.Garble:
		raw = raw[:len(raw)/2]
	case fault.Damage:
		c.txMu.Lock()
		defer c.txMu.Unlock()
		sealed := c.seal(raw)
		sealed[len(sealed)-1] ^= 0xff
		return c.writeFrame(sealed)
	}
	return c.write(raw)
}

// refuse returns an error to a question or a message of the companion.
func (c *conn) refuse(n *waBinary.Node) error {
	switch n.Tag {
	case "iq":
		return c.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"from": types.ServerJID, "type": "error", "id": n.Attrs["id"]},
			Content: []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 429, "text": "rate-overlimit"}}}})
	case "message":
		return c.send(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": n.Attrs["id"], "from": n.Attrs["to"], "error": 429}})
	}
	return nil
}

// sayNothing sends a stanza that says nothing. Before a cut at the very first stanza it keeps the
// client library clear of a race of its own: the goroutine that reads learns whom to tell of the
// end from the one that made the handshake only by passing on a frame.
func (c *conn) sayNothing() {
	if raw, err := waBinary.Marshal(waBinary.Node{Tag: "ib", Attrs: waBinary.Attrs{"from": types.ServerJID}}); err == nil {
		c.write(raw) //nolint:errcheck // the connection is being cut
	}
}

// first tells whether nothing was sent on the connection since the handshake.
func (c *conn) first() bool {
	c.txMu.Lock()
	defer c.txMu.Unlock()
	return c.txN == 0
}

// pause waits for a while, or until the connection ends.
func (c *conn) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

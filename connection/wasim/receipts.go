package wasim

import (
	"context"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// SendReceipt tells the companion what happened to its messages in the direct
// chat: typ "" is delivered, "read" or "played". It is queued like a message.
func (c *Contact) SendReceipt(ctx context.Context, typ string, ids ...string) error {
	return c.sendReceipt(ctx, nil, typ, ids)
}

// SendGroupReceipt is SendReceipt for messages of the companion in a group.
func (c *Contact) SendGroupReceipt(ctx context.Context, g *Group, typ string, ids ...string) error {
	if err := g.mustHave(c); err != nil {
		return err
	}
	return c.sendReceipt(ctx, g, typ, ids)
}

func (c *Contact) sendReceipt(ctx context.Context, g *Group, typ string, ids []string) error {
	if len(ids) == 0 {
		return errors.New("send receipt: no message id given")
	}
	d, err := c.acct.companion(ctx)
	if err == nil {
		err = c.acct.enqueue(d, c.receipt(g, typ, ids...))
	}
	if err != nil {
		return fmt.Errorf("send receipt for %s: %w", ids[0], err)
	}
	return nil
}

// receipt builds a receipt of the contact, in a group or, with nil, directly.
func (c *Contact) receipt(g *Group, typ string, ids ...string) waBinary.Node {
	var n waBinary.Node
	if g == nil {
		n = c.direct("receipt", ids[0])
	} else {
		n = g.from("receipt", ids[0], c)
	}
	if typ != "" {
		n.Attrs["type"] = typ
	}
	if len(ids) > 1 {
		items := make([]waBinary.Node, 0, len(ids)-1)
		for _, id := range ids[1:] {
			items = append(items, waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"id": id}})
		}
		n.Content = []waBinary.Node{{Tag: "list", Content: items}}
	}
	return n
}

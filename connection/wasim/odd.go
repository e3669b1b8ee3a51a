package wasim

import (
	"context"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// SendPlain encrypts any bytes as the contact's next direct message, or as one of a group, and
// returns the message id: what a client sends that is broken, hostile or newer than the companion.
// alter changes the stanza before it is queued, nil leaves it; its first <enc> is the message's, in
// a group after the one of the sender key.
func (c *Contact) SendPlain(ctx context.Context, g *Group, plain []byte, alter func(stanza *waBinary.Node)) (string, error) {
	f := Form{Plain: plain, Alter: alter}
	if f.Plain == nil {
		f.Plain = []byte{}
	}
	if g != nil {
		return c.SendGroupAs(ctx, g, nil, f)
	}
	return c.SendAs(ctx, nil, f)
}

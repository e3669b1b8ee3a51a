package wasim

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// handleMessage takes a message of the companion, lets everybody it is for
// decrypt it, and returns the server's <ack> and the receipts to queue after it.
func (a *Account) handleMessage(d *device, n *waBinary.Node) (ack waBinary.Node, replies []waBinary.Node) {
	to, _ := n.Attrs["to"].(types.JID)
	ack = waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{
		"class": "message", "id": n.Attrs["id"], "from": to, "t": unix(time.Now()),
	}}
	a.mu.Lock()
	reject := a.reject
	a.mu.Unlock()
	switch {
	case reject != 0:
	case to.Server == types.NewsletterServer:
		var serverID int
		if serverID, reject = a.publish(n, to); reject == 0 {
			ack.Attrs["server_id"] = serverID
		}
	default:
		replies, reject = a.route(d, n, to)
	}
	if reject != 0 {
		ack.Attrs["error"] = reject
	}
	return ack, replies
}

// route delivers a message and returns the receivers' receipts and the error
// code to refuse with, or 0.
func (a *Account) route(d *device, n *waBinary.Node, to types.JID) (replies []waBinary.Node, code int) {
	var g *Group
	if to.Server == types.GroupServer {
		if g = a.group(to); g == nil {
			return nil, 404
		}
		if !g.hasAccount() || !g.accountWrites() {
			return nil, 403
		}
	} else if !a.isSelf(to) && a.contact(to) == nil {
		return nil, 404
	}
	if code := refusal(n); code != 0 {
		return nil, code
	}
	id := attrString(*n, "id")
	participants := n.GetChildByTag("participants")
	for _, part := range participants.GetChildrenByTag("to") {
		jid, _ := part.Attrs["jid"].(types.JID)
		replies = append(replies, a.deliver(d, jid, id, g, part.GetChildByTag("enc"))...)
	}
	for _, enc := range n.GetChildrenByTag("enc") {
		switch {
		case attrString(enc, "type") == "skmsg" && g != nil:
			for _, c := range g.contacts() {
				replies = append(replies, a.deliver(d, c.lid, id, g, enc)...)
			}
		default: // a reply to a retry receipt, or a message to the own phone
			jid, ok := n.Attrs["participant"].(types.JID)
			if !ok {
				jid = to
			}
			replies = append(replies, a.deliver(d, jid, id, g, enc)...)
		}
	}
	return replies, 0
}

// refusal is the code with which a message is refused that no receiver could read: without id,
// without ciphertext, or one that starts a session and does not say whose device it is from.
func refusal(n *waBinary.Node) int {
	encs := n.GetChildrenByTag("enc")
	participants := n.GetChildByTag("participants")
	for _, part := range participants.GetChildrenByTag("to") {
		encs = append(encs, part.GetChildrenByTag("enc")...)
	}
	if attrString(*n, "id") == "" || len(encs) == 0 {
		return 400
	}
	_, named := n.GetOptionalChildByTag("device-identity")
	for _, enc := range encs {
		raw, _ := enc.Content.([]byte)
		if attrString(enc, "type") == "" || len(raw) == 0 {
			return 400
		}
		if attrString(enc, "type") == "pkmsg" && !named {
			return 400
		}
	}
	return 0
}

// deliver lets the user jid decrypt one ciphertext of the companion; it returns
// the user's receipts.
func (a *Account) deliver(d *device, jid types.JID, id string, g *Group, enc waBinary.Node) []waBinary.Node {
	if a.isSelf(jid) && jid.Device == d.pn.Device {
		return nil // its own copy
	}
	var c *Contact
	p := a.phone
	if !a.isSelf(jid) {
		if c = a.contact(jid); c == nil {
			a.srv.log.Warn("message for an unknown user dropped", "message_id", id)
			return nil
		}
		p = c.party
	}
	p.trust(d)
	m, err := p.read(d, g, enc)
	switch {
	case errors.Is(err, errDuplicate):
		a.srv.log.Info("message was seen before", "message_id", id)
	case err != nil:
		a.srv.log.Warn("message not readable", "message_id", id, "error", err)
		if c != nil {
			return c.requestAgain(id, g)
		}
	case c != nil && hasContent(m):
		return c.got(id, g, m)
	}
	return nil
}

// read decrypts one <enc> and stores the sender key it may carry.
func (p *party) read(d *device, g *Group, enc waBinary.Node) (*waE2E.Message, error) {
	raw, _ := enc.Content.([]byte)
	kind := attrString(enc, "type")
	p.mu.Lock()
	defer p.mu.Unlock()
	var plain []byte
	var err error
	if kind == "skmsg" && g != nil {
		plain, err = p.openGroup(g.jid, d.lid, raw)
	} else {
		plain, err = p.open(d.lid, kind, raw)
	}
	if err != nil {
		return nil, err
	}
	m := &waE2E.Message{}
	if err := proto.Unmarshal(plain, m); err != nil {
		return nil, fmt.Errorf("parse the decrypted message: %w", err)
	}
	if key := m.GetSenderKeyDistributionMessage().GetAxolotlSenderKeyDistributionMessage(); key != nil && g != nil {
		if err := p.learnSenderKey(g.jid, d.lid, key); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// hasContent tells a message from a mere sender key.
func hasContent(m *waE2E.Message) bool {
	bare := proto.Clone(m).(*waE2E.Message)
	bare.SenderKeyDistributionMessage, bare.MessageContextInfo = nil, nil
	return proto.Size(bare) > 0
}

// requestAgain is the contact's retry receipt, as long as it may send one.
func (c *Contact) requestAgain(id string, g *Group) []waBinary.Node {
	head := c.receipt(g, "", id)
	c.party.mu.Lock()
	defer c.party.mu.Unlock()
	if n, ok := c.party.askAgain(id, head); ok {
		return []waBinary.Node{n}
	}
	return nil
}

func (a *Account) isSelf(jid types.JID) bool { return jid.User == a.pn.User || jid.User == a.lid.User }

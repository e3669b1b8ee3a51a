package wasim

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// transmit encrypts a message for the companion and queues it; m needs head,
// group for group messages, and the form with its id. Messages of one party leave in the order of
// their encryption.
func (a *Account) transmit(ctx context.Context, p *party, msg *waE2E.Message, m outgoing) error {
	if err := a.encryptAndQueue(ctx, p, msg, m); err != nil {
		return fmt.Errorf("send %s: %w", m.form.ID, err)
	}
	return nil
}

func (a *Account) encryptAndQueue(ctx context.Context, p *party, msg *waE2E.Message, m outgoing) error {
	content := msg
	if copied := msg.GetDeviceSentMessage(); copied != nil {
		content = copied.GetMessage()
	}
	m.media, m.plain = mediaType(content), m.form.Plain
	if m.plain == nil {
		var err error
		if m.plain, err = proto.Marshal(msg); err != nil {
			return fmt.Errorf("marshal: %w", err)
		}
	}
	m.form.onHead(m.head.Attrs, content)
	d, err := a.companion(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	node := m.head
	body, err := a.sealed(p, d, m)
	if err != nil {
		return err
	}
	node.Content = append(m.form.children(), body...)
	if m.form.Alter != nil {
		m.form.Alter(&node)
	}
	p.remember(m.form.ID, m)
	return a.enqueue(d, node)
}

// sealed returns the <enc>s of a message, or what it has instead. Call with the party's lock held.
func (a *Account) sealed(p *party, d *device, m outgoing) ([]waBinary.Node, error) {
	instead, without := m.form.inPlaceOfEnc()
	switch {
	case without:
		return instead, nil
	case m.group.IsEmpty():
		return a.sealDirect(p, d, m)
	}
	return a.sealGroup(p, d, m)
}

// sealDirect returns the <enc> of a direct message. Call with the party's lock held.
func (a *Account) sealDirect(p *party, d *device, m outgoing) ([]waBinary.Node, error) {
	enc, err := a.seal(p, d, m.plain)
	if err != nil {
		return nil, err
	}
	if err := p.dress(&enc, m); err != nil {
		return nil, err
	}
	return []waBinary.Node{enc}, nil
}

// sealGroup returns the <enc>s of a group message: the sender key first when
// the companion does not have it. Call with the party's lock held.
func (a *Account) sealGroup(p *party, d *device, m outgoing) ([]waBinary.Node, error) {
	var encs []waBinary.Node
	if group := m.group.String(); p.shared[group] != d.lid {
		key, err := p.senderKeyMessage(m.group)
		if err != nil {
			return nil, err
		}
		enc, err := a.seal(p, d, key)
		if err != nil {
			return nil, err
		}
		encs = append(encs, enc)
		p.shared[group] = d.lid
	}
	ciphertext, err := p.sealGroup(m.group, m.plain)
	if err != nil {
		return nil, err
	}
	enc := encNode("skmsg", ciphertext)
	if err := p.dress(&enc, m); err != nil {
		return nil, err
	}
	return append(encs, enc), nil
}

func (a *Account) seal(p *party, d *device, plain []byte) (waBinary.Node, error) {
	ciphertext, kind, err := p.seal(d.lid, plain, d.bundleFrom(a))
	if err != nil {
		return waBinary.Node{}, err
	}
	return encNode(kind, ciphertext), nil
}

// dress spoils the <enc> with the content when asked to, and writes its attributes. Call with the
// lock held.
func (p *party) dress(enc *waBinary.Node, m outgoing) error {
	if err := p.maybeCorrupt(enc); err != nil {
		return err
	}
	if m.media != "" {
		enc.Attrs["mediatype"] = m.media
	}
	m.form.onEnc(enc)
	return nil
}

func encNode(kind string, ciphertext []byte) waBinary.Node {
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": kind}, Content: ciphertext}
}

// attrValue turns the text of an attribute into a JID where it is one.
func attrValue(text string) any {
	if jid, err := types.ParseJID(text); err == nil && jid.User != "" && jid.Server != "" {
		return jid
	}
	return text
}

package wasim

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// Addressing is which of a user's two JIDs leads in stanzas.
type Addressing string

const (
	ByLID Addressing = "lid" // from=LID sender_pn=PN; the default, as on today's WhatsApp
	ByPN  Addressing = "pn"  // from=PN sender_lid=LID
)

// Contact is another WhatsApp user who writes with one account. Methods are
// safe for concurrent use.
type Contact struct {
	acct  *Account
	name  string
	pn    types.JID
	lid   types.JID
	party *party

	// Guarded by the account's lock.
	addressing Addressing
	received   []Received
	receipts   []CompanionReceipt
	auto       []string // receipt types sent for every message received
	available  bool
	lastSeen   time.Time
	known      bool // a presence was set
}

// NewContact adds somebody the account can write with; phone holds digits only.
func (a *Account) NewContact(name, phone string) *Contact {
	c := &Contact{
		acct: a, name: name, addressing: ByLID,
		pn: types.NewJID(digits(phone), types.DefaultUserServer), lid: a.srv.newLID(),
	}
	c.party = newParty(c.lid, keys.NewKeyPair())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.contacts = append(a.contacts, c)
	a.people[c.pn.User], a.people[c.lid.User] = c, c
	return c
}

// Contacts lists the account's contacts in the order they were made.
func (a *Account) Contacts() []*Contact {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Contact(nil), a.contacts...)
}

// contact finds a contact by either JID; nil when there is none. Takes the lock.
func (a *Account) contact(jid types.JID) *Contact {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.people[jid.User]
}

// PN is the contact's phone number JID.
func (c *Contact) PN() string { return c.pn.String() }

// LID is the contact's hidden JID.
func (c *Contact) LID() string { return c.lid.String() }

// Name is the push name the contact shows.
func (c *Contact) Name() string { return c.name }

// SetAddressing chooses the JID that leads in the contact's direct stanzas.
func (c *Contact) SetAddressing(mode Addressing) {
	c.acct.mu.Lock()
	defer c.acct.mu.Unlock()
	c.addressing = mode
}

// SendText writes a text to the account and returns the message id. It is
// encrypted and queued whether or not the companion is online; ctx bounds the
// wait for the companion's first prekeys.
func (c *Contact) SendText(ctx context.Context, text string) (string, error) {
	return c.Send(ctx, &waE2E.Message{Conversation: proto.String(text)})
}

// Send is SendText for any message.
func (c *Contact) Send(ctx context.Context, m *waE2E.Message) (string, error) {
	id := newContactMessageID()
	return id, c.acct.transmit(ctx, c.party, id, m, outgoing{head: c.direct("message", id)})
}

// SendGroupText writes a text into a group.
func (c *Contact) SendGroupText(ctx context.Context, g *Group, text string) (string, error) {
	return c.SendGroup(ctx, g, &waE2E.Message{Conversation: proto.String(text)})
}

// SendGroup is SendGroupText for any message.
func (c *Contact) SendGroup(ctx context.Context, g *Group, m *waE2E.Message) (string, error) {
	if err := g.mustHave(c); err != nil {
		return "", err
	}
	id := newContactMessageID()
	return id, c.acct.transmit(ctx, c.party, id, m, outgoing{head: g.from("message", id, c), group: g})
}

// CorruptNext makes the contact's next n messages undecryptable, so that the
// companion has to ask for them again with a retry receipt.
func (c *Contact) CorruptNext(n int) {
	c.party.mu.Lock()
	defer c.party.mu.Unlock()
	c.party.corrupt = n
}

// ForgetSessions drops the contact's Signal sessions, as a reinstalled app
// would: the companion's next message cannot be read and is asked for again.
func (c *Contact) ForgetSessions() {
	c.party.mu.Lock()
	defer c.party.mu.Unlock()
	clear(c.party.ring.sessions)
	clear(c.party.shared)
}

// direct is the head of a stanza from the contact in the direct chat.
func (c *Contact) direct(tag, id string) waBinary.Node {
	c.acct.mu.Lock()
	mode := c.addressing
	c.acct.mu.Unlock()
	attrs := waBinary.Attrs{"id": id, "t": unix(time.Now())}
	if mode == ByPN {
		attrs["from"], attrs["sender_lid"] = c.pn, c.lid
	} else {
		attrs["from"], attrs["sender_pn"] = c.lid, c.pn
	}
	if tag == "message" {
		attrs["notify"] = c.name
		attrs["addressing_mode"] = string(mode)
	}
	return waBinary.Node{Tag: tag, Attrs: attrs}
}

// transmit encrypts a message for the companion and queues it; m needs head,
// and group for group messages. Messages of one party leave in the order of
// their encryption.
func (a *Account) transmit(ctx context.Context, p *party, id string, msg *waE2E.Message, m outgoing) error {
	plain, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("send %s: marshal: %w", id, err)
	}
	content := msg
	if copied := msg.GetDeviceSentMessage(); copied != nil {
		content = copied.GetMessage()
	}
	m.plain, m.media = plain, mediaType(content)
	m.head.Attrs["type"] = stanzaType(content)
	d, err := a.companion(ctx)
	if err != nil {
		return fmt.Errorf("send %s: %w", id, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	node := m.head
	if m.group == nil {
		node.Content, err = a.sealDirect(p, d, m)
	} else {
		node.Content, err = a.sealGroup(p, d, m)
	}
	if err != nil {
		return fmt.Errorf("send %s: %w", id, err)
	}
	p.remember(id, m)
	if err := a.enqueue(d, node); err != nil {
		return fmt.Errorf("send %s: %w", id, err)
	}
	return nil
}

// sealDirect returns the <enc> of a direct message. Call with the party's lock held.
func (a *Account) sealDirect(p *party, d *device, m outgoing) ([]waBinary.Node, error) {
	enc, err := a.seal(p, d, m.plain)
	if err != nil {
		return nil, err
	}
	if err := p.maybeCorrupt(&enc); err != nil {
		return nil, err
	}
	if m.media != "" {
		enc.Attrs["mediatype"] = m.media
	}
	return []waBinary.Node{enc}, nil
}

// sealGroup returns the <enc>s of a group message: the sender key first when
// the companion does not have it. Call with the party's lock held.
func (a *Account) sealGroup(p *party, d *device, m outgoing) ([]waBinary.Node, error) {
	var encs []waBinary.Node
	if group := m.group.jid.String(); p.shared[group] != d.lid {
		key, err := p.senderKeyMessage(m.group.jid)
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
	sealed, err := p.sealGroup(m.group.jid, m.plain)
	if err != nil {
		return nil, err
	}
	enc := encNode("skmsg", sealed)
	if err := p.maybeCorrupt(&enc); err != nil {
		return nil, err
	}
	if m.media != "" {
		enc.Attrs["mediatype"] = m.media
	}
	return append(encs, enc), nil
}

func (a *Account) seal(p *party, d *device, plain []byte) (waBinary.Node, error) {
	sealed, kind, err := p.seal(d.lid, plain, d.bundleFrom(a))
	if err != nil {
		return waBinary.Node{}, err
	}
	return encNode(kind, sealed), nil
}

func encNode(kind string, sealed []byte) waBinary.Node {
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": kind}, Content: sealed}
}

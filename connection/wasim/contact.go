package wasim

import (
	"context"
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
	// ByPNAlone is ByPN without a LID, in a contact's direct stanzas: the companion does not learn
	// the LID from them.
	ByPNAlone Addressing = "pn-alone"
)

// byPN reports whether the phone number leads.
func (a Addressing) byPN() bool { return a == ByPN || a == ByPNAlone }

// attr is the mode as stanzas name it.
func (a Addressing) attr() string {
	if a.byPN() {
		return string(ByPN)
	}
	return string(a)
}

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
	return c.SendAs(ctx, m, Form{})
}

// SendAs is Send with a stanza of another form.
func (c *Contact) SendAs(ctx context.Context, m *waE2E.Message, f Form) (string, error) {
	f.id(newContactMessageID)
	return f.ID, c.acct.transmit(ctx, c.party, m, outgoing{head: c.direct("message", f.ID), form: f})
}

// SendGroupText writes a text into a group.
func (c *Contact) SendGroupText(ctx context.Context, g *Group, text string) (string, error) {
	return c.SendGroup(ctx, g, &waE2E.Message{Conversation: proto.String(text)})
}

// SendGroup is SendGroupText for any message.
func (c *Contact) SendGroup(ctx context.Context, g *Group, m *waE2E.Message) (string, error) {
	return c.SendGroupAs(ctx, g, m, Form{})
}

// SendGroupAs is SendGroup with a stanza of another form.
func (c *Contact) SendGroupAs(ctx context.Context, g *Group, m *waE2E.Message, f Form) (string, error) {
	if err := g.mustHave(c); err != nil {
		return "", err
	}
	f.id(newContactMessageID)
	return f.ID, c.acct.transmit(ctx, c.party, m, outgoing{head: g.from("message", f.ID, c), group: g.jid, form: f})
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
	attrs := waBinary.Attrs{"id": id, "t": unix(c.acct.srv.now())}
	switch mode {
	case ByPN:
		attrs["from"], attrs["sender_lid"] = c.pn, c.lid
	case ByPNAlone:
		attrs["from"] = c.pn
	default:
		attrs["from"], attrs["sender_pn"] = c.lid, c.pn
	}
	if tag == "message" {
		attrs["notify"] = c.name
		attrs["addressing_mode"] = mode.attr()
	}
	return waBinary.Node{Tag: tag, Attrs: attrs}
}

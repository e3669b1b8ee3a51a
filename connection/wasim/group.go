package wasim

import (
	"context"
	"fmt"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Group is a WhatsApp group of an account's contacts, and usually the account.
// Methods are safe for concurrent use.
type Group struct {
	acct    *Account
	jid     types.JID
	creator types.JID // LID
	created time.Time

	// Guarded by the account's lock.
	addressing Addressing
	subject    string
	subjectBy  types.JID // LID
	subjectAt  time.Time
	topic      string
	topicID    string
	topicBy    types.JID
	topicAt    time.Time
	members    []member
	version    int

	settings        map[string]string // by tag, with their values
	announceVersion int
	invite          string    // code of the link
	community       bool      // a parent of groups
	parent          types.JID // the community it belongs to
	defaultSub      bool      // the community's announcement group
}

// member is one participant of a group; contact is nil for the account itself.
type member struct {
	contact *Contact
	pn, lid types.JID
	role    string // "", admin or superadmin
}

// NewGroup makes a group with the account as a member. The first contact, or
// without any the account, has created it. The companion is not told: use
// Joined for that.
func (a *Account) NewGroup(subject string, contacts ...*Contact) *Group {
	now := a.srv.now()
	g := &Group{
		acct: a, subject: subject, subjectAt: now, created: now, addressing: ByLID, version: 1,
		jid: types.NewJID(fmt.Sprintf("1203630%011d", uint64(uint24(randomBytes(3)))<<8|uint64(randomBytes(1)[0])), types.GroupServer),
	}
	for _, c := range contacts {
		g.members = append(g.members, c.member())
	}
	g.members = append(g.members, a.member())
	g.members[0].role = "superadmin"
	g.creator, g.subjectBy = g.members[0].lid, g.members[0].lid
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groups = append(a.groups, g)
	return g
}

func (c *Contact) member() member { return member{contact: c, pn: c.pn, lid: c.lid} }

func (a *Account) member() member { return member{pn: a.pn, lid: a.lid} }

// Groups lists the account's groups in the order they were made.
func (a *Account) Groups() []*Group {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Group(nil), a.groups...)
}

func (a *Account) group(jid types.JID) *Group {
	for _, g := range a.Groups() {
		if g.jid.User == jid.User {
			return g
		}
	}
	return nil
}

// JID is the group's address.
func (g *Group) JID() string { return g.jid.String() }

// Subject is the group's present name.
func (g *Group) Subject() string {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	return g.subject
}

// Members lists the phone number JIDs of the members, the account included.
func (g *Group) Members() []string {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	var jids []string
	for _, m := range g.members {
		jids = append(jids, m.pn.String())
	}
	return jids
}

// SetAddressing chooses the JID that names members in the group's stanzas.
func (g *Group) SetAddressing(mode Addressing) {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	if g.addressing = mode; mode == ByPNAlone { // members are always named by both
		g.addressing = ByPN
	}
}

// SetSubject renames the group; by is a member.
func (g *Group) SetSubject(ctx context.Context, by *Contact, subject string) error {
	if err := g.mustHave(by); err != nil {
		return err
	}
	return g.announce(ctx, by.member(), func() waBinary.Node { return g.rename(by.member(), subject) })
}

// Add adds contacts to the group.
func (g *Group) Add(ctx context.Context, by *Contact, who ...*Contact) error {
	return g.change(ctx, by, "add", who)
}

// Remove removes contacts from the group; one who removes itself leaves.
func (g *Group) Remove(ctx context.Context, by *Contact, who ...*Contact) error {
	return g.change(ctx, by, "remove", who)
}

// Promote makes members admins.
func (g *Group) Promote(ctx context.Context, by *Contact, who ...*Contact) error {
	return g.change(ctx, by, "promote", who)
}

// Demote makes admins plain members.
func (g *Group) Demote(ctx context.Context, by *Contact, who ...*Contact) error {
	return g.change(ctx, by, "demote", who)
}

// RemoveAccount removes the account itself: the companion is told and can no
// longer write to the group.
func (g *Group) RemoveAccount(ctx context.Context, by *Contact) error {
	if err := g.mustHave(by); err != nil {
		return err
	}
	return g.announce(ctx, by.member(), func() waBinary.Node { return g.alter("remove", []member{g.acct.member()}) })
}

// Joined tells the companion that the account was added to the group: w:gp2
// create, by the creator.
func (g *Group) Joined(ctx context.Context) error {
	by := g.acct.member()
	if c := g.acct.contact(g.creator); c != nil {
		by = c.member()
	}
	return g.announce(ctx, by, func() waBinary.Node {
		if !slices.ContainsFunc(g.members, func(m member) bool { return m.contact == nil }) {
			g.members = append(g.members, g.acct.member())
		}
		return waBinary.Node{Tag: "create", Attrs: waBinary.Attrs{"type": "new", "key": stanzaID()}, Content: []waBinary.Node{g.node()}}
	})
}

func (g *Group) change(ctx context.Context, by *Contact, action string, who []*Contact) error {
	if err := g.mustHave(by); err != nil {
		return err
	}
	if len(who) == 0 {
		return fmt.Errorf("%s in %s: nobody named", action, g.JID())
	}
	var members []member
	for _, c := range who {
		members = append(members, c.member())
	}
	return g.announce(ctx, by.member(), func() waBinary.Node { return g.alter(action, members) })
}

// announce applies a change with the lock held and queues the notification
// about it for the companion.
func (g *Group) announce(ctx context.Context, by member, apply func() waBinary.Node) error {
	a := g.acct
	if _, err := a.companion(ctx); err != nil {
		return fmt.Errorf("change group %s: %w", g.JID(), err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == nil {
		return fmt.Errorf("change group %s: %w", g.JID(), ErrNotLinked)
	}
	a.push(a.device, g.notification(by, apply()))
	return nil
}

// notification is a w:gp2 stanza. Call with the lock held.
func (g *Group) notification(by member, change waBinary.Node) waBinary.Node {
	n := g.acct.notification(g.jid, "w:gp2", change)
	g.name(n.Attrs, "participant", by)
	n.Attrs["notify"] = g.acct.name
	if by.contact != nil {
		n.Attrs["notify"] = by.contact.name
	}
	n.Attrs["addressing_mode"] = string(g.addressing)
	return n
}

// from is the head of a stanza of a member. Takes the lock.
func (g *Group) from(tag, id string, c *Contact) waBinary.Node {
	return g.head(tag, id, c.member(), c.name)
}

func (g *Group) head(tag, id string, by member, name string) waBinary.Node {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	attrs := waBinary.Attrs{"id": id, "from": g.jid, "t": unix(g.acct.srv.now())}
	g.name(attrs, "participant", by)
	if tag == "message" {
		attrs["notify"] = name
		attrs["addressing_mode"] = string(g.addressing)
	}
	return waBinary.Node{Tag: tag, Attrs: attrs}
}

// name writes both JIDs of a member. Call with the lock held.
func (g *Group) name(attrs waBinary.Attrs, key string, m member) {
	if g.addressing == ByPN {
		attrs[key], attrs[key+"_lid"] = m.pn, m.lid
	} else {
		attrs[key], attrs[key+"_pn"] = m.lid, m.pn
	}
}

func (g *Group) mustHave(c *Contact) error {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	if !slices.ContainsFunc(g.members, func(m member) bool { return m.contact == c }) {
		return fmt.Errorf("%s is not a member of %s", c.name, g.jid)
	}
	return nil
}

func (g *Group) hasAccount() bool {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	return slices.ContainsFunc(g.members, func(m member) bool { return m.contact == nil })
}

// accountWrites tells whether the account may write into the group. Takes the lock.
func (g *Group) accountWrites() bool {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	return g.mayWrite()
}

// contacts lists the members that are contacts.
func (g *Group) contacts() []*Contact {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	var list []*Contact
	for _, m := range g.members {
		if m.contact != nil {
			list = append(list, m.contact)
		}
	}
	return list
}

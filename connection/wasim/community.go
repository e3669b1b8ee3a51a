package wasim

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// NewCommunity makes a community with an announcement group, as the server does, and links the
// groups to it. The first contact, or without any the account, has created it. The companion is
// not told: use Joined and Link for that.
func (a *Account) NewCommunity(subject string, contacts []*Contact, groups ...*Group) *Group {
	parent := a.NewGroup(subject, contacts...)
	general := a.NewGroup(subject, contacts...)
	a.mu.Lock()
	defer a.mu.Unlock()
	parent.community = true
	general.defaultSub = true
	general.settings = map[string]string{"announcement": ""}
	for _, g := range append(groups, general) {
		g.parent = parent.jid
	}
	return parent
}

// Link joins a group to the community, which both tell the companion.
func (g *Group) Link(ctx context.Context, by *Contact, sub *Group) error {
	return g.relate(ctx, by, sub, "link", "link_type", true)
}

// Unlink takes a group out of the community.
func (g *Group) Unlink(ctx context.Context, by *Contact, sub *Group) error {
	return g.relate(ctx, by, sub, "unlink", "unlink_type", false)
}

func (g *Group) relate(ctx context.Context, by *Contact, sub *Group, tag, kind string, linked bool) error {
	if !g.isCommunity() {
		return fmt.Errorf("%s %s: %s is no community", tag, sub.jid, g.jid)
	}
	if err := g.mustHave(by); err != nil {
		return err
	}
	between := func(which string, other *Group) waBinary.Node {
		n := waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{kind: which}, Content: []waBinary.Node{{
			Tag: "group", Attrs: waBinary.Attrs{"jid": other.jid, "subject": other.subject, "s_t": unix(other.subjectAt)},
		}}}
		if !linked {
			n.Attrs["unlink_reason"] = "unlink_group"
		}
		return n
	}
	if err := g.announce(ctx, by.member(), func() waBinary.Node { return between("sub_group", sub) }); err != nil {
		return err
	}
	return sub.announce(ctx, by.member(), func() waBinary.Node {
		sub.parent = g.jid
		if !linked {
			sub.parent = types.EmptyJID
		}
		return between("parent_group", g)
	})
}

func (g *Group) isCommunity() bool {
	g.acct.mu.Lock()
	defer g.acct.mu.Unlock()
	return g.community
}

// subGroups lists the groups of a community. Call with the lock held.
func (g *Group) subGroups() waBinary.Node {
	var list []waBinary.Node
	for _, sub := range g.acct.groups {
		if sub.parent == g.jid {
			n := waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{"id": sub.jid.User, "subject": sub.subject, "s_t": unix(sub.subjectAt)}}
			if sub.defaultSub {
				n.Content = []waBinary.Node{{Tag: "default_sub_group"}}
			}
			list = append(list, n)
		}
	}
	return waBinary.Node{Tag: "sub_groups", Content: list}
}

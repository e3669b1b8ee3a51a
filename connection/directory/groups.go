package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// groupsKept is how long the list of groups is kept: WhatsApp refuses who asks for it often.
const groupsKept = time.Minute

// Directory looks people and groups up. Safe for concurrent use; calls that ask WhatsApp for the
// groups wait for one another.
type Directory struct {
	now func() time.Time

	mu     sync.Mutex
	groups []*types.GroupInfo
	of     types.JID // whose groups
	at     time.Time // when they were asked for

	stale atomic.Bool // something about them has changed since
}

// New makes a Directory.
func New(now func() time.Time) *Directory { return &Directory{now: now} }

// Groups returns the groups that the account is in, by name; with a JID that one alone. Errors are
// the library's.
func (d *Directory) Groups(ctx context.Context, cli *whatsmeow.Client, jid types.JID) ([]api.Group, error) {
	infos, err := d.joined(ctx, cli)
	if err != nil {
		return nil, err
	}
	p, err := readPeople(ctx, cli)
	if err != nil {
		return nil, err
	}
	out := []api.Group{}
	for _, g := range infos {
		if jid.IsEmpty() || g.JID == jid {
			out = append(out, p.group(g))
		}
	}
	slices.SortFunc(out, func(a, b api.Group) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(a.JID, b.JID))
	})
	return out, nil
}

// joined returns the account's groups as WhatsApp has them, or had them a moment ago.
func (d *Directory) joined(ctx context.Context, cli *whatsmeow.Client) ([]*types.GroupInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	self := cli.Store.GetJID().ToNonAD()
	if !d.stale.Swap(false) && d.of == self && d.now().Sub(d.at) < groupsKept {
		return d.groups, nil
	}
	infos, err := cli.GetJoinedGroups(ctx)
	if err != nil {
		d.stale.Store(true)
		return nil, err
	}
	d.groups, d.of, d.at = infos, self, d.now()
	return infos, nil
}

// Forget has the groups asked for again: something about them has changed. It never blocks.
func (d *Directory) Forget() { d.stale.Store(true) }

// group renders one group.
func (p *people) group(g *types.GroupInfo) api.Group {
	out := api.Group{
		JID: g.JID.String(), Name: g.Name, Description: g.Topic, Owner: bare(g.OwnerJID), CreatedAt: g.GroupCreated.UTC(),
		Announce: g.IsAnnounce, Locked: g.IsLocked, EphemeralSeconds: g.DisappearingTimer,
		Community: bare(g.LinkedParentJID), IsCommunity: g.IsParent, Role: roleMember,
		Members: make([]api.GroupMember, 0, len(g.Participants)),
	}
	if g.GroupCreated.Unix() <= 0 {
		out.CreatedAt = time.Time{}
	}
	for _, m := range g.Participants {
		who := p.at(m.JID, m.PhoneNumber, m.LID)
		member := api.GroupMember{JID: bare(m.JID), Phone: who.phone(), Name: who.name(), Role: role(m), Me: p.isMe(m)}
		if member.Me {
			out.Role = member.Role
		}
		out.Members = append(out.Members, member)
	}
	return out
}

// The roles of a member.
const (
	roleMember     = "member"
	roleAdmin      = "admin"
	roleSuperAdmin = "superadmin"
)

func role(m types.GroupParticipant) string {
	switch {
	case m.IsSuperAdmin:
		return roleSuperAdmin
	case m.IsAdmin:
		return roleAdmin
	}
	return roleMember
}

// bare is a JID as it is shown, "" for none.
func bare(j types.JID) string {
	if j.IsEmpty() {
		return ""
	}
	return translate.BareJID(j).String()
}

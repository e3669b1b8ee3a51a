package translate

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// groupChange is one change of a group by one author.
type groupChange struct {
	group  types.JID
	author *types.JID // as received; nil when the server named none
	pn     *types.JID // the author's phone number, from the stanza
	at     time.Time
	notice string // the id of the server's notice, "" if it is not known
}

// versionOf tells a change from an equal one of the same second: the version the server gave it,
// else its notice.
func (g groupChange) versionOf(version string) string {
	if version == "" {
		return g.notice
	}
	return version
}

// groupInfo translates the changes of one notification, one event each.
func (t *Translator) groupInfo(ctx context.Context, evt *events.GroupInfo) ([]outbox.Event, error) {
	g := groupChange{group: BareJID(evt.JID), author: evt.Sender, pn: evt.SenderPN, at: evt.Timestamp, notice: noticeID(ctx)}
	var evs []outbox.Event
	versioned := func(version, name string, value *wajson.Array, fields *wajson.Object) {
		evs = append(evs, t.groupEvent(g, version, name, value, t.authored(ctx, g, fields)))
	}
	attribute := func(name string, value *wajson.Array, fields *wajson.Object) { versioned("", name, value, fields) }
	if n := evt.Name; n != nil {
		attribute("subject", new(wajson.Array).Str(n.Name), g.fields().
			Str("subject", n.Name).
			OptStr("subjectOwner", BareJID(n.NameSetBy).String()).
			OptStr("subjectOwnerPn", BareJID(n.NameSetByPN).String()).
			Int("subjectTime", unixSeconds(n.NameSetAt)))
	}
	if d := evt.Topic; d != nil {
		text := d.Topic
		if d.TopicDeleted {
			text = ""
		}
		versioned(d.TopicID, "desc", new(wajson.Array).Str(text), g.fields().
			Str("desc", text).
			OptStr("descId", d.TopicID).
			OptStr("descOwner", BareJID(d.TopicSetBy).String()).
			Int("descTime", unixSeconds(d.TopicSetAt)))
	}
	if a := evt.Announce; a != nil {
		versioned(a.AnnounceVersionID, "announce", new(wajson.Array).Bool(a.IsAnnounce), g.fields().Bool("announce", a.IsAnnounce))
	}
	if l := evt.Locked; l != nil {
		attribute("restrict", new(wajson.Array).Bool(l.IsLocked), g.fields().Bool("restrict", l.IsLocked))
	}
	if e := evt.Ephemeral; e != nil {
		seconds := ephemeralSeconds(*e)
		attribute("ephemeralDuration", new(wajson.Array).Int(seconds), g.fields().Int("ephemeralDuration", seconds))
	}
	if evt.NewInviteLink != nil {
		code := strings.TrimPrefix(*evt.NewInviteLink, whatsmeow.InviteLinkPrefix)
		attribute("inviteCode", new(wajson.Array).Str(code), g.fields().Str("inviteCode", code))
	}
	if l := evt.Link; l != nil && l.Type == types.GroupLinkChangeTypeParent {
		parent := BareJID(l.Group.JID).String()
		attribute("linkedParent", new(wajson.Array).Str(parent), g.fields().Str("linkedParent", parent))
	}
	if u := evt.Unlink; u != nil && u.Type == types.GroupLinkChangeTypeParent {
		attribute("linkedParent", new(wajson.Array).Str(""), g.fields().Str("linkedParent", ""))
	}
	if required, ok := approvalMode(ctx); ok && evt.MembershipApprovalMode != nil {
		attribute("joinApprovalMode", new(wajson.Array).Bool(required), g.fields().Bool("joinApprovalMode", required))
	}
	if evt.Suspended || evt.Unsuspended {
		attribute("suspended", new(wajson.Array).Bool(evt.Suspended), g.fields().Bool("suspended", evt.Suspended))
	}
	if d := evt.Delete; d != nil {
		attribute("deleted", new(wajson.Array).Bool(true), g.fields().Bool("deleted", true).OptStr("deleteReason", d.DeleteReason))
	}
	for _, node := range evt.UnknownChanges {
		if node != nil {
			evs = append(evs, t.unknownChange(ctx, g, node)...)
		}
	}
	for _, c := range []struct {
		action string
		jids   []types.JID
		admin  string
	}{
		{"add", evt.Join, ""},
		{"remove", evt.Leave, ""},
		{"promote", evt.Promote, "admin"},
		{"demote", evt.Demote, ""},
	} {
		if len(c.jids) > 0 {
			evs = append(evs, t.participants(ctx, g, evt.ParticipantVersionID, c.action, c.jids, c.admin))
		}
	}
	return evs, nil
}

// fields starts the data of an attribute change.
func (g groupChange) fields() *wajson.Object {
	return new(wajson.Object).Str("id", g.group.String())
}

// authored adds who made the change, where that is known.
func (t *Translator) authored(ctx context.Context, g groupChange, o *wajson.Object) *wajson.Object {
	if g.author == nil || g.author.IsEmpty() {
		return o
	}
	var pn types.JID
	if g.pn != nil {
		pn = *g.pn
	}
	a := t.address(ctx, *g.author, pn)
	o.Str("author", a.jid.String())
	if a.alt.Server == types.DefaultUserServer {
		o.Str("authorPn", a.alt.String())
	}
	return o
}

// groupEvent wraps one partial group; value is an array of the one value, and version the server's
// word for this change, that tell it from another.
func (t *Translator) groupEvent(g groupChange, version, name string, value *wajson.Array, data *wajson.Object) outbox.Event {
	author := ""
	if g.author != nil {
		author = g.author.String()
	}
	id := tuple(t.account(), "group", g.group.String(), author).Int(unixSeconds(g.at)).Str(name)
	v := value.JSON()
	id.Raw(v[1 : len(v)-1]).Str(g.versionOf(version))
	return t.event(GroupUpdate, stable(g.at, id), g.group.String(), wajson.Objects(data).JSON())
}

func (t *Translator) participants(ctx context.Context, g groupChange, version, action string, jids []types.JID, admin string) outbox.Event {
	list := new(wajson.Array)
	received := make([]string, 0, len(jids))
	for _, jid := range jids {
		list.Obj(participant(t.address(ctx, jid, types.JID{}), admin))
		received = append(received, jid.String())
	}
	slices.Sort(received)
	data := t.authored(ctx, g, g.fields()).Arr("participants", list).Str("action", action)
	return t.groupEvent(g, version, action, new(wajson.Array).Arr(wajson.Strings(received...)), data)
}

// participant is one member: admin is "", admin or superadmin.
func participant(a address, admin string) *wajson.Object {
	o := new(wajson.Object).Str("id", a.jid.String())
	switch a.alt.Server {
	case types.DefaultUserServer:
		o.Str("phoneNumber", a.alt.String())
	case types.HiddenUserServer:
		o.Str("lid", a.alt.String())
	}
	if admin == "" {
		return o.Null("admin")
	}
	return o.Str("admin", admin)
}

func ephemeralSeconds(e types.GroupEphemeral) int64 {
	if !e.IsEphemeral {
		return 0
	}
	return int64(e.DisappearingTimer)
}

// joinedGroup translates that the account is now in a group, with all of it.
func (t *Translator) joinedGroup(ctx context.Context, evt *events.JoinedGroup) ([]outbox.Event, error) {
	// The notice has no time: its identity is the version of the member list.
	g := groupChange{group: BareJID(evt.JID), author: evt.Sender, pn: evt.SenderPN, notice: noticeID(ctx)}
	owner := t.address(ctx, evt.OwnerJID, evt.OwnerPN)
	size := evt.ParticipantCount
	if size == 0 {
		size = len(evt.Participants)
	}
	o := g.fields().
		OptStr("addressingMode", string(evt.AddressingMode)).
		Str("subject", evt.Name).
		OptStr("subjectOwner", BareJID(evt.NameSetBy).String()).
		OptStr("subjectOwnerPn", BareJID(evt.NameSetByPN).String()).
		Int("subjectTime", unixSeconds(evt.NameSetAt)).
		Int("creation", unixSeconds(evt.GroupCreated)).
		OptStr("owner", owner.jid.String())
	if owner.alt.Server == types.DefaultUserServer {
		o.Str("ownerPn", owner.alt.String())
	}
	o.Int("size", int64(size))
	if evt.TopicID != "" {
		o.Str("desc", evt.Topic).
			Str("descId", evt.TopicID).
			OptStr("descOwner", BareJID(evt.TopicSetBy).String()).
			Int("descTime", unixSeconds(evt.TopicSetAt))
	}
	o.OptStr("linkedParent", BareJID(evt.LinkedParentJID).String())
	if evt.IsEphemeral {
		o.Int("ephemeralDuration", ephemeralSeconds(evt.GroupEphemeral))
	}
	o.Bool("restrict", evt.IsLocked).
		Bool("announce", evt.IsAnnounce).
		Bool("isCommunity", evt.IsParent).
		Bool("isCommunityAnnounce", evt.IsDefaultSubGroup).
		Bool("joinApprovalMode", evt.IsJoinApprovalRequired).
		Bool("memberAddMode", evt.MemberAddMode == types.GroupMemberAddModeAllMember)
	members := new(wajson.Array)
	for _, p := range evt.Participants {
		admin := ""
		switch {
		case p.IsSuperAdmin:
			admin = "superadmin"
		case p.IsAdmin:
			admin = "admin"
		}
		alt := p.PhoneNumber
		if p.JID.Server == types.DefaultUserServer {
			alt = p.LID
		}
		members.Obj(participant(t.address(ctx, p.JID, alt), admin))
	}
	o.Arr("participants", members)
	ev := t.groupEvent(g, evt.ParticipantVersionID, "joined", new(wajson.Array).Str(evt.ParticipantVersionID), t.authored(ctx, g, o))
	if g.versionOf(evt.ParticipantVersionID) == "" {
		id := unique()
		ev.Key, ev.Random = id.key, id.random
	}
	return one(ev), nil
}

// picture translates a group's new or removed picture; users' pictures are
// contact data and stay internal.
func (t *Translator) picture(ctx context.Context, evt *events.Picture) ([]outbox.Event, error) {
	if evt.JID.Server != types.GroupServer {
		return nil, nil
	}
	state := "changed"
	if evt.Remove {
		state = "removed"
	}
	g := groupChange{group: BareJID(evt.JID), author: &evt.Author, at: evt.Timestamp, notice: noticeID(ctx)}
	data := g.fields().Str("imgUrl", state).OptStr("author", BareJID(evt.Author).String())
	return one(t.groupEvent(g, evt.PictureID, "imgUrl", new(wajson.Array).Str(state), data)), nil
}

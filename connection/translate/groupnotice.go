package translate

import (
	"context"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// approvalMode reads from the stanza whether an admin must let new members in: the library reports
// the mode as on whatever it is. False when the stanza does not say.
func approvalMode(ctx context.Context) (required, ok bool) {
	n := stanzaOf(ctx)
	if n == nil {
		return false, false
	}
	mode, ok := n.GetOptionalChildByTag("membership_approval_mode")
	if !ok {
		return false, false
	}
	join, ok := mode.GetOptionalChildByTag("group_join")
	if !ok {
		return false, false
	}
	state, _ := join.Attrs["state"].(string)
	return state == "on", state == "on" || state == "off"
}

// unknownChange translates a change that the library hands on as it came. The others are no news
// for a person, or are told by a message.
func (t *Translator) unknownChange(ctx context.Context, g groupChange, node *waBinary.Node) []outbox.Event {
	switch node.Tag {
	case "member_add_mode":
		mode, ok := node.Content.([]byte)
		if !ok {
			return nil
		}
		all := types.GroupMemberAddMode(mode) == types.GroupMemberAddModeAllMember
		return one(t.groupEvent(g, "", "memberAddMode", new(wajson.Array).Bool(all), t.authored(ctx, g, g.fields().Bool("memberAddMode", all))))
	case "modify": // a member has another number
		return t.people(ctx, g, node, "modify", "")
	case "revoke": // the invite link; the new one is told by another change
		return one(t.groupEvent(g, "", "inviteCode", new(wajson.Array).Str(""), t.authored(ctx, g, g.fields().Str("inviteCode", ""))))
	case "created_membership_requests", "membership_approval_request":
		method, _ := node.Attrs["request_method"].(string)
		return t.people(ctx, g, node, "request", method)
	case "revoked_membership_requests":
		return t.people(ctx, g, node, revocation(g, node), "")
	}
	return nil
}

// people translates a change of persons that the library does not read. Where the change names
// none, it is its author's own.
func (t *Translator) people(ctx context.Context, g groupChange, node *waBinary.Node, action, method string) []outbox.Event {
	list := new(wajson.Array)
	var received []string
	for _, p := range personsIn(g, node) {
		list.Obj(participant(t.address(ctx, p.jid, p.alt), ""))
		received = append(received, p.jid.String())
	}
	if len(received) == 0 {
		return nil
	}
	slices.Sort(received)
	data := t.authored(ctx, g, g.fields()).Arr("participants", list).Str("action", action).OptStr("method", method)
	return one(t.groupEvent(g, "", action, new(wajson.Array).Arr(wajson.Strings(received...)), data))
}

// personsIn are the persons that a change names, its author if it names none.
func personsIn(g groupChange, node *waBinary.Node) (people []address) {
	for _, child := range node.GetChildren() {
		if child.Tag != "participant" && child.Tag != "requested_user" {
			continue
		}
		jid, ok := child.Attrs["jid"].(types.JID)
		if !ok {
			continue
		}
		p := address{jid: jid}
		for _, other := range []string{"phone_number", "lid"} {
			if alt, ok := child.Attrs[other].(types.JID); ok && alt != jid {
				p.alt = alt
			}
		}
		people = append(people, p)
	}
	if len(people) == 0 && g.author != nil && !g.author.IsEmpty() {
		p := address{jid: *g.author}
		if g.pn != nil {
			p.alt = *g.pn
		}
		people = append(people, p)
	}
	return people
}

// revocation tells a request that was taken back from one that somebody else refused.
func revocation(g groupChange, node *waBinary.Node) string {
	for _, p := range personsIn(g, node) {
		if g.author == nil || BareJID(p.jid) != BareJID(*g.author) && BareJID(p.alt) != BareJID(*g.author) {
			return "request_rejected"
		}
	}
	return "request_revoked"
}

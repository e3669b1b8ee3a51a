package wasim

import (
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// groupIQ returns w:g2 requests of the companion. What the companion changes
// is told back to it in a notification, as the real server does.
func (a *Account) groupIQ(d *device, n *waBinary.Node) (reply waBinary.Node, after func()) {
	children := n.GetChildren()
	if len(children) == 0 {
		return iqError(n, 400, "bad-request"), nil
	}
	op := children[0]
	switch op.Tag {
	case "participating":
		return iqResult(n, a.participating()), nil
	case "create":
		return a.createGroup(n, op), nil
	case "leave":
		left := op.GetChildByTag("group")
		return a.groupOp(d, n, left, "leave")
	}
	return a.groupOp(d, n, op, op.Tag)
}

func (a *Account) participating() waBinary.Node {
	var list []waBinary.Node
	for _, g := range a.Groups() {
		if g.hasAccount() {
			a.mu.Lock()
			list = append(list, g.node())
			a.mu.Unlock()
		}
	}
	return waBinary.Node{Tag: "groups", Content: list}
}

// groupOp runs one operation on the group the iq names.
func (a *Account) groupOp(d *device, n *waBinary.Node, op waBinary.Node, what string) (waBinary.Node, func()) {
	jid := asked(n)
	if what == "leave" {
		jid, _ = op.Attrs["id"].(types.JID)
	}
	g := a.group(jid)
	if g == nil {
		return iqError(n, 404, "item-not-found"), nil
	}
	if !g.hasAccount() {
		return iqError(n, 403, "forbidden"), nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	self := a.member()
	tell := func(change waBinary.Node) func() {
		stanza := g.notification(self, change)
		return func() {
			if err := a.enqueue(d, stanza); err != nil {
				a.srv.log.Info("group change not told", "error", err)
			}
		}
	}
	if attrString(*n, "type") == "set" && !g.mayChange(what) {
		return iqError(n, 403, "forbidden"), nil
	}
	if value, ok := settingOf(op); ok {
		if _, err := g.settingNode(what, value); err != nil {
			return iqError(n, 400, "bad-request"), nil
		}
		return iqResult(n), tell(g.set(what, value))
	}
	switch what {
	case "query":
		return iqResult(n, g.node()), nil
	case "sub_groups":
		return iqResult(n, g.subGroups()), nil
	case "invite":
		if attrString(*n, "type") == "get" && g.invite != "" {
			return iqResult(n, waBinary.Node{Tag: "invite", Attrs: waBinary.Attrs{"code": g.invite}}), nil
		}
		change := g.set("invite", "")
		return iqResult(n, change), tell(change)
	case "subject":
		raw, _ := op.Content.([]byte)
		return iqResult(n), tell(g.rename(self, string(raw)))
	case "description":
		return iqResult(n), tell(g.describe(self, attrString(op, "id"), string(childBytes(op, "body"))))
	case "leave":
		return iqResult(n), tell(g.alter("remove", []member{self}))
	case "add", "remove", "promote", "demote":
		who, ok := a.members(op)
		if !ok {
			return iqError(n, 404, "item-not-found"), nil
		}
		change := g.alter(what, who)
		return iqResult(n, change), tell(change)
	}
	return iqError(n, 501, "feature-not-implemented"), nil
}

// createGroup makes a group for the companion. Takes the lock.
func (a *Account) createGroup(n *waBinary.Node, op waBinary.Node) waBinary.Node {
	a.mu.Lock()
	who, ok := a.members(op)
	a.mu.Unlock()
	if !ok {
		return iqError(n, 404, "item-not-found")
	}
	g := a.NewGroup(attrString(op, "subject"))
	a.mu.Lock()
	defer a.mu.Unlock()
	g.members = append(g.members, who...)
	return iqResult(n, g.node())
}

// members reads <participant jid> children; false when one is unknown. Call
// with the lock held.
func (a *Account) members(op waBinary.Node) ([]member, bool) {
	var list []member
	for _, p := range op.GetChildrenByTag("participant") {
		jid, _ := p.Attrs["jid"].(types.JID)
		if a.isSelf(jid) {
			list = append(list, a.member())
			continue
		}
		c := a.people[jid.User]
		if c == nil {
			return nil, false
		}
		list = append(list, c.member())
	}
	return list, true
}

// known finds the JIDs of a user by LID, member or not. Call with the lock held.
func (g *Group) known(lid types.JID) member {
	if i := slices.IndexFunc(g.members, func(m member) bool { return m.lid == lid }); i >= 0 {
		return g.members[i]
	}
	if c := g.acct.people[lid.User]; c != nil {
		return c.member()
	}
	return g.acct.member()
}

package wasim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// groupSettings are the stanzas that turn a setting of a group on or off, by the tag it has in the
// group's description.
var groupSettings = map[string]struct {
	setting string
	on      bool
}{
	"announcement": {"announcement", true}, "not_announcement": {"announcement", false},
	"locked": {"locked", true}, "unlocked": {"locked", false},
	"ephemeral": {"ephemeral", true}, "not_ephemeral": {"ephemeral", false},
	"suspended": {"suspended", true}, "unsuspended": {"suspended", false},
	"membership_approval_mode": {"membership_approval_mode", true},
	"member_add_mode":          {"member_add_mode", true},
}

// Set changes a setting and tells the companion: announcement, not_announcement, locked, unlocked,
// ephemeral (seconds), not_ephemeral, membership_approval_mode (on or off), member_add_mode
// (admin_add or all_member_add), invite (the new code, "" makes one), description (the text, ""
// deletes it), suspended, unsuspended, or delete (the reason), which ends the group.
func (g *Group) Set(ctx context.Context, by *Contact, setting, value string) error {
	if err := g.mustHave(by); err != nil {
		return err
	}
	if setting == "description" {
		return g.announce(ctx, by.member(), func() waBinary.Node { return g.describe(by.member(), messageID(contactPrefix, 9), value) })
	}
	g.acct.mu.Lock()
	_, err := g.settingNode(setting, value)
	g.acct.mu.Unlock()
	if err != nil {
		return fmt.Errorf("group %s: %w", g.jid, err)
	}
	return g.announce(ctx, by.member(), func() waBinary.Node { return g.set(setting, value) })
}

// Change tells the companion of any change of the group, for what has no method of its own. The
// simulator keeps no record of it.
func (g *Group) Change(ctx context.Context, by *Contact, change waBinary.Node) error {
	if err := g.mustHave(by); err != nil {
		return err
	}
	return g.announce(ctx, by.member(), func() waBinary.Node { return change })
}

// settingNode is what stands in the notification about a setting. Call with the lock held, as
// everything below.
func (g *Group) settingNode(setting, value string) (waBinary.Node, error) {
	n := waBinary.Node{Tag: setting, Attrs: waBinary.Attrs{}}
	switch setting {
	case "announcement", "not_announcement":
		n.Attrs["v_id"] = strconv.Itoa(g.announceVersion + 1)
	case "locked", "unlocked", "not_ephemeral", "suspended", "unsuspended":
	case "ephemeral":
		if _, err := strconv.ParseUint(value, 10, 32); err != nil {
			return n, fmt.Errorf("ephemeral needs a number of seconds, not %q", value)
		}
		n.Attrs["expiration"], n.Attrs["trigger"] = value, "0"
	case "membership_approval_mode":
		if value != "on" && value != "off" {
			return n, fmt.Errorf("membership_approval_mode is on or off, not %q", value)
		}
		n.Content = []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": value}}}
	case "member_add_mode":
		n.Content = []byte(value)
	case "invite":
		n.Attrs["code"] = value
	case "delete":
		if value != "" {
			n.Attrs["reason"] = value
		}
	default:
		return n, fmt.Errorf("there is no setting %q", setting)
	}
	return n, nil
}

// set records a setting that settingNode accepts and returns the notification's content.
func (g *Group) set(setting, value string) waBinary.Node {
	if setting == "invite" {
		if value == "" {
			value = messageID("", 11)
		}
		g.invite = value
	}
	n, _ := g.settingNode(setting, value) // checked before
	if setting == "delete" {
		g.members = slices.DeleteFunc(g.members, func(m member) bool { return m.contact == nil })
	}
	s, known := groupSettings[setting]
	if !known {
		return n
	}
	if s.setting == "announcement" {
		g.announceVersion++
	}
	g.settings = maps.Clone(g.settings)
	if g.settings == nil {
		g.settings = make(map[string]string)
	}
	if !s.on || (setting == "membership_approval_mode" && value == "off") {
		delete(g.settings, s.setting)
	} else {
		g.settings[s.setting] = value
	}
	return n
}

// settingNodes are the children that describe the settings in the group's description.
func (g *Group) settingNodes() []waBinary.Node {
	var list []waBinary.Node
	for _, name := range slices.Sorted(maps.Keys(g.settings)) {
		n, _ := g.settingNode(name, g.settings[name]) // recorded ones are sound
		delete(n.Attrs, "v_id")
		list = append(list, n)
	}
	if g.community {
		list = append(list, waBinary.Node{Tag: "parent", Attrs: waBinary.Attrs{"default_membership_approval_mode": "request_required"}})
	}
	if !g.parent.IsEmpty() {
		list = append(list, waBinary.Node{Tag: "linked_parent", Attrs: waBinary.Attrs{"jid": g.parent}})
	}
	if g.defaultSub {
		list = append(list, waBinary.Node{Tag: "default_sub_group"})
	}
	return list
}

// settingOf reads a setting from an iq of the companion; false when it is none.
func settingOf(op waBinary.Node) (value string, ok bool) {
	switch op.Tag {
	case "ephemeral":
		return attrString(op, "expiration"), true
	case "membership_approval_mode":
		join := op.GetChildByTag("group_join")
		return attrString(join, "state"), true
	case "member_add_mode":
		raw, _ := op.Content.([]byte)
		return string(raw), true
	case "announcement", "not_announcement", "locked", "unlocked", "not_ephemeral":
		return "", true
	}
	return "", false
}

// isAdmin tells whether a member is an admin.
func (g *Group) isAdmin(lid types.JID) bool {
	return slices.ContainsFunc(g.members, func(m member) bool { return m.lid == lid && m.role != "" })
}

// mayChange tells whether the account may do something to the group: members change what is not
// locked, everything else is for admins.
func (g *Group) mayChange(what string) bool {
	if g.isAdmin(g.acct.lid) {
		return true
	}
	switch what {
	case "query", "leave":
		return true
	case "subject", "description", "ephemeral", "not_ephemeral":
		_, locked := g.settings["locked"]
		return !locked
	case "add":
		return g.settings["member_add_mode"] != "admin_add"
	}
	return false
}

// mayWrite tells whether the account may write into the group.
func (g *Group) mayWrite() bool {
	_, adminsOnly := g.settings["announcement"]
	_, suspended := g.settings["suspended"]
	return !suspended && (!adminsOnly || g.isAdmin(g.acct.lid))
}

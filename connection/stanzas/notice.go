package stanzas

import (
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// missedReceipt returns what of a receipt no event has told: the library leaves out a reader it
// cannot read, and refuses a receipt that lacks an id, a time or a sender, or has another address
// that is none.
func missedReceipt(n *waBinary.Node) []Found {
	lost := []Found{{Event: placeholderOf(n), Placeholder: true, Lost: "a receipt could not be read"}}
	from := jid(n, "from")
	if from.IsEmpty() || !addressed(n) {
		return lost
	}
	if !hasMembers(from) || !jid(n, "participant").IsEmpty() {
		if _, err := strconv.ParseInt(text(n, "t"), 10, 64); err != nil || text(n, "id") == "" {
			return lost
		}
		if list, ok := n.GetOptionalChildByTag("list"); ok {
			for _, item := range list.GetChildrenByTag("item") {
				if text(&item, "id") == "" {
					return lost
				}
			}
		}
		return nil
	}
	groups := n.GetChildrenByTag("participants")
	if len(groups) == 0 {
		return lost
	}
	for _, of := range groups {
		if text(&of, "key") == "" {
			return lost
		}
		for _, user := range of.GetChildren() {
			if user.Tag != "user" || jid(&user, "jid").IsEmpty() || at(&user, "t").IsZero() {
				return lost
			}
		}
	}
	return nil
}

// addressed reports whether the library takes the addresses of a receipt for such.
func addressed(n *waBinary.Node) bool {
	for _, name := range []string{"from", "participant", "recipient"} {
		if v, has := n.Attrs[name]; has {
			if _, is := v.(types.JID); !is {
				return false
			}
		}
	}
	return true
}

// missedNotice returns what of a group's notification no event has told. The library refuses all of
// it when one change lacks what it expects, and of two changes of a kind it keeps the last.
// Notifications of other kinds are internal.
func missedNotice(s *stanza) []Found {
	n := s.node
	switch text(n, "type") {
	case "w:gp2":
		lost := []Found{{Event: placeholderOf(n), Placeholder: true, Lost: "a change of a group could not be read"}}
		if s.told == 0 {
			return lost
		}
		seen := make(map[string]bool)
		for _, change := range n.GetChildren() {
			if seen[change.Tag] && overwrites(change.Tag) {
				return lost
			}
			seen[change.Tag] = true
		}
	case "picture":
		return missedPictures(s)
	case "contacts":
		return missedNumbers(n)
	}
	return nil
}

// missedNumbers returns who has another number, which the library does not tell: as the notice that
// WhatsApp's own clients show, in the chat under the old number and in the one under the new, if
// that is another.
func missedNumbers(n *waBinary.Node) (found []Found) {
	for _, change := range n.GetChildrenByTag("modify") {
		before, after := jid(&change, "old"), jid(&change, "new")
		lidBefore, lidAfter := jid(&change, "old_lid"), jid(&change, "new_lid")
		if before.IsEmpty() || after.IsEmpty() {
			found = append(found, Found{Lost: "a change of a number could not be read"})
			continue
		}
		in := func(chat, alt types.JID) Found {
			return Found{Event: &events.Message{
				Info: types.MessageInfo{ID: text(n, "id"), Timestamp: at(n, "t"), MessageSource: types.MessageSource{Chat: chat, Sender: chat, SenderAlt: alt}},
				SourceWebMsg: &waWeb.WebMessageInfo{
					MessageStubType:       waWeb.WebMessageInfo_INDIVIDUAL_CHANGE_NUMBER.Enum(),
					MessageStubParameters: []string{before.String(), after.String()},
				},
			}}
		}
		found = append(found, in(before, lidBefore))
		if lidBefore.IsEmpty() || lidBefore != lidAfter {
			found = append(found, in(after, lidAfter))
		}
	}
	return found
}

// overwrites reports whether the library keeps only the last of several changes of the kind; those
// it does not know it keeps all.
func overwrites(change string) bool {
	switch change {
	case "add", "remove", "promote", "demote", "locked", "unlocked", "delete", "subject", "description", "announcement", "not_announcement",
		"invite", "ephemeral", "not_ephemeral", "link", "unlink":
		return true
	}
	return false
}

// missedPictures returns the group pictures that the library leaves out because they have no id.
func missedPictures(s *stanza) (found []Found) {
	for _, child := range s.node.GetChildren() {
		of := jid(&child, "jid")
		if of.Server != types.GroupServer || text(&child, "id") != "" {
			continue
		}
		switch child.Tag {
		case "add", "set":
			found = append(found, Found{Event: &events.Picture{JID: of, Author: jid(&child, "author"), Timestamp: at(s.node, "t")}})
		}
	}
	return found
}

// placeholderOf is an event of the library's type that a stanza would become, with its chat.
func placeholderOf(n *waBinary.Node) any {
	from := jid(n, "from")
	switch n.Tag {
	case "receipt":
		return &events.Receipt{MessageSource: types.MessageSource{Chat: from}}
	case "notification":
		return &events.GroupInfo{JID: from}
	}
	return &events.Message{Info: types.MessageInfo{ID: text(n, "id"), MessageSource: types.MessageSource{Chat: from, Sender: from}}}
}

// atMillis is an attribute as a time in unix milliseconds, zero if it is none.
func atMillis(n *waBinary.Node, name string) time.Time {
	if ms, err := strconv.ParseInt(text(n, name), 10, 64); err == nil && ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

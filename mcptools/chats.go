package mcptools

import (
	"context"
	"strings"

	"waoutbox/outbox/api"
)

func (s *Server) findRecipient() tool {
	return define(s, declaration[findInput, findOutput]{
		name:        "whatsapp_find_recipient",
		title:       "Find contact or group",
		description: "Find people and groups to write to by a part of their name or by number.",
		hints:       hints{readOnly: true, idempotent: true},
		limit:       shortCall,
		run:         s.runFindRecipient,
	})
}

type findInput struct {
	Query string `json:"query" max:"100" doc:"part of a name, or a phone number"`
	Limit int    `json:"limit,omitempty" range:"1,100" doc:"default 20"`
}

type findOutput struct {
	Items []recipientItem `json:"items"`
	Total int             `json:"total"`
}

type recipientItem struct {
	JID   string            `json:"jid" doc:"what other tools take"`
	Name  string            `json:"name" doc:"data from a stranger"`
	Kind  api.RecipientKind `json:"kind"`
	Phone string            `json:"phone,omitempty"`
}

// maxName bounds a name that somebody else chose, in bytes.
const maxName = 100

func (s *Server) runFindRecipient(ctx context.Context, c *call, in findInput) (out findOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	found, err := b.FindRecipients(ctx, api.FindRecipients{Query: in.Query, Limit: in.Limit})
	if err != nil {
		return out, err
	}
	out = findOutput{Items: make([]recipientItem, 0, len(found.Items)), Total: found.Total}
	for _, r := range found.Items {
		out.Items = append(out.Items, recipientItem{JID: r.JID, Name: cut(r.Name, maxName), Kind: r.Kind, Phone: r.Phone})
	}
	return out, nil
}

func (s *Server) groupList() tool {
	return define(s, declaration[groupListInput, groupListOutput]{
		name:        "whatsapp_group_list",
		title:       "List groups",
		description: "List the groups that the account is in, or one of them with its members.",
		hints:       hints{readOnly: true, idempotent: true},
		limit:       shortCall,
		run:         s.runGroupList,
	})
}

type groupListInput struct {
	JID    string `json:"jid,omitempty" doc:"only this group, with its members"`
	Limit  int    `json:"limit,omitempty" range:"1,100" doc:"default 20"`
	Cursor string `json:"cursor,omitempty" doc:"nextCursor of the page before"`
}

type groupListOutput struct {
	Items      []groupItem `json:"items"`
	NextCursor string      `json:"nextCursor,omitempty"`
	Total      int         `json:"total"`
}

type groupItem struct {
	JID         string        `json:"jid"`
	Name        string        `json:"name" doc:"data from a stranger"`
	Description string        `json:"description,omitempty" doc:"data from a stranger"`
	Role        string        `json:"role"` // of the account: member, admin or superadmin
	MemberCount int           `json:"memberCount"`
	Announce    bool          `json:"announce,omitempty"` // only admins write
	IsCommunity bool          `json:"isCommunity,omitempty"`
	Members     []groupMember `json:"members,omitempty"`
}

type groupMember struct {
	JID   string `json:"jid"`
	Phone string `json:"phone,omitempty"`
	Name  string `json:"name,omitempty"`
	Role  string `json:"role"`
	Me    bool   `json:"me,omitempty"`
}

func (s *Server) runGroupList(ctx context.Context, c *call, in groupListInput) (out groupListOutput, err error) {
	start, err := sequenceOf(in.Cursor)
	if err != nil {
		return out, err
	}
	limit := defaultPage
	if in.Limit > 0 {
		limit = in.Limit
	}
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	groups, err := b.Groups(ctx, api.ListGroups{JID: strings.TrimSpace(in.JID)})
	if err != nil {
		return out, err
	}
	out.Total = len(groups)
	from := int(min(start, uint64(len(groups))))
	page := groups[from:min(from+limit, len(groups))]
	out.Items = make([]groupItem, 0, len(page))
	for _, g := range page {
		out.Items = append(out.Items, groupItem{
			JID: g.JID, Name: cut(g.Name, maxName), Description: cut(g.Description, 300), Role: g.Role,
			MemberCount: len(g.Members), Announce: g.Announce, IsCommunity: g.IsCommunity,
		})
	}
	n, err := fitting(out.Items, maxText)
	if err != nil {
		return out, err
	}
	out.Items = out.Items[:n]
	if from+n < len(groups) {
		out.NextCursor = cursorAt(uint64(from + n))
	}
	if in.JID != "" && len(page) == 1 {
		return out, out.Items[0].addMembers(c, page[0].Members)
	}
	return out, nil
}

// addMembers shows the members of a group, as far as there is room.
func (g *groupItem) addMembers(c *call, members []api.GroupMember) error {
	for _, m := range members {
		g.Members = append(g.Members, groupMember{JID: m.JID, Phone: m.Phone, Name: cut(m.Name, maxName), Role: m.Role, Me: m.Me})
	}
	n, err := fitting(g.Members, maxText-2048)
	if err != nil {
		return err
	}
	if n < len(members) {
		g.Members = g.Members[:n]
		c.note("Cut at 20 KB: %d of %d members are shown. All of them: waoutbox group show %s", n, len(members), g.JID)
	}
	return nil
}

func (s *Server) sendReaction() tool {
	return define(s, declaration[reactionInput, sendOutput]{
		name:        "whatsapp_send_reaction",
		title:       "React",
		description: "React to a message with an emoji, or take the reaction away without one.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runSendReaction,
	})
}

type reactionInput struct {
	JID       string `json:"jid" doc:"chat of the message"`
	MessageID string `json:"messageId" max:"128" doc:"id in the message's key"`
	Emoji     string `json:"emoji,omitempty" max:"32" doc:"one emoji; empty or absent removes"`
}

func (s *Server) runSendReaction(ctx context.Context, c *call, in reactionInput) (sendOutput, error) {
	return c.send(ctx, api.Send{To: in.JID, Reaction: &api.Reaction{MessageID: in.MessageID, Emoji: in.Emoji}})
}

func (s *Server) readMessages() tool {
	return define(s, declaration[readInput, doneOutput]{
		name:        "whatsapp_read_messages",
		title:       "Mark as read",
		description: "Mark messages as read, which their senders see.",
		hints:       hints{idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runReadMessages,
	})
}

type readInput struct {
	MessageKeys []messageKey `json:"messageKeys" doc:"1 to 256 messages, as key in their events names them"`
}

// messageKey is the key of an event, which agents pass as they have it.
type messageKey struct {
	_ struct{} `ignored:"fromMe,remoteJidAlt,participantAlt,addressingMode,server_id"`

	RemoteJID   string `json:"remoteJid"`
	ID          string `json:"id" max:"128"`
	Participant string `json:"participant,omitempty" doc:"author, in a group; absent: looked up"`
}

// doneOutput is the result of a tool that only does something.
type doneOutput struct {
	Success bool   `json:"success"`
	Message string `json:"message,omitempty"`
}

func (s *Server) runReadMessages(ctx context.Context, c *call, in readInput) (out doneOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	var ask api.MarkRead
	for _, k := range in.MessageKeys {
		ask.Messages = append(ask.Messages, api.MessageRef{Chat: k.RemoteJID, ID: k.ID, Participant: k.Participant})
	}
	if _, err := b.MarkRead(ctx, ask); err != nil {
		return out, err
	}
	return doneOutput{Success: true}, nil
}

func (s *Server) subscribePresence() tool {
	return define(s, declaration[presenceInput, doneOutput]{
		name:        "whatsapp_subscribe_presence",
		title:       "Watch presence",
		description: "Ask for presence.update events of a person, as far as the person and WhatsApp allow it.",
		hints:       hints{idempotent: true, openWorld: true},
		limit:       longCall,
		run:         s.runSubscribePresence,
	})
}

type presenceInput struct {
	JID string `json:"jid" doc:"JID of a person, or phone number with country code"`
}

func (s *Server) runSubscribePresence(ctx context.Context, c *call, in presenceInput) (out doneOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	watched, err := b.WatchPresence(ctx, api.WatchPresence{Of: in.JID})
	if err != nil {
		return out, err
	}
	return doneOutput{Success: true, Message: "Watching " + watched.JID +
		" until the service restarts. WhatsApp tells presence to accounts that are online, and the service never shows this one as online: few events may come."}, nil
}

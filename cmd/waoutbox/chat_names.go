package main

import (
	"context"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

const (
	// namesWait is how long a listing waits for the names of groups, which WhatsApp may be asked
	// for.
	namesWait = 2 * time.Second
	// mostLookedUp is how many chats a listing looks up in the log, for the phone number.
	mostLookedUp = 50
)

// chatNames names chats as people know them: by phone number, or by the name of the group. What
// cannot be found out keeps its address.
type chatNames map[string]string

// namesOf finds out the names of chats, as far as that is quick; none with --json, which has
// addresses. A failure leaves a name out: the listing is worth more than it.
func (e *env) namesOf(ctx context.Context, svc api.Service, chats ...string) chatNames {
	names, groups := chatNames{}, false
	if e.json {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, namesWait)
	defer cancel()
	looked := 0
	for _, chat := range chats {
		switch _, known := names[chat]; {
		case known:
		case strings.HasSuffix(chat, "@g.us"):
			groups = true
		case strings.HasSuffix(chat, "@lid") && looked < mostLookedUp:
			looked++
			names[chat] = "" // once, whatever comes of it
			page, err := svc.Events(ctx, api.EventQuery{EventFilter: api.EventFilter{Chat: chat}, Backward: true, Limit: 1})
			if err == nil && len(page.Items) == 1 {
				names[chat] = phoneOf(page.Items[0].Chat, page.Items[0].ChatAlt)
			}
		}
	}
	if !groups {
		return names
	}
	if all, err := svc.Groups(ctx, api.ListGroups{}); err == nil {
		for _, g := range all {
			names[g.JID] = term.Clean(g.Name)
		}
	}
	return names
}

// text names a chat in a table, by one of its addresses.
func (n chatNames) text(chat, alt string) string {
	for _, name := range []string{phoneOf(chat, alt), n[chat], n[alt]} {
		if name != "" {
			return name
		}
	}
	return chatText(chat)
}

// whole names a chat where there is room: with the address, which a command takes, where the name
// is none.
func (n chatNames) whole(chat string) string {
	switch name := n[chat]; {
	case phoneOf(chat) != "":
		return phoneOf(chat)
	case name != "":
		return name + " (" + term.Clean(chat) + ")"
	}
	return term.Clean(chat)
}

// list is whole for several chats.
func (n chatNames) list(chats []string) string {
	out := make([]string, 0, len(chats))
	for _, chat := range chats {
		out = append(out, n.whole(chat))
	}
	return strings.Join(out, ", ")
}

// phoneOf is the phone number that one of a person's addresses has, "" where none has it.
func phoneOf(jids ...string) string {
	for _, jid := range jids {
		if number, ok := strings.CutSuffix(jid, "@s.whatsapp.net"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
			return "+" + number
		}
	}
	return ""
}

// chatText shortens a chat's JID in tables; its server part tells person from group.
func chatText(chat string) string {
	user, server, ok := strings.Cut(chat, "@")
	if !ok || len(user) <= 12 {
		return term.Clean(chat)
	}
	return term.Clean(user[:4] + "…" + user[len(user)-4:] + "@" + server)
}

package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// asked is a service that counts what it is asked for names, and knows none.
type asked struct {
	api.Service
	events, groups int
}

func (a *asked) Events(context.Context, api.EventQuery) (api.EventPage, error) {
	a.events++
	return api.EventPage{}, errors.New("unreadable")
}

func (a *asked) Groups(context.Context, api.ListGroups) ([]api.Group, error) {
	a.groups++
	return nil, errors.New("not connected")
}

// Names are asked for once a chat, whatever comes of it, and not at all where nobody reads them.
// Before, a chat that is not in the log was searched for again for each line of a listing, and
// `webhook add --json` waited for WhatsApp.
func TestNamesAreAskedForOnce(t *testing.T) {
	t.Parallel()
	chats := []string{"1@lid", "2@g.us", "1@lid", "3@g.us", "15550100123@s.whatsapp.net", "1@lid"}
	for _, c := range []struct {
		json           bool
		events, groups int
	}{{false, 1, 1}, {true, 0, 0}} {
		svc := &asked{}
		names := (&env{json: c.json}).namesOf(t.Context(), svc, chats...)
		if svc.events != c.events || svc.groups != c.groups || names.text("1@lid", "") != "1@lid" || names.whole("2@g.us") != "2@g.us" {
			t.Errorf("json %v: asked for %d chats and %d times for groups: %v", c.json, svc.events, svc.groups, names)
		}
	}
}

// TestNamesWhereOnePersonIsMeant: what is done with one person names the number that is known of
// them. Before, it was the address that WhatsApp uses inside.
func TestNamesWhereOnePersonIsMeant(t *testing.T) {
	for _, command := range []string{"send typing", "contact watch"} {
		f := healthy()
		f.events = []api.EventDetail{{Event: api.Event{Sequence: 1, Event: "message.received", Chat: "204813927440274@lid", ChatAlt: "15550100123@s.whatsapp.net"}}}
		if res := invoke(t, f, "", append(strings.Fields(command), "204813927440274@lid")...); !strings.Contains(res.out, " +15550100123 (204813927440274@lid)") {
			t.Errorf("%s: %+v", command, res)
		}
	}
}

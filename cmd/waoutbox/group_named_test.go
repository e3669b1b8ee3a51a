package main

import (
	"context"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// finding is a service that finds what it is given.
type finding struct {
	api.Service
	items []api.Recipient
}

func (f finding) FindRecipients(context.Context, api.FindRecipients) (api.FoundRecipients, error) {
	return api.FoundRecipients{Items: f.items, Total: len(f.items)}, nil
}

// A group is named by its JID or by a part of its name; a whole name goes before parts, and several
// groups that may be meant are listed.
func TestGroupNamed(t *testing.T) {
	carol := api.Recipient{JID: "1@lid", Name: "Carol", Kind: api.RecipientContact}
	choir := api.Recipient{JID: "2@g.us", Name: "Carols", Kind: api.RecipientGroup}
	old := api.Recipient{JID: "3@g.us", Name: "Carols (old)", Kind: api.RecipientGroup}
	for _, c := range []struct {
		name  string
		items []api.Recipient
		want  string
		says  string
	}{
		{"9@g.us", nil, "9@g.us", ""},
		{"carol", []api.Recipient{carol, choir}, "2@g.us", ""},
		{" CAROLS ", []api.Recipient{choir, old}, "2@g.us", ""},
		{"car", []api.Recipient{carol, choir, old}, "", `2 groups have "car" in their name: Carols (2@g.us), Carols (old) (3@g.us). Give the JID`},
		{"carol", []api.Recipient{carol}, "", "waoutbox group list"},
	} {
		got, err := groupNamed(t.Context(), finding{items: c.items}, c.name)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %q, %v", c.name, got, err)
		}
	}
}

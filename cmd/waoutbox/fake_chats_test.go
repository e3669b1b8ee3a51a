package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// What the fake's account knows: two people and a group.
var (
	fakeRecipients = []api.Recipient{
		{JID: "118302945561077@lid", Name: "Carol Smith", Kind: api.RecipientContact, Phone: "+15550100124", AltJID: "15550100124@s.whatsapp.net"},
		{JID: "204813927440123@lid", Kind: api.RecipientContact, Phone: "+15550100199"},
		{JID: "120363025846172094@g.us", Name: "Carols", Kind: api.RecipientGroup},
	}
	fakeGroups = []api.Group{{
		JID: "120363025846172094@g.us", Name: "Carols", Role: "admin", Announce: true, CreatedAt: time.Unix(1735689600, 0).UTC(),
		Members: []api.GroupMember{
			{JID: "118302945561077@lid", Phone: "+15550100124", Name: "Carol Smith", Role: "superadmin"},
			{JID: "230000000000001@lid", Role: "member"},
			{JID: "491515550100@s.whatsapp.net", Phone: "+491515550100", Role: "admin", Me: true},
		},
	}}
)

func (f *fakeService) Send(_ context.Context, in api.Send) (api.SendResult, error) {
	done, err := f.begin("Send")
	defer done()
	repeated := in.IdempotencyKey != "" && slices.ContainsFunc(f.sent, func(s api.Send) bool { return s.IdempotencyKey == in.IdempotencyKey })
	f.sent = append(f.sent, in)
	return api.SendResult{MessageID: "3EB0C0FFEE", Chat: "491515550100@s.whatsapp.net", Timestamp: time.Now(), Repeated: repeated}, err
}

func (f *fakeService) MarkRead(_ context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	done, err := f.begin("MarkRead")
	defer done()
	f.marked = append(f.marked, in.Messages...)
	return api.MarkReadResult{Marked: len(in.Messages)}, err
}

func (f *fakeService) Typing(_ context.Context, in api.Typing) (api.TypingResult, error) {
	done, err := f.begin("Typing")
	defer done()
	return api.TypingResult{Chat: in.To, State: in.State}, err
}

func (f *fakeService) WatchPresence(_ context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	done, err := f.begin("WatchPresence")
	defer done()
	return api.WatchPresenceResult{JID: in.Of}, err
}

func (f *fakeService) FindRecipients(_ context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	done, err := f.begin("FindRecipients")
	defer done()
	var all []api.Recipient
	for _, r := range fakeRecipients {
		if strings.Contains(strings.ToLower(r.Name+r.Phone), strings.ToLower(in.Query)) {
			all = append(all, r)
		}
	}
	return api.FoundRecipients{Items: all[:min(in.Limit, len(all))], Total: len(all)}, err
}

func (f *fakeService) Groups(context.Context, api.ListGroups) ([]api.Group, error) {
	done, err := f.begin("Groups")
	defer done()
	return fakeGroups, err
}

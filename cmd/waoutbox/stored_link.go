package main

import (
	"context"

	"waoutbox/connection"
	"waoutbox/outbox/api"
	"waoutbox/store"
	"waoutbox/store/device"
)

// storedLink returns what the state says of the link while no daemon runs: no account is linked, or
// which one is. Whether it still is one for WhatsApp shows only when it connects, so its state is
// unknown, as is all of a device store that cannot be read.
func (a *app) storedLink(ctx context.Context) api.Link {
	stored, err := device.ReadStored(ctx, a.state.Path(store.WhatsAppFile))
	switch {
	case err != nil:
		a.log.WarnContext(ctx, "whether an account is linked cannot be read", "error", err)
		return api.Link{State: api.LinkUnknown}
	case stored.Account.IsEmpty():
		link := api.Link{State: api.LinkUnlinked, Reason: stored.LoggedOut, Since: stored.LoggedOutSince}
		if linked, err := connection.WasLinked(ctx, a.box); err == nil && linked && link.Reason == "" {
			link.Reason = connection.LinkLost
		}
		return link
	}
	link := api.Link{State: api.LinkUnknown, Account: stored.Account.String(), Name: stored.Name}
	if !stored.Closed.IsZero() {
		link.Closed, link.Since = true, stored.Closed
	}
	return link
}

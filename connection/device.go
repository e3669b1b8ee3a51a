package connection

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/webversion"
)

// Device keeps the credentials of the linked account (store/device).
type Device interface {
	// Current returns the linked device, or a new one that is stored once it is paired.
	Current(ctx context.Context) (*store.Device, error)
	// Renew forgets the linked device and returns a new one.
	Renew(ctx context.Context) (*store.Device, error)
	webversion.Store
	// Restriction returns until when the account may not write to strangers, and whether WhatsApp
	// named that time; SetRestriction keeps both, the zero time takes it back.
	Restriction(ctx context.Context) (until time.Time, named bool, err error)
	SetRestriction(ctx context.Context, until time.Time, named bool) error
	// Closed returns since when the link is closed on request, the zero time if it is not, and
	// SetClosed keeps it. Renew forgets it.
	Closed(ctx context.Context) (since time.Time, err error)
	SetClosed(ctx context.Context, since time.Time) error
	// LoggedOut returns why and since when the account that was linked is no longer, the zero time
	// if there was none, and SetLoggedOut keeps it. Renew forgets it.
	LoggedOut(ctx context.Context) (reason string, since time.Time, err error)
	SetLoggedOut(ctx context.Context, reason string, since time.Time) error
	// Kept returns what Keep stored under a name, nil if nothing was. Renew forgets it.
	Kept(ctx context.Context, name string) (value []byte, err error)
	Keep(ctx context.Context, name string, value []byte) error
}

package wasim

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
)

// SaveContact puts a name for a contact into the phone's address book, which the companion then
// has.
func (a *Account) SaveContact(ctx context.Context, c *Contact, fullName string) error {
	return a.ChangeState(ctx, appstate.PatchInfo{Type: appstate.WAPatchCriticalUnblockLow, Mutations: []appstate.MutationInfo{{
		Index: []string{"contact", c.PN()}, Version: 2,
		Value: &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{
			FullName: proto.String(fullName), FirstName: proto.String(fullName), LidJID: proto.String(c.LID()), SaveOnPrimaryAddressbook: proto.Bool(true),
		}},
	}}})
}

// Star marks a message in a chat with a star on the phone, or takes the star away. chat and sender
// are JIDs; sender is the account's own for a message of its own.
func (a *Account) Star(ctx context.Context, chat, sender, id string, on bool) error {
	in, err := types.ParseJID(chat)
	if err != nil {
		return fmt.Errorf("star in %q: %w", chat, err)
	}
	by, err := types.ParseJID(sender)
	if err != nil {
		return fmt.Errorf("star a message of %q: %w", sender, err)
	}
	return a.ChangeState(ctx, appstate.BuildStar(in, by, id, a.isSelf(by), on))
}

// Mute mutes a chat on the phone for a while, or with zero makes it heard again.
func (a *Account) Mute(ctx context.Context, chat string, length time.Duration) error {
	jid, err := types.ParseJID(chat)
	if err != nil {
		return fmt.Errorf("mute %q: %w", chat, err)
	}
	return a.ChangeState(ctx, appstate.BuildMute(jid, length > 0, length))
}

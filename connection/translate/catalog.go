package translate

import "waoutbox/outbox"

// EventInfo describes one event name to people and agents.
type EventInfo struct {
	Name        string // as subscriptions name it and as `event` in the body
	Description string // what it tells
	Trigger     string // what makes it happen
	// the kinds of chat it can be of (outbox.ChatKinds); none: it is of no chat (ConnectionChat)
	Kinds []string
}

// The event names. Nothing else may spell them out: the rest of the program is
// given them from [Catalog].
const (
	MessageReceived  = "message.received"
	MessageSent      = "message.sent"
	MessageUpdate    = "message.update"
	ConnectionUpdate = "connection.update"
	GroupUpdate      = "group.update"
	PresenceUpdate   = "presence.update"
)

// Catalog lists every event name a webhook can subscribe to, in the order they
// are shown. The caller owns the slice.
func Catalog() []EventInfo {
	return []EventInfo{
		{
			Name:        MessageReceived,
			Description: "A message from someone else: text, media, reaction, poll, edit, revoke, missed call, or a notice that one could not be decrypted.",
			Trigger:     "Someone writes to the account, in a direct chat, a group, a broadcast list, a status or a channel.",
			Kinds:       outbox.ChatKinds(),
		},
		{
			Name:        MessageSent,
			Description: "A message of the account itself, sent by this service (type append) or by another device such as the phone (type notify).",
			Trigger:     "This service sends, or the account sends from another device.",
			Kinds:       outbox.ChatKinds(),
		},
		{
			Name:        MessageUpdate,
			Description: "A change of an earlier message: delivered, read, played, edited, deleted, starred, failed, or a poll vote.",
			Trigger:     "A receipt arrives, or a message is edited, deleted or starred, or a send is refused, or a vote is cast.",
			Kinds:       outbox.ChatKinds(),
		},
		{
			Name:        ConnectionUpdate,
			Description: "The state of the link to WhatsApp: connecting, waiting for a QR scan, connected, caught up, disconnected with its reason.",
			Trigger:     "The link changes its state, or a test is sent to a webhook.",
		},
		{
			Name:        GroupUpdate,
			Description: "A change of a group: subject, description, settings, picture, invite link, members and their rights, or that the account joined.",
			Trigger:     "Someone changes a group the account is in, or adds the account to one.",
			Kinds:       []string{outbox.KindGroup},
		},
		{
			Name:        PresenceUpdate,
			Description: "Whether someone is online, typing or recording, and when they were last seen.",
			Trigger:     "A contact whose presence is subscribed comes, goes, types or records, while this account is shown as online.",
			Kinds:       []string{outbox.KindDirect, outbox.KindGroup},
		},
	}
}

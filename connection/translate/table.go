package translate

import (
	"slices"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// table has a row for every type the library can dispatch, by family. A test compares the types
// with the library's source, so that an update cannot add one unnoticed, and another one the
// acknowledgements with what the library does.
//
// The columns: name of the event or why there is none, acknowledgement, translator; then, where it
// differs, the placeholder's chat and what the link does with the event.
func (t *Translator) table() []row {
	return slices.Concat(
		t.messages(), t.receipts(), t.pairing(), t.connection(), t.groups(), t.presences(),
		accountState(), machinery(),
	)
}

// messages: what people write, and calls, of which only a missed one has an event.
func (t *Translator) messages() []row {
	const ringing = "no event name for a ringing call; tells a missed video call from a voice call"
	return []row{
		on(MessageReceived, AckByHandler, t.message).ackUnless(phoneCopy, AckAlways, "the phone's copy of one that could not be read").withPlaceholder(t.messagePlaceholder),
		on(MessageReceived, AckAlways, t.undecryptable).withPlaceholder(t.undecryptablePlaceholder),
		on(MessageReceived, AckAlways, t.callTerminate).inChat(func(e *events.CallTerminate) types.JID { return e.From }),
		remembered(AckAlways, ringing, t.callOffer),
		remembered(AckAlways, ringing, t.callOfferNotice),
		remembered(AckAlways, "the call was taken: forgets its offer", t.callAccept),
		remembered(AckAlways, "the call was declined: forgets its offer", t.callReject),
		internal[events.CallPreAccept](AckAlways, "call signalling"),
		internal[events.CallTransport](AckAlways, "call signalling"),
		internal[events.CallRelayLatency](AckAlways, "call signalling"),
		on(MessageReceived, AckAlways, t.callParts).inChat(callsFrom),
		on(MessageReceived, AckByHandler, t.messengerMessage),
	}
}

// receipts: what became of messages. Edits, revokes and votes are messages.
func (t *Translator) receipts() []row {
	return []row{
		on(MessageUpdate, AckByHandler, t.receipt).ackUnless(ackedBeside, AckAlways, "of a group, and requests to send again").
			inChat(func(e *events.Receipt) types.JID { return e.Chat }),
		on(MessageUpdate, AckAlways, t.star).inChat(func(e *events.Star) types.JID { return e.ChatJID }),
	}
}

// pairing: from the first code to the linked account.
func (t *Translator) pairing() []row {
	return []row{
		on(ConnectionUpdate, AckNever, t.qr).linkAppends("shows the codes, each in its time"),
		on(ConnectionUpdate, AckAlways, t.rotateSecret).linkAppends("shows the present code again with the new secret"),
		on(ConnectionUpdate, AckNever, t.pairSuccess).link("ends the pairing session: linked"),
		on(ConnectionUpdate, AckNever, t.pairError).link("ends the pairing session: failed"),
		on(ConnectionUpdate, AckAlways, t.passkeyRequest).link("shows what the passkey has to sign"),
		on(ConnectionUpdate, AckAlways, t.passkeyConfirmation).link("has the codes compared, unless the phone has seen ours"),
		on(ConnectionUpdate, AckAlways, t.passkeyError).link("ends the pairing session: failed"),
		internal[events.ManualLoginReconnect](AckNever, "own machinery").link("connects again to log in"),
		internal[events.QRScannedWithoutMultidevice](AckNever, "a hint while pairing, the same QR stays valid").link("says so in the state"),
	}
}

// connection: the link of a paired account, up and down.
func (t *Translator) connection() []row {
	return []row{
		on(ConnectionUpdate, AckNever, t.connected).link("connected: clears alarms, stores sends that waited"),
		remembered(AckNever, "a forecast of what offlineSynced reports", t.offlinePreview),
		on(ConnectionUpdate, AckNever, t.offlineSynced).link("knows whether what could not be read has come"),
		remembered(AckNever, "the disconnect that follows takes its code", t.streamError).link("keeps it as the reason"),
		on(ConnectionUpdate, AckNever, t.disconnected).link("connects again, or ends the pairing session"),
		on(ConnectionUpdate, AckNever, t.streamReplaced).link("stays down, with an alarm"),
		on(ConnectionUpdate, AckNever, t.loggedOut).link("forgets the account and waits for a pairing, with an alarm"),
		on(ConnectionUpdate, AckNever, t.temporaryBan).link("tries again after the ban, with an alarm"),
		on(ConnectionUpdate, AckNever, t.clientOutdated).link("takes over the current version if there is one, with an alarm"),
		on(ConnectionUpdate, AckNever, t.connectFailure).link("tries again, with an alarm"),
		on(ConnectionUpdate, AckAlways, t.reachoutTimelock),
		internal[events.KeepAliveTimeout](AckNever, "health metric").link("connects again when it lasts"),
		internal[events.KeepAliveRestored](AckNever, "health metric"),
		internal[events.CATRefreshError](AckNever, "Messenger only"),
	}
}

// groups: what changes in groups.
func (t *Translator) groups() []row {
	return []row{
		on(GroupUpdate, AckByHandler, t.groupInfo).inChat(func(e *events.GroupInfo) types.JID { return e.JID }),
		on(GroupUpdate, AckByHandler, t.joinedGroup).inChat(func(e *events.JoinedGroup) types.JID { return e.JID }),
		on(GroupUpdate, AckAlways, t.picture).inChat(func(e *events.Picture) types.JID { return e.JID }),
	}
}

// presences: who is there and types. WhatsApp never sends them twice.
func (t *Translator) presences() []row {
	return []row{
		on(PresenceUpdate, AckNever, t.presence).inChat(func(e *events.Presence) types.JID { return e.From }),
		on(PresenceUpdate, AckNever, t.chatPresence).inChat(func(e *events.ChatPresence) types.JID { return e.Chat }),
	}
}

// accountState: contacts, settings and what the account keeps to itself.
func accountState() []row {
	return []row{
		internal[events.PushName](AckNever, "contact data; the name travels with each message"),
		internal[events.BusinessName](AckNever, "contact data; the name travels with each message"),
		internal[events.Contact](AckAlways, "contact data"),
		internal[events.UserAbout](AckAlways, "contact data"),
		internal[events.DeleteForMe](AckAlways, "private state of the account"),
		internal[events.ClearChat](AckAlways, "private state of the account"),
		internal[events.DeleteChat](AckAlways, "private state of the account"),
		internal[events.Archive](AckAlways, "private state of the account"),
		internal[events.Pin](AckAlways, "private state of the account"),
		internal[events.Mute](AckAlways, "private state of the account"),
		internal[events.MarkChatAsRead](AckAlways, "private state of the account; reads arrive as receipts"),
		internal[events.UserStatusMute](AckAlways, "private state of the account"),
		internal[events.LabelEdit](AckAlways, "private state of the account"),
		internal[events.LabelAssociationChat](AckAlways, "private state of the account"),
		internal[events.LabelAssociationMessage](AckAlways, "private state of the account"),
		internal[events.PushNameSetting](AckAlways, "account setting").link("takes the account's name and tells it to WhatsApp"),
		internal[events.UnarchiveChatsSetting](AckAlways, "account setting"),
		internal[events.PrivacySettings](AckAlways, "account setting"),
		internal[events.Blocklist](AckAlways, "account setting"),
		internal[events.NewsletterJoin](AckAlways, "no event name for it"),
		internal[events.NewsletterLeave](AckAlways, "no event name for it"),
		internal[events.NewsletterMuteChange](AckAlways, "private state of the account"),
		internal[events.NewsletterLiveUpdate](AckAlways, "counters"),
	}
}

// machinery: what the library tells of its own work.
func machinery() []row {
	return []row{
		internal[events.AppStateSyncError](AckAlways, "own machinery").link("fetches the settings until they can be read, with an alarm"),
		internal[events.AppStateSyncComplete](AckAlways, "own machinery"),
		internal[events.AppState](AckAlways, "raw sync data"),
		internal[events.HistorySync](AckAlways, "bulk history from before linking"),
		internal[events.MediaRetry](AckAlways, "reply to a request of our own"),
		internal[events.IdentityChange](AckAlways, "security log"),
	}
}

// phoneCopy tells the phone's copy of a message that could not be read here. It comes inside a
// message of the phone, and what the handler returns for it is lost on the way to that message.
func phoneCopy(evt *events.Message) bool { return evt.UnavailableRequestID != "" }

// ackedBeside tells receipts whose acknowledgement the handler does not decide: of a grouped one
// only the last part's verdict counts, and its parts look like any receipt of a group; a request to
// send again is acknowledged by the library once it has done so.
func ackedBeside(evt *events.Receipt) bool { return evt.IsGroup || evt.Type == types.ReceiptTypeRetry }

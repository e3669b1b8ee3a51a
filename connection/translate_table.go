package connection

import (
	"context"
	"reflect"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
)

// rule says what becomes of one type of the library's events.
type rule struct {
	typ    reflect.Type
	reason string // why the type is internal; "" when it is translated
	run    func(ctx context.Context, evt any) ([]outbox.Event, error)
}

// on translates a type.
func on[T any](f func(context.Context, *T) ([]outbox.Event, error)) rule {
	return rule{typ: reflect.TypeFor[*T](), run: func(ctx context.Context, evt any) ([]outbox.Event, error) {
		return f(ctx, evt.(*T))
	}}
}

// internal keeps a type from receivers, for the reason given.
func internal[T any](reason string) rule {
	return rule{typ: reflect.TypeFor[*T](), reason: reason}
}

// noted keeps a type from receivers too, but remembers it for a later event.
func noted[T any](reason string, f func(*T)) rule {
	return rule{typ: reflect.TypeFor[*T](), reason: reason, run: func(_ context.Context, evt any) ([]outbox.Event, error) {
		f(evt.(*T))
		return nil, nil
	}}
}

// table has every type the library can dispatch; a test compares it with the
// library's source, so an update cannot add one unnoticed.
func (t *Translator) table() []rule {
	return []rule{
		on(t.message),
		on(t.undecryptable),
		on(t.callTerminate),
		noted("no event name for a ringing call; tells a missed video call from a voice call", t.callOffer),
		noted("no event name for a ringing call; tells a missed video call from a voice call", t.callOfferNotice),
		noted("the call was answered: forgets its offer", t.callAccept),
		noted("the call was declined: forgets its offer", t.callReject),

		on(t.receipt),
		on(t.star),

		on(t.qr),
		on(t.rotateSecret),
		on(t.pairSuccess),
		on(t.pairError),
		on(t.passkeyRequest),
		on(t.passkeyConfirmation),
		on(t.passkeyError),
		on(t.connected),
		noted("a forecast of what offlineSynced reports", t.offlinePreview),
		on(t.offlineSynced),
		noted("the disconnect that follows takes its code", t.streamError),
		on(t.disconnected),
		on(t.streamReplaced),
		on(t.loggedOut),
		on(t.temporaryBan),
		on(t.clientOutdated),
		on(t.connectFailure),
		on(t.reachoutTimelock),

		on(t.groupInfo),
		on(t.joinedGroup),
		on(t.picture),

		on(t.presence),
		on(t.chatPresence),

		internal[events.AppStateSyncError]("own machinery; the client logs it and raises an alarm, for stars may be missing afterwards"),
		internal[events.AppState]("raw sync data"),
		internal[events.AppStateSyncComplete]("own machinery"),
		internal[events.HistorySync]("bulk history from before linking"),
		internal[events.MediaRetry]("answer to a request of our own"),
		internal[events.IdentityChange]("security log"),
		internal[events.KeepAliveTimeout]("health metric; a dead link shows as disconnected"),
		internal[events.KeepAliveRestored]("health metric"),
		internal[events.ManualLoginReconnect]("own machinery: the link connects again by itself"),
		internal[events.QRScannedWithoutMultidevice]("a hint while pairing, the same QR stays valid"),
		internal[events.CATRefreshError]("Messenger only"),
		internal[events.FBMessage]("Messenger only"),
		internal[events.CallPreAccept]("call signalling"),
		internal[events.CallTransport]("call signalling"),
		internal[events.CallRelayLatency]("call signalling"),
		internal[events.UnknownCallEvent]("call signalling"),
		internal[events.PushName]("contact data; the name travels with each message"),
		internal[events.BusinessName]("contact data; the name travels with each message"),
		internal[events.Contact]("contact data"),
		internal[events.UserAbout]("contact data"),
		internal[events.DeleteForMe]("private state of the account"),
		internal[events.ClearChat]("private state of the account"),
		internal[events.DeleteChat]("private state of the account"),
		internal[events.Archive]("private state of the account"),
		internal[events.Pin]("private state of the account"),
		internal[events.Mute]("private state of the account"),
		internal[events.MarkChatAsRead]("private state of the account; reads arrive as receipts"),
		internal[events.UserStatusMute]("private state of the account"),
		internal[events.LabelEdit]("private state of the account"),
		internal[events.LabelAssociationChat]("private state of the account"),
		internal[events.LabelAssociationMessage]("private state of the account"),
		internal[events.PushNameSetting]("account setting"),
		internal[events.UnarchiveChatsSetting]("account setting"),
		internal[events.PrivacySettings]("account setting"),
		internal[events.Blocklist]("account setting"),
		internal[events.NewsletterJoin]("no event name for it"),
		internal[events.NewsletterLeave]("no event name for it"),
		internal[events.NewsletterMuteChange]("private state of the account"),
		internal[events.NewsletterLiveUpdate]("counters"),
	}
}

package connection

import "go.mau.fi/whatsmeow/types/events"

// answer says what the library does with the handler's answer for an event.
type answer int

const (
	answerHeard   answer = iota // false keeps the stanza unacknowledged: WhatsApp sends it again on the next connection
	answerIgnored               // acknowledged anyway, so the append is insisted on
	answerNone                  // made by the library, or never sent again: kept in memory if refused
)

// answerOf knows the library's acknowledgement paths (pinned version). What is unknown counts as heard: false is then at worst
// a duplicate, which the event id removes.
func answerOf(evt any) answer {
	switch e := evt.(type) {
	case *events.Message:
		if e.UnavailableRequestID != "" { // the phone's copy of a message that could not be read
			return answerIgnored
		}
		return answerHeard
	case *events.Receipt:
		if e.IsGroup { // grouped receipts: only the last one's answer is heard, and they look like single ones
			return answerIgnored
		}
		return answerHeard
	case *events.UndecryptableMessage, // acknowledged before it is dispatched
		*events.CallOffer, *events.CallOfferNotice, *events.CallAccept, *events.CallReject, *events.CallTerminate,
		*events.Picture, *events.Star, *events.NotifyAccountReachoutTimelock:
		return answerIgnored
	case *events.Presence, *events.ChatPresence,
		*events.QR, *events.PairSuccess, *events.PairError,
		*events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError,
		*events.Connected, *events.OfflineSyncPreview, *events.OfflineSyncCompleted, *events.Disconnected, *events.StreamError,
		*events.StreamReplaced, *events.LoggedOut, *events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure:
		return answerNone
	}
	return answerHeard
}

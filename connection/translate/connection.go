package translate

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// ConnectionChat is the order key of all events about the link.
const ConnectionChat = "connection"

// The states of the link in connection.update.
const (
	linkConnecting      = "connecting"
	linkQRRequired      = "qr_required"
	linkPairingRequired = "pairing_required"
	linkConnected       = "connected"
	linkDisconnected    = "disconnected"
)

// linkState is what is remembered between connection events. The zero value is
// a link that was never up.
type linkState struct {
	qr string // the code on show, a secret
	// from a stream error, for the disconnect that follows; 0 if there was none
	streamCode  int
	outageSince time.Time // when the link went down; zero while nothing was missed
	upAgain     time.Time // when it came back, while the missed events arrive
	forecast    int       // how many missed events the server announced
	// they have arrived before the library called itself connected
	early *events.OfflineSyncCompleted
	open  bool // it calls itself connected
}

// status is a connection.update event.
func (t *Translator) status(data *wajson.Object) outbox.Event {
	return t.event(ConnectionUpdate, unique(), ConnectionChat, data.JSON())
}

// Connecting returns the event of a connection attempt: once for each Connect the
// service makes. After a lost connection the translator adds it by itself.
func (t *Translator) Connecting() outbox.Event {
	return t.status(new(wajson.Object).
		Str("status", linkConnecting).
		Str("connection", "connecting").
		Bool("receivedPendingNotifications", false))
}

// OutageSince tells when the service was last connected before it was started:
// the next catch-up then reports the gap. It does nothing once the link was up.
func (t *Translator) OutageSince(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link.outageSince.IsZero() && !at.IsZero() {
		t.link.outageSince = at
	}
}

// qr shows the first of the codes; QRCode follows with the others in their time.
func (t *Translator) qr(_ context.Context, evt *events.QR) ([]outbox.Event, error) {
	if len(evt.Codes) == 0 {
		return nil, nil
	}
	if ev, ok := t.QRCode(evt.Codes[0]); ok {
		return one(ev), nil
	}
	return nil, nil
}

// QRCode returns the event of a code that is shown now, and false if it is the
// one already shown: the library announces the first code and replaced codes by
// events of its own as well.
func (t *Translator) QRCode(code string) (outbox.Event, bool) {
	t.mu.Lock()
	same := t.link.qr == code
	t.link.qr = code
	t.mu.Unlock()
	if same {
		return outbox.Event{}, false
	}
	return t.status(new(wajson.Object).Str("status", linkQRRequired).Str("qr", code)), true
}

// rotateSecret shows the code on display again with its new secret.
func (t *Translator) rotateSecret(_ context.Context, evt *events.RotateADVSecret) ([]outbox.Event, error) {
	t.mu.Lock()
	shown := t.link.qr
	t.mu.Unlock()
	if shown == "" || evt.OldSecret == "" {
		return nil, nil
	}
	if ev, ok := t.QRCode(strings.Replace(shown, evt.OldSecret, evt.NewSecret, 1)); ok {
		return one(ev), nil
	}
	return nil, nil
}

// PairingTimeout returns the event of a pairing session whose codes ran out.
func (t *Translator) PairingTimeout() outbox.Event {
	return t.closed(linkPairingRequired, codeQRTimeout, "QR refs attempts ended", "")
}

// PairingCancelled returns the event of a pairing session that was given up: its code is no longer
// valid.
func (t *Translator) PairingCancelled() outbox.Event {
	return t.closed(linkPairingRequired, codeConnectionClosed, "Connection Closed", "")
}

func (t *Translator) pairSuccess(context.Context, *events.PairSuccess) ([]outbox.Event, error) {
	t.forgetQR()
	return one(t.status(new(wajson.Object).Str("status", linkConnecting).Bool("isNewLogin", true))), nil
}

func (t *Translator) pairError(context.Context, *events.PairError) ([]outbox.Event, error) {
	return one(t.closed(linkPairingRequired, codeUnknown, "", "")), nil
}

// The passkey events carry login material, which stays here: receivers learn
// only that pairing needs a person.
func (t *Translator) passkeyRequest(context.Context, *events.PairPasskeyRequest) ([]outbox.Event, error) {
	return one(t.pairingRequired()), nil
}

func (t *Translator) passkeyConfirmation(context.Context, *events.PairPasskeyConfirmation) ([]outbox.Event, error) {
	return one(t.pairingRequired()), nil
}

func (t *Translator) passkeyError(context.Context, *events.PairPasskeyError) ([]outbox.Event, error) {
	return one(t.pairingRequired()), nil
}

func (t *Translator) pairingRequired() outbox.Event {
	return t.status(new(wajson.Object).Str("status", linkPairingRequired))
}

// connected tells that the link is open, and then of the missed events if they have arrived: the
// server may be done with them before the client calls itself connected.
func (t *Translator) connected(ctx context.Context, _ *events.Connected) ([]outbox.Event, error) {
	ev := t.status(new(wajson.Object).Str("status", linkConnected).Str("connection", "open"))
	t.mu.Lock()
	t.link.qr, t.link.streamCode = "", 0
	t.link.upAgain, t.link.open = ev.Time, true
	early := t.link.early
	t.link.early = nil
	t.mu.Unlock()
	if early == nil {
		return one(ev), nil
	}
	synced, err := t.offlineSynced(ctx, early)
	return append(one(ev), synced...), err
}

func (t *Translator) offlinePreview(evt *events.OfflineSyncPreview) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.forecast = evt.Total
}

// offlineSynced reports that all missed events have arrived and, after an
// outage, from when to when and how many there were. It follows the event of the open link.
func (t *Translator) offlineSynced(_ context.Context, evt *events.OfflineSyncCompleted) ([]outbox.Event, error) {
	t.mu.Lock()
	if !t.link.open {
		t.link.early = evt
		t.mu.Unlock()
		return nil, nil
	}
	from, to, caughtUp := t.link.outageSince, t.link.upAgain, max(evt.Count, t.link.forecast)
	t.link.outageSince, t.link.upAgain, t.link.forecast = time.Time{}, time.Time{}, 0
	t.mu.Unlock()
	data := new(wajson.Object).Str("status", linkConnected).Bool("receivedPendingNotifications", true)
	if !from.IsZero() {
		if to.Before(from) { // the clock was set
			to = t.now()
		}
		data.Obj("gap", new(wajson.Object).
			Int("from", from.UnixMilli()).
			Int("to", to.UnixMilli()).
			Int("caughtUp", int64(caughtUp)))
	}
	return one(t.status(data)), nil
}

// reachoutTimelock reports that WhatsApp limits writing to new contacts.
func (t *Translator) reachoutTimelock(_ context.Context, evt *events.NotifyAccountReachoutTimelock) ([]outbox.Event, error) {
	lock := new(wajson.Object).Bool("isActive", evt.IsActive)
	if ends := evt.TimeEnforcementEnds.Time; unixSeconds(ends) > 0 {
		lock.Str("timeEnforcementEnds", isoTime(ends))
	}
	lock.OptStr("enforcementType", evt.EnforcementType)
	return one(t.status(new(wajson.Object).Str("status", linkConnected).Obj("reachoutTimeLock", lock))), nil
}

func (t *Translator) forgetQR() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.qr = ""
}

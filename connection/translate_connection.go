package connection

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// connectionChat is the order key of all events about the link.
const connectionChat = "connection"

// The states of the link in connection.update.
const (
	linkConnecting      = "connecting"
	linkQRRequired      = "qr_required"
	linkPairingRequired = "pairing_required"
	linkConnected       = "connected"
	linkDisconnected    = "disconnected"
)

// Close codes that are not HTTP's own, and codes given by the events themselves.
const (
	codeLoggedOut        = 401
	codeTemporaryBan     = 402
	codeClientOutdated   = 405
	codeQRTimeout        = 408
	codeConnectionClosed = 428
	codeStreamReplaced   = 440
	codeUnknown          = 500
)

// linkState is what is remembered between connection events. The zero value is
// a link that was never up.
type linkState struct {
	qr          string    // the code on show, a secret
	streamCode  int       // from a stream error, for the disconnect that follows; 0 if there was none
	outageSince time.Time // when the link went down; zero while nothing was missed
	upAgain     time.Time // when it came back, while the missed events arrive
	forecast    int       // how many missed events the server announced
}

// status is a connection.update event.
func (t *Translator) status(data *wajson.Object) outbox.Event {
	return t.event(ConnectionUpdate, unique(), connectionChat, data.JSON())
}

// Connecting gives the event of a connection attempt: once for each Connect the
// service makes. After a lost connection the translator adds it by itself.
func (t *Translator) Connecting() outbox.Event {
	return t.status(new(wajson.Object).Str("status", linkConnecting).Str("connection", "connecting").Bool("receivedPendingNotifications", false))
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

// QRCode gives the event of a code that is shown now, and false if it is the
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

// PairingTimeout gives the event of a pairing round whose codes ran out.
func (t *Translator) PairingTimeout() outbox.Event {
	return t.closed(linkPairingRequired, codeQRTimeout, "QR refs attempts ended", "")
}

func (t *Translator) pairSuccess(context.Context, *events.PairSuccess) ([]outbox.Event, error) {
	t.forgetQR()
	return one(t.status(new(wajson.Object).Str("status", linkConnecting).Bool("isNewLogin", true))), nil
}

func (t *Translator) pairError(context.Context, *events.PairError) ([]outbox.Event, error) {
	return one(t.closed(linkPairingRequired, codeUnknown, "", "")), nil
}

// The passkey events carry login material, which stays here: receivers learn
// only that pairing needs an answer.
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

func (t *Translator) connected(context.Context, *events.Connected) ([]outbox.Event, error) {
	ev := t.status(new(wajson.Object).Str("status", linkConnected).Str("connection", "open"))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.qr, t.link.streamCode = "", 0
	t.link.upAgain = ev.Time
	return one(ev), nil
}

func (t *Translator) offlinePreview(evt *events.OfflineSyncPreview) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.forecast = evt.Total
}

// offlineSynced reports that all missed events have arrived and, after an
// outage, from when to when and how many there were.
func (t *Translator) offlineSynced(_ context.Context, evt *events.OfflineSyncCompleted) ([]outbox.Event, error) {
	t.mu.Lock()
	from, to, caughtUp := t.link.outageSince, t.link.upAgain, max(evt.Count, t.link.forecast)
	t.link.outageSince, t.link.upAgain, t.link.forecast = time.Time{}, time.Time{}, 0
	t.mu.Unlock()
	data := new(wajson.Object).Str("status", linkConnected).Bool("receivedPendingNotifications", true)
	if !from.IsZero() {
		if to.Before(from) { // the server was done before the client called itself connected
			to = t.now()
		}
		data.Obj("gap", new(wajson.Object).Int("from", from.UnixMilli()).Int("to", to.UnixMilli()).Int("caughtUp", int64(caughtUp)))
	}
	return one(t.status(data)), nil
}

func (t *Translator) streamError(evt *events.StreamError) {
	code, err := strconv.Atoi(evt.Code)
	if err != nil || code <= 0 {
		code = codeUnknown
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.streamCode = code
}

// disconnected reports the loss and, as the library reconnects a linked account
// by itself, the attempt that follows.
func (t *Translator) disconnected(context.Context, *events.Disconnected) ([]outbox.Event, error) {
	t.mu.Lock()
	code, text := t.link.streamCode, "Stream Errored (unknown)"
	t.mu.Unlock()
	if code == 0 {
		code, text = codeConnectionClosed, "Connection Closed"
	}
	evs := one(t.closed(linkDisconnected, code, text, ""))
	if t.account() != "" {
		evs = append(evs, t.Connecting())
	}
	return evs, nil
}

func (t *Translator) streamReplaced(context.Context, *events.StreamReplaced) ([]outbox.Event, error) {
	return one(t.closed(linkDisconnected, codeStreamReplaced, "Stream Errored (conflict)", "")), nil
}

func (t *Translator) loggedOut(_ context.Context, evt *events.LoggedOut) ([]outbox.Event, error) {
	if !evt.OnConnect {
		return one(t.closed(linkDisconnected, codeLoggedOut, "Stream Errored (conflict)", "")), nil
	}
	return one(t.refused(int(evt.Reason))), nil
}

func (t *Translator) temporaryBan(context.Context, *events.TemporaryBan) ([]outbox.Event, error) {
	return one(t.refused(codeTemporaryBan)), nil
}

func (t *Translator) clientOutdated(context.Context, *events.ClientOutdated) ([]outbox.Event, error) {
	return one(t.refused(codeClientOutdated)), nil
}

func (t *Translator) connectFailure(_ context.Context, evt *events.ConnectFailure) ([]outbox.Event, error) {
	return one(t.refused(int(evt.Reason))), nil
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

// refused is the close after the server refused the login.
func (t *Translator) refused(code int) outbox.Event {
	if code <= 0 {
		code = codeUnknown
	}
	return t.closed(linkDisconnected, code, "Connection Failure", strconv.Itoa(code))
}

// closed is the event of a link that ended; reason is the server's code where it named one.
func (t *Translator) closed(status string, code int, text, reason string) outbox.Event {
	at := t.now() // when it happened; the event is created after
	failure := new(wajson.Object)
	if reason == "" {
		failure.Null("data")
	} else {
		failure.Obj("data", new(wajson.Object).Str("reason", reason))
	}
	if code == codeUnknown {
		text = "An internal server error occurred"
	}
	failure.Bool("isBoom", true).Bool("isServer", code >= 500).Obj("output", new(wajson.Object).
		Int("statusCode", int64(code)).
		Obj("payload", new(wajson.Object).Int("statusCode", int64(code)).Str("error", statusText(code)).Str("message", text)).
		Obj("headers", new(wajson.Object)))
	ev := t.status(new(wajson.Object).
		Str("status", status).
		Str("connection", "close").
		Obj("lastDisconnect", new(wajson.Object).Obj("error", failure).Str("date", isoTime(at))))
	linked := t.account() != ""
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.qr, t.link.streamCode, t.link.upAgain = "", 0, time.Time{}
	if t.link.outageSince.IsZero() && linked { // one gap from the first loss to the next catch-up
		t.link.outageSince = ev.Time
	}
	return ev
}

func (t *Translator) forgetQR() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.qr = ""
}

// statusText is the HTTP text of a code, with the one old spelling receivers know.
func statusText(code int) string {
	if code == http.StatusRequestTimeout {
		return "Request Time-out"
	}
	if text := http.StatusText(code); text != "" {
		return text
	}
	return "Unknown"
}

// isoTime is a time as JavaScript's toISOString prints it.
func isoTime(at time.Time) string {
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}

// TestBody is the body `webhook test` sends. It never enters the outbox.
func TestBody(now time.Time) []byte {
	return body(ConnectionUpdate, now, new(wajson.Object).Bool("test", true).Str("message", "This is a test webhook payload").JSON())
}

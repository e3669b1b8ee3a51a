package translate

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// The close codes of events that name none themselves, as receivers know them.
const (
	codeLoggedOut        = 401
	codeTemporaryBan     = 402
	codeClientOutdated   = 405
	codeQRTimeout        = 408
	codeConnectionClosed = 428
	codeStreamReplaced   = 440
	codeUnknown          = 500
)

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

// Closed returns the event of a link that was closed on request: the account stays linked, and
// nothing is tried until the link is opened again.
func (t *Translator) Closed() outbox.Event {
	return t.closed(linkDisconnected, codeConnectionClosed, "Connection Closed", "")
}

func (t *Translator) streamReplaced(context.Context, *events.StreamReplaced) ([]outbox.Event, error) {
	return one(t.closed(linkDisconnected, codeStreamReplaced, "Stream Errored (conflict)", "")), nil
}

func (t *Translator) loggedOut(_ context.Context, evt *events.LoggedOut) ([]outbox.Event, error) {
	if !evt.OnConnect {
		return one(t.closed(linkDisconnected, codeLoggedOut, "Stream Errored (conflict)", "")), nil
	}
	return one(t.loginRefused(int(evt.Reason))), nil
}

// LoggedOut returns the event of an account that is no longer linked, which WhatsApp did not tell.
func (t *Translator) LoggedOut() outbox.Event { return t.loginRefused(codeLoggedOut) }

func (t *Translator) temporaryBan(context.Context, *events.TemporaryBan) ([]outbox.Event, error) {
	return one(t.loginRefused(codeTemporaryBan)), nil
}

func (t *Translator) clientOutdated(context.Context, *events.ClientOutdated) ([]outbox.Event, error) {
	return one(t.loginRefused(codeClientOutdated)), nil
}

func (t *Translator) connectFailure(_ context.Context, evt *events.ConnectFailure) ([]outbox.Event, error) {
	return one(t.loginRefused(int(evt.Reason))), nil
}

// loginRefused is the close after the server refused the login.
func (t *Translator) loginRefused(code int) outbox.Event {
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
		Obj("payload", new(wajson.Object).
			Int("statusCode", int64(code)).
			Str("error", statusText(code)).
			Str("message", text)).
		Obj("headers", new(wajson.Object)))
	ev := t.status(new(wajson.Object).
		Str("status", status).
		Str("connection", "close").
		Obj("lastDisconnect", new(wajson.Object).Obj("error", failure).Str("date", isoTime(at))))
	linked := t.account() != ""
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.qr, t.link.streamCode, t.link.upAgain = "", 0, time.Time{}
	t.link.early, t.link.open = nil, false
	if t.link.outageSince.IsZero() && linked { // one gap from the first loss to the next catch-up
		t.link.outageSince = ev.Time
	}
	return ev
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

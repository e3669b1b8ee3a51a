package webhook

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// idempotencyKey is spelled in lower case since the first version. Header names compare without
// case.
const idempotencyKey = "idempotency-key"

// field is a header whose value differs from attempt to attempt.
type field uint8

const (
	fixed field = iota
	fieldID
	fieldEvent
	fieldAttempt
	fieldSequence
	fieldAccount
	fieldReplay
	fieldSignature
	fieldTimestamp
	fieldStandard
)

// line is a header with its line end, or, for a field, only its name, colon and space.
type line struct {
	text string
	of   field
}

// head is what the requests of a webhook begin with, with gaps for what each attempt says. It is
// byte for byte what net/http writes for such a request. Immutable.
type head struct {
	begin string // up to the value of Content-Length
	lines []line
}

// newHead lays out the head for a webhook: its own headers first, so that ours win.
func newHead(u *url.URL, userAgent string, sub outbox.SubID, cred *credentials) *head {
	own := map[string]line{}
	for name, values := range cred.headers {
		for _, v := range values {
			own[name] = line{text: name + ": " + textproto.TrimString(v) + lineEnd}
		}
	}
	constant := func(name, value string) { own[name] = line{text: name + ": " + textproto.TrimString(value) + lineEnd} }
	varying := func(name string, of field) { own[name] = line{text: name + ": ", of: of} }
	constant("Content-Type", "application/json")
	constant("Accept-Encoding", "gzip")
	constant("X-Webhook-Subscription", string(sub))
	varying("X-Webhook-Id", fieldID)
	varying("X-Webhook-Event", fieldEvent)
	varying("X-Webhook-Attempt", fieldAttempt)
	varying("X-Webhook-Sequence", fieldSequence)
	varying("X-Webhook-Account", fieldAccount)
	varying("X-Webhook-Replay", fieldReplay)
	varying(idempotencyKey, fieldID)
	if cred.sign != nil {
		varying("X-Webhook-Signature", fieldSignature)
		varying("Webhook-Id", fieldID)
		varying("Webhook-Timestamp", fieldTimestamp)
		varying("Webhook-Signature", fieldStandard)
	}
	h := &head{begin: "POST " + u.RequestURI() + " HTTP/1.1" + lineEnd + "Host: " + u.Host + lineEnd +
		"User-Agent: " + textproto.TrimString(userAgent) + lineEnd + "Content-Length: "}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		h.lines = append(h.lines, own[name])
	}
	return h
}

const lineEnd = "\r\n"

// signatures are what one attempt was signed with, as it was sent; empty without a secret.
type signatures struct {
	plain    string // X-Webhook-Signature
	standard string // webhook-signature
}

// errNoHeader says that an event cannot be told in a header.
var errNoHeader = errors.New("the event's id, name or account holds control characters, which no header may hold")

// append appends the head of one attempt.
func (h *head) append(b []byte, r *dispatcher.Request, cred *credentials, now time.Time) ([]byte, signatures, error) {
	ev := &r.Event
	if !isHeaderText(ev.Key) || !isHeaderText(ev.Name) || !isHeaderText(ev.Account) {
		return b, signatures{}, errNoHeader
	}
	b = append(b, h.begin...)
	b = strconv.AppendInt(b, int64(len(ev.Body)), 10)
	b = append(b, lineEnd...)
	current, previous := cred.signers(now)
	old := cmp.Or(previous, current)
	var sent signatures
	for i := range h.lines {
		l := &h.lines[i]
		if l.of == fieldAccount && ev.Account == "" || l.of == fieldReplay && r.Replay <= 0 {
			continue
		}
		b = append(b, l.text...)
		from := len(b)
		switch l.of {
		case fixed:
			continue
		case fieldID:
			b = append(b, ev.Key...)
		case fieldEvent:
			b = append(b, ev.Name...)
		case fieldAttempt:
			b = strconv.AppendInt(b, int64(r.Attempt), 10)
		case fieldSequence:
			b = strconv.AppendUint(b, uint64(ev.Seq), 10)
		case fieldAccount:
			b = append(b, ev.Account...)
		case fieldReplay:
			b = strconv.AppendInt(b, int64(r.Replay), 10)
		case fieldTimestamp:
			b = strconv.AppendInt(b, now.Unix(), 10)
		case fieldSignature:
			b = old.appendSignature(b, ev.Body)
			sent.plain = string(b[from:])
		case fieldStandard:
			b = appendStandards(b, ev, now, current, previous)
			sent.standard = string(b[from:])
		}
		b = append(b, lineEnd...)
	}
	return append(b, lineEnd...), sent, nil
}

// appendStandards appends webhook-signature. During a rotation it carries both secrets', the
// current one's first; receivers that know one only go on with the one they have.
func appendStandards(b []byte, ev *outbox.Event, now time.Time, current, previous *signer) []byte {
	var room [128]byte
	signed := append(append(room[:0], ev.Key...), '.')
	signed = append(strconv.AppendInt(signed, now.Unix(), 10), '.')
	b = current.appendStandard(b, signed, ev.Body)
	if previous != nil {
		b = previous.appendStandard(append(b, ' '), signed, ev.Body)
	}
	return b
}

// isHeaderText reports whether a header's value may hold s: no control characters but tabs.
func isHeaderText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// maxRetryAfter bounds what is believed at all; the dispatcher caps it further.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After, seconds or an HTTP date: from 0 (absent, unreadable, negative or
// past) to maxRetryAfter.
func retryAfter(v string, now time.Time) time.Duration {
	// A number beyond int64 still says "very late": ParseInt returns the nearest one then.
	if s, err := strconv.ParseInt(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		// Compared as seconds: as nanoseconds the product may overflow, in both directions.
		return time.Duration(min(max(s, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

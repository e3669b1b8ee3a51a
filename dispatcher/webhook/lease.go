package webhook

import (
	"errors"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// maxLeaseBody bounds a request to the receiver of a lease: receivers refuse more. Payloads are
// thin, so that none comes near.
const maxLeaseBody = 256 << 10

var (
	errUnsignedLease = errors.New("the lease has no signing secret, and nothing is sent unsigned")
	errNoOccurrence  = errors.New("leases are not delivered by this program")
	errLeaseBody     = errors.New("the payload of the event is above 256 KiB")
)

// leaseBody makes the body of an attempt of a lease: what its client gets of the event, with the
// cursor before all that is not finished. It is made on each attempt, since that moves.
func (s *Sender) leaseBody(r *dispatcher.Request) ([]byte, error) {
	if s.opt.Occurrence == nil {
		return nil, errNoOccurrence
	}
	body, err := s.opt.Occurrence(r.Event, r.Webhook.Lease.Preview, r.Watermark)
	if err == nil && len(body) > maxLeaseBody {
		err = errLeaseBody
	}
	return body, err
}

// leaseMessage is one request to the receiver of a lease.
type leaseMessage struct {
	id           string // webhook-id
	subscription string // X-MCP-Subscription-Id
	body         []byte
}

// head appends the head of a request: what Standard Webhooks and the extension name, and nothing
// of the account, of the attempt or of the webhook's own headers.
func (m leaseMessage) head(b []byte, u *url.URL, userAgent string, now time.Time, current, previous *signer) ([]byte, signatures, error) {
	switch {
	case current == nil:
		return b, signatures{}, errUnsignedLease
	case !isHeaderText(m.id) || !isHeaderText(m.subscription):
		return b, signatures{}, errNoHeader
	}
	line := func(name, value string) {
		b = append(append(append(append(b, name...), ": "...), value...), lineEnd...)
	}
	b = append(append(append(b, "POST "...), u.RequestURI()...), " HTTP/1.1"+lineEnd...)
	line("Host", u.Host)
	line("User-Agent", textproto.TrimString(userAgent))
	line("Content-Length", strconv.Itoa(len(m.body)))
	line("Content-Type", "application/json")
	line("webhook-id", m.id)
	line("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	signed := string(appendStandards(nil, &outbox.Event{Key: m.id, Body: m.body}, now, current, previous))
	line("webhook-signature", signed)
	line("X-MCP-Subscription-Id", m.subscription)
	return append(b, lineEnd...), signatures{standard: signed}, nil
}

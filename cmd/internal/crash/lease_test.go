package crash

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"waoutbox/cmd/internal/admin"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// The lease is what an MCP client subscribed: it renews it at each start, and gives it up and
// subscribes again now and then, with the cursor that its receiver has got last. The receiver
// refuses some events for good, and is not ready for others at first.

const (
	leasePath  = "lease"
	cursorPath = "lease-cursor" // where the client asks its receiver for the cursor
	// subscribeMost is how often a life subscribes: more than a few challenges a minute are refused
	subscribeMost = 3
)

// leaseSecret is the lease's.
func leaseSecret() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("lease", 6)))
}

// occurrence is a body of the lease: the event's id, its sequence, and the cursor before watermark.
type occurrence struct {
	EventID  string     `json:"eventId,omitempty"`
	Sequence outbox.Seq `json:"sequence,omitempty"`
	Cursor   string     `json:"cursor"`
	// of an envelope
	Type      string `json:"type,omitempty"`
	Challenge string `json:"challenge,omitempty"`
}

// bodies makes them, with the cursors of the log that is open.
func (p *process) bodies() (body func(outbox.Event, bool, outbox.Seq) ([]byte, error), cursor func(outbox.Seq) string) {
	cursor = func(watermark outbox.Seq) string {
		page, err := p.box.Events(context.Background(), outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
		if err != nil {
			return ""
		}
		return outbox.Position(page.State, watermark)
	}
	return func(ev outbox.Event, _ bool, watermark outbox.Seq) ([]byte, error) {
		return json.Marshal(occurrence{EventID: ev.Key, Sequence: ev.Seq, Cursor: cursor(watermark)})
	}, cursor
}

// Terminated is the real sender's.
func (s sender) Terminated(ctx context.Context, sub outbox.Subscription, w outbox.Webhook, why string) error {
	return s.Sender.Terminated(ctx, sub, w, why)
}

// allowed is a policy that lists every host.
type allowed struct{ admin.Hosts }

func (allowed) Lists(string) bool { return true }
func (allowed) Mode() string      { return api.PolicyOpen }
func (allowed) Allows(url string) (e webhook.Endpoint, _ bool) {
	e, err := webhook.EndpointOf(url)
	return e, err == nil
}

type clientKey struct{}

// asClient marks what the MCP client asks for.
func asClient(ctx context.Context) context.Context { return context.WithValue(ctx, clientKey{}, true) }

func callerOf(ctx context.Context) api.Caller {
	if ctx.Value(clientKey{}) != nil {
		return api.Caller{Kind: api.CallerMCP, Client: "crash", Principal: "local"}
	}
	return api.Caller{Kind: api.CallerCLI}
}

// lease subscribes or renews, and says what came of it.
func (p *process) lease(ctx context.Context) error {
	cursor, err := p.leaseCursor(ctx)
	if err != nil {
		return err
	}
	out, err := p.admin.Subscribe(asClient(ctx), api.Subscribe{Event: message, URL: p.Base + "/" + leasePath, Secret: leaseSecret(), Cursor: cursor})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	p.say("leased %s %s %v %v .", from(cursor), out.Cursor, out.Truncated, out.Renewed)
	return nil
}

// leaseAgain ends the lease and subscribes again.
func (p *process) leaseAgain(ctx context.Context) error {
	if p.subscribed++; p.subscribed >= subscribeMost {
		return nil
	}
	_, err := p.admin.Unsubscribe(asClient(ctx), api.Unsubscribe{Event: message, URL: p.Base + "/" + leasePath})
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	return p.lease(ctx)
}

// leaseCursor is the cursor that the client has, "" before its first.
func (p *process) leaseCursor(ctx context.Context) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Base+"/"+cursorPath, http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// leased is what is known of the lease outside. Its fields belong to the ledger's mu.
type leased struct {
	cursor    string     // the client's
	start     outbox.Seq // it was owed everything from here on
	checked   outbox.Seq // what is behind it was compared up to here
	delivered map[outbox.Seq]bool
	refused   map[outbox.Seq]bool
	tries     map[outbox.Seq]int
	highest   map[string]outbox.Seq // of each chat
	told      [][2]outbox.Seq       // ranges in which events may be missing
	doubts    []leaseDoubt
	// what was unfinished below it may have expired
	expired      outbox.Seq
	sent, renews int
	truncated    int
	gaps         int
}

// leaseDoubt is a fault unless the event had expired or its loss was told, which a line of the
// process may say that is read later.
type leaseDoubt struct {
	seq   outbox.Seq
	fault string
}

func newLeased() *leased {
	return &leased{delivered: map[outbox.Seq]bool{}, refused: map[outbox.Seq]bool{}, tries: map[outbox.Seq]int{}, highest: map[string]outbox.Seq{}}
}

// subscribed takes up what a subscribe came to. mu is held.
func (l *ledger) subscribed(before, after string, truncated, renewed bool) {
	s := l.lease
	if position(after) == 0 {
		l.fault("the lease begins at %q", after)
	}
	if s.start == 0 {
		s.start = position(after)
	}
	if s.cursor == "" {
		s.cursor = after
	}
	if renewed {
		s.renews++
	}
	if truncated {
		s.truncated++
		s.told = append(s.told, [2]outbox.Seq{position(before), position(after)})
	}
}

// leasePost judges a request to the lease's receiver, and returns the response. mu is held.
func (l *ledger) leasePost(life int, q *http.Request, raw []byte) (status int, body string) {
	s := l.lease
	verifier, err := standardwebhooks.NewWebhook(leaseSecret())
	if err == nil {
		err = verifier.Verify(raw, q.Header)
	}
	var o occurrence
	if err == nil {
		err = json.Unmarshal(raw, &o)
	}
	if err != nil || q.Header.Get("X-MCP-Subscription-Id") == "" || q.Header.Get("X-Webhook-Id") != "" {
		l.fault("a POST to the lease: %v, %v", err, q.Header)
		return 400, ""
	}
	switch o.Type {
	case "verification":
		return 200, fmt.Sprintf(`{"challenge":%q}`, o.Challenge)
	case "gap":
		s.gaps++
		s.told = append(s.told, [2]outbox.Seq{position(s.cursor), position(o.Cursor)})
		return 204, ""
	case "":
	default:
		return 204, ""
	}
	seq, watermark := o.Sequence, position(o.Cursor)
	s.sent++
	l.named(seq, o.EventID)
	if q.Header.Get("webhook-id") != o.EventID || nameOf(o.EventID) != message || watermark == 0 || watermark > seq {
		l.fault("the lease gets %+v as %s", o, q.Header.Get("webhook-id"))
	}
	if life < l.life { // on its way when it was killed
		return 503, ""
	}
	for other := max(s.start, s.checked); other < watermark; other++ {
		if key, known := l.keys[other]; known && nameOf(key) == message && !s.delivered[other] && !s.refused[other] {
			s.doubts = append(s.doubts, leaseDoubt{other, fmt.Sprintf("life %d: the lease is told with %d that %d is behind it", life, seq, other)})
		}
	}
	s.checked = max(s.checked, watermark)
	chat := event(o.EventID).Chat
	first := s.tries[seq] == 0
	if s.tries[seq]++; first && seq < s.highest[chat] {
		s.doubts = append(s.doubts, leaseDoubt{seq, fmt.Sprintf("life %d: the lease gets %d for the first time after %d of its chat", life, seq, s.highest[chat])})
	}
	s.highest[chat] = max(s.highest[chat], seq)
	switch h := hash(o.EventID + leasePath); {
	case h%29 == 0:
		s.refused[seq] = true
		return []int{410, 413}[h/29%2], ""
	case h%101 == 0 && s.tries[seq] == 1:
		return []int{503, 425}[h/101%2], ""
	}
	s.delivered[seq] = true
	s.cursor = o.Cursor
	return 204, ""
}

// knows reports whether the client knows that an event may be lost.
func (s *leased) knows(seq outbox.Seq) bool {
	for _, r := range s.told {
		if r[0] <= seq && seq < r[1] {
			return true
		}
	}
	return false
}

// certainOfLease makes faults of the doubts that stay. mu is held.
func (l *ledger) certainOfLease() {
	s := l.lease
	for _, d := range s.doubts {
		if d.seq >= s.expired && !s.knows(d.seq) {
			l.faults = append(l.faults, d.fault)
		}
	}
	s.doubts = nil
}

// settleLease wants every acknowledged message at the receiver of the lease, refused by it, or told
// as lost. mu is held.
func (l *ledger) settleLease(sum *summary) {
	s := l.lease
	for key, seq := range l.acked {
		if nameOf(key) != message || seq < s.start {
			continue
		}
		switch {
		case s.delivered[seq]:
			sum.leased++
		case s.refused[seq]:
			sum.leaseRefused++
		case s.knows(seq):
			sum.leaseTold++
		default:
			l.fault("the lease never had %s (%d), which was not refused, and its client was not told: %d tries, expired below %d", key, seq, s.tries[seq], s.expired)
		}
	}
	sum.leaseGaps += s.gaps
	sum.leaseRenews += s.renews
	sum.leaseTruncated += s.truncated
}

// serveLease is the receiver of the lease, and what its client asks it.
func (r *receiver) serveLease(w http.ResponseWriter, q *http.Request) {
	l := r.ledger.Load()
	if q.URL.Path == "/"+cursorPath {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = io.WriteString(w, l.lease.cursor)
		return
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // cut off by the kill: it never arrived
	}
	life, err := strconv.Atoi(strings.TrimPrefix(q.Header.Get("User-Agent"), "crash/"))
	l.mu.Lock()
	status, text := 400, ""
	if err == nil {
		status, text = l.leasePost(life, q, body)
	} else {
		l.fault("the lease is sent to by %q", q.Header.Get("User-Agent"))
	}
	l.mu.Unlock()
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

var errNoLease = errors.New("there is no lease")

// leaseID is the webhook that the lease is now.
func (p *process) leaseID(ctx context.Context) (outbox.SubID, error) {
	subs, err := p.box.Subs(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range subs {
		if cfg, err := outbox.DecodeWebhook(s.Config); err != nil || cfg.Lease != nil && !s.Removed {
			return s.ID, err
		}
	}
	return "", errNoLease
}

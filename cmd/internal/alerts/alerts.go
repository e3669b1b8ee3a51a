// Package alerts tells an endpoint of the user when an alarm of this service rises and when it is
// over. Such a request is no event: it is in no outbox, and when it fails that is logged and raises
// no alarm, so that nothing it does comes back to it.
package alerts

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"waoutbox/outbox/api"
)

// What is told.
const (
	Raised  = "alarm.raised"
	Cleared = "alarm.cleared"
)

const (
	// every is how often the alarms are looked at.
	every = 10 * time.Second
	// settle is how long an alarm must be up, or gone, before that is told: one that comes and goes
	// is no news.
	settle = 30 * time.Second
	// begin is how long after a start no alarm of before is over: the link may be down again only
	// a while later.
	begin = 2 * time.Minute
	// limit bounds one request.
	limit = 10 * time.Second
	// most is how many tellings wait for an endpoint that takes none; the oldest go.
	most = 100
	// maxAnswer is what is read of an answer, so that its connection can be used again.
	maxAnswer = 64 << 10
)

// Options are what Alerts needs.
type Options struct {
	URL     string
	Version string
	Client  *http.Client // judges the address it calls, and follows no redirect
	Status  func(context.Context) (api.Status, error)
	Log     *slog.Logger
	Path    string // the file of what is under way; "" keeps it in memory
}

// Message is the body of a request.
type Message struct {
	Event     string `json:"event"`     // Raised or Cleared
	Timestamp int64  `json:"timestamp"` // in milliseconds
	Data      Data   `json:"data"`
}

// Data says which alarm it is.
type Data struct {
	ID      string    `json:"id"` // the same for a rise and its end
	Code    string    `json:"code"`
	Webhook string    `json:"webhook,omitempty"` // the id of the one it is of, if of one
	Message string    `json:"message"`           // what is wrong, and the command that mends it
	Since   time.Time `json:"since,omitzero"`
	Account string    `json:"account,omitempty"` // that is linked
}

// Alerts is one endpoint. Use New.
type Alerts struct {
	o      Options
	told   map[key]*state
	wait   []Message
	failed int       // in a row
	next   time.Time // before it nothing is tried
	began  time.Time
	// what the file has
	saved   string
	unsaved bool
}

// key is what makes an alarm one.
type key struct{ code, webhook string }

// state is how an alarm stands.
type state struct {
	data    Data
	up      bool      // as it was seen last
	changed time.Time // since when it is as it was seen last
	told    bool      // the endpoint was told that it is up
}

// New makes an Alerts that does nothing until Run.
func New(o Options) *Alerts { return &Alerts{o: o, told: map[key]*state{}} }

// Run looks at the alarms and tells of them until ctx ends. Nothing waits for it.
func (a *Alerts) Run(ctx context.Context) error {
	a.began = time.Now()
	if a.o.Path != "" {
		a.load(a.began)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		st, err := a.o.Status(ctx)
		if err != nil { // it is no alarm that cannot be seen
			continue
		}
		a.look(st, time.Now())
		if a.send(ctx); a.o.Path != "" {
			a.save()
		}
	}
}

// look notes what changed, and lets what has settled wait to be told.
func (a *Alerts) look(st api.Status, now time.Time) {
	seen := map[key]bool{}
	for _, al := range st.Alarms {
		k := key{al.Code, al.Webhook}
		seen[k] = true
		s := a.told[k]
		if s == nil {
			s = &state{}
			a.told[k] = s
		}
		if !s.up {
			s.up, s.changed = true, now
		}
		if !s.told {
			s.data = Data{ID: id(k, al.Since, now), Code: al.Code, Webhook: al.Webhook, Message: al.Message, Since: al.Since, Account: st.Link.Account}
		}
	}
	for k, s := range a.told {
		if s.told && k.code == "dead_letters_rising" && seen[key{"webhook_failing", k.webhook}] {
			// it became the other alarm, which includes its dead letters, and ends with that
			seen[k], s.up = true, true
		}
	}
	for _, s := range a.sorted() {
		k := key{s.data.Code, s.data.Webhook}
		if s.up && !seen[k] {
			s.up, s.changed = false, now
		}
		switch settled := now.Sub(s.changed) >= settle; {
		case s.up && !s.told && settled:
			s.told = true
			a.put(Message{Event: Raised, Timestamp: now.UnixMilli(), Data: s.data})
		case !s.up && s.told && settled && now.Sub(a.began) >= begin:
			a.put(Message{Event: Cleared, Timestamp: now.UnixMilli(), Data: s.data})
			delete(a.told, k)
		case !s.up && !s.told:
			delete(a.told, k)
		}
	}
}

// sorted are the alarms in an order that is the same each time.
func (a *Alerts) sorted() []*state {
	return slices.SortedFunc(maps.Values(a.told), func(s, t *state) int {
		return cmp.Or(cmp.Compare(s.data.Code, t.data.Code), cmp.Compare(s.data.Webhook, t.data.Webhook))
	})
}

// id names one rise of an alarm.
func id(k key, since, now time.Time) string {
	if since.IsZero() {
		since = now
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", k.code, k.webhook, since.UnixMilli()))
	return "alarm_" + hex.EncodeToString(sum[:12])
}

func (a *Alerts) put(m Message) {
	if a.wait = append(a.wait, m); len(a.wait) > most {
		a.wait = a.wait[1:]
	}
}

// send tells what waits, in order, until one fails. Then the next try is later and later, an hour
// at most.
func (a *Alerts) send(ctx context.Context) {
	for len(a.wait) > 0 && !time.Now().Before(a.next) {
		m := a.wait[0]
		err := a.post(ctx, m)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			a.wait, a.failed = a.wait[1:], 0
			continue
		}
		a.failed++
		pause := min(every<<min(a.failed-1, 10), time.Hour)
		a.next = time.Now().Add(pause)
		if a.failed&(a.failed-1) == 0 { // the 1st, 2nd, 4th …
			a.o.Log.WarnContext(ctx, "the alert-webhook was not reached; deliveries are not affected", "url", bare(a.o.URL), "error", err, "failed", a.failed, "waiting", len(a.wait), "next_in", pause)
		}
	}
}

func (a *Alerts) post(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "waoutbox/"+a.o.Version)
	req.Header.Set("X-Webhook-Event", m.Event)
	req.Header.Set("Idempotency-Key", m.Data.ID+"-"+m.Event)
	resp, err := a.o.Client.Do(req)
	if err != nil {
		if u, ok := err.(*url.Error); ok { //nolint:errorlint // it is what Do returns, and has the URL in it
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // what it says is not looked at
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}

// bare is a URL without its query and what else in it is a secret.
func bare(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}

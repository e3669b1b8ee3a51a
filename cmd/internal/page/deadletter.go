package page

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// deadLetter: one of them.
type deadLetter struct {
	Letter    api.DeadLetterDetail
	Heading   string
	Who       sender
	Hook      string
	State     view.State
	Died      view.Time
	Attempts  []letterAttempt
	Waits     string
	Answer    string // the last one
	AnswerLen int
	Gone      string // why there is no body
	Raw       string
	Pretty    []view.Token
	Headers   []header
	Curl      string
	Stored    view.Time
	Replayed  string
	Elsewhere []elsewhere
	Add       string
}

type letterAttempt struct {
	N      string
	At     view.Time
	Waited string
	Took   string
	Class  string
	Result string
	Answer string
}

// header is a header of the request; Note stands for a value that is not shown.
type header struct{ Name, Value, Note string }

type elsewhere struct {
	State view.State
	Name  string
	ID    string
	Title string
}

func (c *call) deadLetter() (shown, error) {
	d, err := c.s.o.Service.DeadLetter(c.ctx(), c.pathID())
	if err != nil {
		return shown{}, err
	}
	st, known := c.status()
	m := deadLetter{Letter: d, Hook: view.HostPath(d.URL), Died: c.clock.For(d.FailedAt), Gone: d.Unreplayable, State: view.Removed()}
	if !known && !d.Removed {
		m.State = view.Unknown()
	}
	for _, w := range st.Webhooks {
		if w.ID == d.Webhook {
			m.State, m.Waits = view.WebhookState(w.Status), scheduleWords(w.Schedule)
		}
	}
	if d.Removed {
		m.Add = c.s.o.Command("webhook", "add", term.Quote(d.Webhook))
	}
	m.Heading = "Dead: " + view.LastError(d.LastError)
	if n := len(d.AttemptLog); n > 0 {
		m.Heading = fmt.Sprintf("Dead: %s, the last: %s", term.Plural(int64(d.Attempts), "attempt", "attempts"), view.LastError(d.LastError))
		last := d.AttemptLog[n-1]
		if !c.hide {
			m.Answer, m.AnswerLen = view.Text(last.Response), len(last.Response)
		}
	}
	m.Attempts = c.letterAttempts(d)
	ev := c.eventAt(uintText(d.Sequence), api.Event{Event: d.Event, Chat: d.Chat, Body: d.Body})
	m.Stored, m.Who = c.clock.StampMilli(ev.Time), c.describe(ev)
	if !c.hide {
		m.Raw, m.Pretty, m.Curl = view.Text(d.Body), view.Pretty(d.Body), c.curl(d)
	}
	m.Headers = c.letterHeaders(d)
	m.Replayed = "never"
	if d.Replay > 0 {
		m.Replayed = term.Plural(int64(d.Replay), "time", "times")
	}
	m.Elsewhere = c.elsewhere(d)
	return shown{Title: m.Heading, Model: m}, nil
}

func (c *call) letterAttempts(d api.DeadLetterDetail) (out []letterAttempt) {
	before := time.Time{}
	for i, a := range d.AttemptLog {
		row := letterAttempt{
			N: fmt.Sprintf("%d of %d", a.N, max(d.Attempts, len(d.AttemptLog))), At: c.clock.StampMilli(a.At), Took: view.Took(a.Ms), Class: "bad",
			Result: view.LastError(api.LastError{Class: a.Class, Status: a.Status}), Answer: c.answer(a.Response), Waited: term.None,
		}
		if !before.IsZero() {
			row.Waited = view.Took(a.At.Sub(before).Milliseconds())
		}
		if i == len(d.AttemptLog)-1 {
			row.Class = "dead"
		}
		before = a.At.Add(time.Duration(a.Ms) * time.Millisecond)
		out = append(out, row)
	}
	return out
}

// answer is what an endpoint answered, in a list: what it says of people is not known, so that it
// is hidden with their names.
func (c *call) answer(s string) string {
	if c.hide && s != "" {
		return view.Hidden
	}
	return view.Line(s)
}

func scheduleWords(schedule []string) string {
	if len(schedule) <= 1 {
		return "at once"
	}
	return "at once, then after " + strings.Join(schedule[1:], ", ")
}

// letterHeaders are those of the request. The signature is made when it is sent and not kept.
func (c *call) letterHeaders(d api.DeadLetterDetail) []header {
	account := d.Account
	if c.hide && account != "" {
		account = view.Hidden
	}
	out := []header{
		{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "waoutbox/" + c.s.o.Version}, {Name: "X-Webhook-Id", Value: d.EventID},
		{Name: "X-Webhook-Event", Value: d.Event}, {Name: "X-Webhook-Attempt", Value: fmt.Sprintf("1 to %d", max(d.Attempts, 1))}, {Name: "X-Webhook-Subscription", Value: d.Webhook},
		{Name: "X-Webhook-Sequence", Value: uintText(d.Sequence)}, {Name: "X-Webhook-Account", Value: account}, {Name: "Idempotency-Key", Value: d.EventID},
	}
	if d.Signed {
		out = append(out, header{Name: "X-Webhook-Signature", Note: "sha256=…, made when sent, not kept"}, header{Name: "webhook-id", Value: d.EventID},
			header{Name: "webhook-timestamp", Note: "fresh with each attempt"}, header{Name: "webhook-signature", Note: "v1,…, made when sent, not kept"})
	}
	for _, name := range d.Headers {
		out = append(out, header{Name: name, Note: "your own header, value not shown"})
	}
	for i := range out {
		out[i].Name, out[i].Value = http.CanonicalHeaderKey(term.Clean(out[i].Name)), term.Clean(out[i].Value)
		if strings.HasPrefix(out[i].Name, "Webhook-") {
			out[i].Name = strings.ToLower(out[i].Name)
		}
	}
	return out
}

// curl is the request as a command, unsigned.
func (c *call) curl(d api.DeadLetterDetail) string {
	if d.Body == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i -X POST %s", term.Quote(d.URL))
	for _, h := range []string{
		"Content-Type: application/json", "X-Webhook-Id: " + d.EventID, "X-Webhook-Event: " + d.Event, "X-Webhook-Subscription: " + d.Webhook,
		"X-Webhook-Sequence: " + uintText(d.Sequence), "Idempotency-Key: " + d.EventID,
	} {
		fmt.Fprintf(&b, " \\\n  -H %s", term.Quote(h))
	}
	for _, name := range d.Headers {
		fmt.Fprintf(&b, " \\\n  -H %s", term.Quote(name+": VALUE"))
	}
	// a character that would hide in the command stands there as JSON writes it
	fmt.Fprintf(&b, " \\\n  --data-binary %s", term.Quote(view.Text(d.Body)))
	return b.String()
}

// elsewhere is where the same event stands for the other webhooks.
func (c *call) elsewhere(d api.DeadLetterDetail) (out []elsewhere) {
	ev, err := c.s.o.Service.Event(c.ctx(), uintText(d.Sequence))
	switch {
	case api.CodeOf(err) == api.CodeNotFound:
		return nil // it is kept no longer, and was nobody else's any more
	case err != nil:
		return []elsewhere{{State: view.State{Class: "off", Word: "cannot be read now"}}}
	}
	names := c.names()
	for _, at := range ev.Deliveries {
		if at.Webhook == d.Webhook || at.State == api.EventNotOwed {
			continue
		}
		name := names[at.Webhook]
		if name == "" {
			name = view.ShortName(at.URL)
		}
		state := view.DeliveryState(at)
		if wait := c.dueAt(at).Sub(c.clock.Now); at.State == api.EventPending && at.Attempts > 0 && !at.InFlight && wait > 0 {
			state.Word = "again in " + view.Age(wait+time.Second)
		}
		out = append(out, elsewhere{state, name, term.Clean(at.Webhook), view.AddressOf(at.URL).Title()})
	}
	return out
}

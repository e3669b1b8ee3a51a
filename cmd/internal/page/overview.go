package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// overview: does it work, what needs me.
type overview struct {
	Empty   bool // nothing is set up: the first three steps are shown instead
	Linked  bool
	Heading string
	Lead    string
	Alarms  []alarm
	Link    view.State
	LinkOf  string
	Since   view.Time
	Last    view.Time // the newest event
	LastOf  string
	Waiting string
	Oldest  string
	Dead    string
	DeadNew string
	Kept    string
	KeptOf  string
	Hooks   []hookRow
	Unread  bool // the status cannot be read, nor which webhooks there are
	Plot    view.Plot
	Add     string // the command that adds the first webhook
	Another string // the one that adds a further one
	Demo    string
	PairBy  string
}

// alarm is one thing that needs a person.
type alarm struct {
	N     int
	State view.State
	Title string // what follows the name, or the whole of it
	Name  string // of the webhook it is of
	ID    string
	Code  string
	Since view.Time
	Text  string
	// what Text ends with
	Command string
	Warn    bool
	// what can be done at once
	Test, Resume, Backlog, Pair, Connect, Letters bool
}

// hookRow is one webhook of the table.
type hookRow struct {
	Webhook  api.Webhook
	State    view.State
	Why      string
	Filter   string
	Client   string // the MCP client whose it is
	Waiting  string
	Oldest   string
	Spark    view.Spark
	Success  view.Time
	SuccText string
	Failure  view.Time
	FailText string
	Dead     string
}

func (c *call) overview() (shown, error) {
	st, known := c.status()
	linked := st.Link.Account != ""
	o := overview{Linked: linked, Unread: !known, Empty: len(st.Webhooks) == 0 && (st.Link.State == api.LinkUnlinked || st.Link.State == api.LinkPairing)}
	o.Add = c.s.o.Command("webhook", "add", "http://localhost:5678/webhook/whatsapp", "--event", "message.received", "--generate-secret")
	o.Another = c.s.o.Command("webhook", "add", "URL")
	o.PairBy, o.Demo = c.s.o.Command("pair"), c.s.o.Command("demo")
	o.Alarms = c.alarms(st)
	o.Link, o.Since = view.LinkState(st.Link, st.Alarms), c.clock.For(st.Link.Since)
	o.LinkOf = view.Line(st.Link.Name)
	if c.hide && o.LinkOf != "" {
		o.LinkOf = view.Hidden
	}
	if o.Empty {
		o.Heading = o.Link.Word + " yet"
		if o.Link.Word != "Not linked" {
			o.Heading = o.Link.Word
		}
		return shown{Title: o.Link.Word, Model: o}, nil
	}
	act := c.activity(st.Webhooks)
	o.Heading, o.Lead = "Overview", "What could be read is below."
	if known {
		o.Heading, o.Lead = overviewHead(st, o.Link, len(o.Alarms))
	}
	switch page, err := c.s.o.Service.Events(c.ctx(), api.EventQuery{Backward: true, Limit: 1}); {
	case err != nil:
		o.LastOf = "cannot be read now"
	case len(page.Items) == 0:
		o.LastOf = "none is kept"
	default:
		o.Last, o.LastOf = c.clock.Ago(page.Items[0].Time), view.Line(page.Items[0].Event)
	}
	o.counts(st)
	o.DeadNew = c.newDead(st, act, func() ([]api.DeadLetterGroup, error) { return c.summary(api.DeadLetterFilter{}, st.Dead) }).Text()
	if !known {
		o.Dead, o.DeadNew, o.Kept, o.KeptOf = term.Unknown, o.Oldest, term.Unknown, o.Oldest
	}
	for _, w := range view.ByUrgency(st.Webhooks) {
		o.Hooks = append(o.Hooks, c.hookRow(w, act[w.ID]))
	}
	o.Plot = c.hourOfAll(act)
	return shown{Title: o.Heading, Model: o}, nil
}

// overviewHead is the sentence that is read first.
func overviewHead(st api.Status, link view.State, alarms int) (heading, lead string) {
	heading = "All is well"
	if alarms > 0 {
		heading = term.Plural(int64(alarms), "alarm", "alarms")
	}
	active := 0
	for _, w := range st.Webhooks {
		if w.Status == api.WebhookActive {
			active++
		}
	}
	switch n := len(st.Webhooks); {
	case n == 0:
		lead = "WhatsApp: " + strings.ToLower(link.Word) + ". No webhook is added, so nothing is sent."
	case active == n:
		lead = fmt.Sprintf("WhatsApp: %s. %s.", strings.ToLower(link.Word), map[bool]string{true: "Its webhook delivers", false: fmt.Sprintf("All %d webhooks deliver", n)}[n == 1])
	default:
		lead = fmt.Sprintf("WhatsApp: %s. %d of %d webhooks deliver.", strings.ToLower(link.Word), active, n)
	}
	switch {
	case st.CountsUnknown:
		lead += " What waits cannot be counted now."
	case st.Pending > 0:
		lead += fmt.Sprintf(" %s in the outbox, in order.", term.Plural(st.Pending, "event waits", "events wait"))
	default:
		lead += " Nothing waits."
	}
	return heading, lead
}

func (o *overview) counts(st api.Status) {
	o.Waiting, o.Dead = term.Count(st.Pending), term.Count(st.Dead)
	oldest := int64(0)
	for _, w := range st.Webhooks {
		if w.Pending > 0 {
			oldest = max(oldest, w.OldestPendingSeconds)
		}
	}
	if o.Oldest = "nothing waits"; st.Pending > 0 {
		o.Oldest = "oldest " + view.Age(time.Duration(oldest)*time.Second)
	}
	if st.CountsUnknown {
		o.Waiting, o.Oldest = term.Unknown, "cannot be read now"
	}
	o.Kept, o.KeptOf = term.Plural(st.Events, "event", "events"), term.Bytes(st.Bytes)+" on disk"
}

func (c *call) hookRow(w api.Webhook, a api.WebhookActivity) hookRow {
	r := hookRow{Webhook: w, State: view.WebhookState(w.Status), Why: c.why(w), Filter: wanted(w), Spark: view.DrawSpark(a.Minutes)}
	r.Waiting, r.Dead = term.Count(w.Pending), term.Count(w.Dead)
	if l := w.Lease; l != nil {
		r.Client = term.Clean(cmp.Or(l.Client, l.Principal))
	}
	if w.Pending > 0 {
		r.Oldest = "oldest " + view.Age(time.Duration(w.OldestPendingSeconds)*time.Second)
	}
	if w.CountsUnknown {
		r.Waiting, r.Dead, r.Oldest = term.Unknown, term.Unknown, ""
	}
	if s := w.LastSuccess; s != nil {
		r.Success, r.SuccText = c.clock.Ago(s.At), view.Status(s.Status)+" in "+view.Took(s.Ms)
	}
	if f := w.LastError; f != nil {
		r.Failure, r.FailText = c.clock.Ago(f.At), view.Attempt(*f)
	}
	return r
}

// why says in a few words why a webhook is not active.
func (c *call) why(w api.Webhook) string {
	switch {
	case w.Status == api.WebhookActive:
		return ""
	case w.Status == api.WebhookFailing && w.LastError != nil:
		return view.Attempt(*w.LastError) + c.nextTry(w, ", probing")
	}
	return c.text(term.Clean(term.Short(w.Reason, 60))) + c.nextTry(w, "")
}

// nextTry says when a webhook goes on by itself, or what stands there when that is not known.
func (c *call) nextTry(w api.Webhook, unknown string) string {
	if w.NextTryAt.IsZero() {
		return unknown
	}
	return ", next try at " + c.clock.Stamp(w.NextTryAt).Text
}

// text is a sentence of the service, without numbers while they are hidden.
func (c *call) text(s string) string {
	if c.hide {
		return view.Mask(s)
	}
	return s
}

// wanted says what a webhook wants.
func wanted(w api.Webhook) string {
	parts := []string{strings.Join(w.Events, ", ")}
	if len(w.Events) == 1 && w.Events[0] == "*" {
		parts[0] = "all events"
	}
	if len(w.Kinds) > 0 {
		parts = append(parts, strings.Join(w.Kinds, ", ")+" chats")
	}
	if n := len(w.Chats); n > 0 {
		parts = append(parts, term.Plural(int64(n), "chat", "chats"))
	}
	if n := len(w.NotChats); n > 0 {
		parts = append(parts, "without "+term.Plural(int64(n), "chat", "chats"))
	}
	return term.Clean(strings.Join(parts, ", "))
}

// alarms are those of the status, each with what can be done at once.
func (c *call) alarms(st api.Status) []alarm {
	hooks := map[string]api.Webhook{}
	for _, w := range st.Webhooks {
		hooks[w.ID] = w
	}
	names, out := view.Names(st.Webhooks), []alarm{}
	for i, a := range st.Alarms {
		state := view.AlarmState(a.Code)
		one := alarm{
			N: i, State: state, Code: term.Clean(a.Code), ID: term.Clean(a.Webhook), Name: names[a.Webhook], Since: c.clock.For(a.Since),
			Warn: state.Class == "warn" || state.Class == "paused",
		}
		one.Title = view.AlarmTitle(a.Code, one.Name)
		one.Text, one.Command = view.Command(term.Clean(a.Message))
		one.Text = c.text(one.Text)
		w, inUse := hooks[a.Webhook]
		switch a.Code {
		case "webhook_failing", "webhook_held":
			one.Test, one.Resume = inUse, inUse
		case "webhook_paused":
			one.Resume, one.Backlog = inUse, inUse && w.Pending > 0
		case "dead_letters_rising", "events_expired":
			one.Letters = one.ID != ""
		case "not_linked", "logged_out", "login_refused":
			one.Pair = true
		case "link_closed", "link_down", "link_replaced":
			one.Connect = true
		}
		out = append(out, one)
	}
	return out
}

// hourOfAll is the last hour of all webhooks together.
func (c *call) hourOfAll(act map[string]api.WebhookActivity) view.Plot {
	minutes, delivered, failed := lastMinutes(c.clock.Now), make([]int64, 60), make([]int64, 60)
	since := time.Time{}
	for _, a := range act {
		since = a.Since
		for _, m := range a.Minutes {
			if i := minuteIndex(minutes, m.At); i >= 0 {
				delivered[i] += m.Delivered
				failed[i] += m.Failed
			}
		}
	}
	if since.IsZero() {
		since = c.s.o.Started
	}
	var series []view.Series
	if c.s.o.Arrivals != nil {
		series = append(series, view.Series{Name: "Events from WhatsApp", Form: "area", Values: c.s.o.Arrivals(c.clock.Now)})
	}
	if _, known := c.status(); known {
		series = append(series, view.Series{Name: "Delivered", Form: "dark", Values: delivered}, view.Series{Name: "Failed attempts", Form: "bars", Values: failed})
	}
	return view.DrawPlot(c.clock, minutes, since, series...)
}

// lastMinutes are the starts of the last 60 minutes, the one that runs last.
func lastMinutes(now time.Time) []time.Time {
	out := make([]time.Time, 60)
	last := now.Truncate(time.Minute)
	for i := range out {
		out[i] = last.Add(time.Duration(i-59) * time.Minute)
	}
	return out
}

func minuteIndex(minutes []time.Time, at time.Time) int {
	i := int(at.Sub(minutes[0]) / time.Minute)
	if i < 0 || i >= len(minutes) {
		return -1
	}
	return i
}

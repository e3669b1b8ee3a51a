package page

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// webhookModel is one webhook: why it stands as it does, what happened lately, its settings.
type webhookModel struct {
	Webhook  api.Webhook
	ID       string
	Heading  string
	State    view.State
	Since    view.Time
	Next     view.Time // when it goes on by itself
	Summary  string
	Why      string
	WhyDo    string // the command that it ends with
	Plots    []view.Plot
	Attempts []attemptRow
	Failed   bool // only failed ones are shown
	Known    view.Time
	ActErr   string // why the last hour and the attempts cannot be read
	Groups   []groupRow
	GroupErr string
	Settings []setting
	HookErr  string // why the webhook itself cannot be read: its state and settings are not known
	Query    string
	Change   string
	Verify   string // the command that prints code which verifies, or that gives it a secret
	Replays  []replayRow
	Backlog  bool
	Rotating view.Time
}

// setting is one line of the settings.
type setting struct{ Name, Value string }

// attemptRow is one attempt.
type attemptRow struct {
	At      view.Time
	Event   string
	Seq     uint64
	N       string // which attempt, of how many
	Took    string
	Class   string
	Result  string
	Message string
	Answer  string // the start of what the endpoint answered
	Letter  string // the dead letter that it made
}

func (c *call) webhook() (shown, error) {
	id := c.pathID()
	w, err := c.s.o.Service.Webhook(c.ctx(), id)
	if refused(err) {
		return shown{}, err
	}
	if err != nil {
		w = api.Webhook{ID: id, CountsUnknown: true}
	}
	st, _ := c.status() // without it only why it stands as it does is not known
	m := webhookModel{Webhook: w, ID: term.Clean(w.ID), Heading: view.HostPath(w.URL), State: view.WebhookState(w.Status), Failed: c.r.URL.Query().Get("failed") != ""}
	for _, a := range c.alarms(st) {
		if a.ID == w.ID && m.Why == "" {
			m.Why, m.WhyDo, m.Since = a.Text, a.Command, a.Since
		}
	}
	if err != nil {
		m.HookErr, m.Heading, m.State = c.said(err), m.ID, view.Unknown()
	}
	m.Summary, m.Next = hookSummary(w), c.clock.Stamp(w.NextTryAt)
	m.Backlog = w.Status == api.WebhookPaused && w.Pending > 0
	m.Rotating = c.clock.Stamp(w.RotationUntil)
	act, err := c.s.o.Service.WebhookActivity(c.ctx(), w.ID)
	if err != nil {
		m.ActErr = c.said(err)
	}
	m.Plots, m.Known = c.hoursOf(act, w), c.clock.Stamp(act.Since)
	schedule := max(len(w.Schedule), 1)
	for _, a := range act.Attempts {
		if !m.Failed || a.Outcome != "delivered" {
			m.Attempts = append(m.Attempts, c.attemptRow(w.ID, a, schedule))
		}
	}
	m.Attempts = m.Attempts[:min(len(m.Attempts), shownAttempts)]
	if groups, err := c.summary(api.DeadLetterFilter{Webhook: w.ID}, w.Dead); err != nil {
		m.GroupErr = c.said(err)
	} else {
		m.Groups = c.groupRows(groups, st)
	}
	m.Settings, m.Query = c.settings(w), view.Query(w.URL)
	m.Change = c.s.o.Command("webhook", "add", term.Quote(w.ID), "--event", "message.received")
	m.Verify = c.s.o.Command("webhook", "show", term.Quote(w.ID), "--verify", "node")
	if !w.Signed {
		m.Verify = c.givesSecret(w)
	}
	m.Replays = c.replayRows(w.ID)
	return shown{Title: m.Heading, Model: m}, nil
}

// givesSecret is the command that gives a webhook without a secret one.
func (c *call) givesSecret(w api.Webhook) string {
	return c.s.o.Command("webhook", "add", term.Quote(w.ID), "--generate-secret")
}

// shownAttempts is how many of the last attempts a page shows.
const shownAttempts = 100

func hookSummary(w api.Webhook) string {
	if w.CountsUnknown {
		return "what waits cannot be counted now"
	}
	waits := "nothing waits"
	if w.Pending > 0 {
		waits = term.Plural(w.Pending, "event waits", "events wait") + ", the oldest for " + view.Age(time.Duration(w.OldestPendingSeconds)*time.Second)
	}
	dead := "no dead letters"
	if w.Dead > 0 {
		dead = term.Plural(w.Dead, "dead letter", "dead letters")
	}
	return waits + ", " + dead
}

func (c *call) attemptRow(id string, a api.RecentAttempt, schedule int) attemptRow {
	r := attemptRow{
		At: c.clock.StampMilli(a.At), Event: view.Line(a.Event), Seq: a.Sequence, N: strconv.Itoa(a.Attempt), Took: view.Took(a.Ms), Class: view.AttemptState(a.Outcome),
		Result: view.Attempt(a), Message: c.answer(a.Message), Answer: c.answer(a.Response),
	}
	if a.Attempt <= schedule { // else it had another one then
		r.N += " of " + strconv.Itoa(schedule)
	}
	if a.Outcome == "delivered" || r.Message == r.Result {
		r.Message = ""
	}
	if a.Outcome == "dead" {
		r.Letter = letterID(id, a.Sequence)
	}
	return r
}

func letterID(webhook string, seq uint64) string {
	return "dl_" + webhook + "_" + uintText(seq)
}

// hoursOf draws the last hour of one webhook: what was delivered, and what waited.
func (c *call) hoursOf(act api.WebhookActivity, w api.Webhook) []view.Plot {
	minutes := lastMinutes(c.clock.Now)
	delivered, failed, waiting := make([]int64, 60), make([]int64, 60), make([]int64, 60)
	known := int64(0)
	for _, m := range act.Minutes {
		i := minuteIndex(minutes, m.At)
		if i < 0 {
			continue
		}
		delivered[i], failed[i] = m.Delivered, m.Failed
		if m.Waiting != nil {
			known = *m.Waiting
		}
		waiting[i] = known
	}
	waiting[59] = w.Pending
	now := term.Count(w.Pending)
	if w.Pending > 0 {
		now += ", oldest " + view.Age(time.Duration(w.OldestPendingSeconds)*time.Second)
	}
	done := view.DrawPlot(c.clock, minutes, act.Since, view.Series{Name: "Delivered", Form: "area", Values: delivered}, view.Series{Name: "Failed attempts", Form: "bars", Values: failed})
	lag := view.DrawPlot(c.clock, minutes, act.Since, view.Series{Name: "Waiting", Form: "area", Values: waiting, Sum: now})
	done.Low, lag.Low, lag.Tens = true, true, nil
	return []view.Plot{done, lag}
}

// settings are those of a webhook in words; neither its secret nor the values of its headers.
func (c *call) settings(w api.Webhook) []setting {
	yes := map[bool]string{true: "yes", false: "no"}
	chats := "all, of every kind"
	if len(w.Chats)+len(w.NotChats)+len(w.Kinds) > 0 {
		parts := []string{}
		for _, p := range []struct {
			word string
			of   []string
		}{{"only", w.Chats}, {"without", w.NotChats}, {"of kind", w.Kinds}} {
			if len(p.of) > 0 {
				parts = append(parts, p.word+" "+c.chatNames(p.of))
			}
		}
		chats = c.text(strings.Join(parts, "; "))
	}
	events := strings.Join(w.Events, ", ")
	if events == "*" {
		events = "all"
	}
	out := []setting{{"Events", events}, {"Chats", chats}, {"Signed", yes[w.Signed]}}
	if l := w.Lease; l != nil {
		end := "never, unless it is removed"
		if !l.Ends.IsZero() {
			end = c.clock.Day(l.Ends).Text + ", unless its client renews it"
		}
		out = append(out, setting{"Subscribed by", cmp.Or(l.Client, "an MCP client") + " (" + l.Principal + ")"}, setting{"Ends", end}, setting{"Known as", l.Subscription},
			setting{"Texts of messages", map[bool]string{true: "their beginning is sent", false: "are not sent"}[l.Preview]})
	}
	if len(w.Headers) > 0 {
		out = append(out, setting{"Own headers", strings.Join(w.Headers, ", ") + "; values are not shown"})
	}
	for _, ca := range w.CA {
		out = append(out, setting{"Own authority", ca.Subject + ", until " + c.clock.Day(ca.NotAfter).Text})
	}
	order := "per chat"
	if !w.Ordered {
		order = "none"
	}
	rate := "no limit"
	if w.MaxRate > 0 {
		rate = "at most " + floatText(w.MaxRate) + " per second"
	}
	hold := "never"
	if w.HoldAfter > 0 {
		hold = term.Plural(int64(w.HoldAfter), "dead letter in a row", "dead letters in a row")
	}
	out = append(out, setting{"Order", order}, setting{"Attempts", attemptsText(w.Schedule)}, setting{"Rate", rate}, setting{"Failing after", hold},
		setting{"After an outage", map[bool]string{true: "its dead letters are replayed", false: "its dead letters stay"}[w.Redrive]},
		setting{"Added", c.clock.Day(w.CreatedAt).Text}, setting{"Changed", c.clock.Day(w.UpdatedAt).Text})
	for i := range out {
		out[i].Value = term.Clean(out[i].Value)
	}
	return out
}

func attemptsText(schedule []string) string {
	if len(schedule) <= 1 {
		return "1, ends after 10 s"
	}
	return uintText(uint64(len(schedule))) + ": at once, after " + strings.Join(schedule[1:], ", ") + "; each ends after 10 s"
}

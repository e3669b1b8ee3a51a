package page

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// deadLetters: what was not accepted.
type deadLetters struct {
	Heading  string
	Lead     string
	Replays  []replayRow
	Groups   []groupRow
	GroupErr string
	Letters  []letterRow
	ListErr  string // why the list cannot be read
	Matching int64  // how many the filter selects
	Total    int64
	Sorted   bool  // the newest first
	First    int64 // number of the first that is shown
	Older    template.URL
	Newest   template.URL // back to the first page
	Filter   string       // what is selected, in words; "" without a filter
	Query    template.URL // the filter as a query, for the forms
	Fields   []field
	Webhooks []option
	Reasons  []option
	Events   []option
	Since    []option
	Q        string
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

// groupRow is webhook × reason.
type groupRow struct {
	Webhook, URL string
	Name         string
	State        view.State
	Reason       string // as filters take it
	Text, Hint   string
	Count        int64
	First, Last  view.Time
	Removed      bool
	Gone         bool // cannot be replayed: the bodies are gone
	Running      bool // a replay of the webhook runs
	Add          string
	Query        template.URL // of its filter
}

// groups are the summaries that were made last, by what they select: a page that is looked at asks
// every second, and reads no letter while there are as many as before. Safe for concurrent use.
type groups struct {
	mu   sync.Mutex
	made map[string]madeGroups
}

type madeGroups struct {
	all  []api.DeadLetterGroup
	dead int64
	at   time.Time
}

// groupsLife is how long a summary is used again while the number of dead letters does not change:
// as many may come as go.
const groupsLife = 10 * time.Second

// maxGroups bounds the summaries that are kept.
const maxGroups = 32

// summary returns the reasons of what f selects, for a stream those of a moment ago. dead is how
// many letters there are now.
func (c *call) summary(f api.DeadLetterFilter, dead int64) ([]api.DeadLetterGroup, error) {
	if !f.Since.IsZero() {
		f.Since = f.Since.Truncate(time.Minute)
	}
	key, k := fmt.Sprintf("%+v", f), &c.s.groups
	k.mu.Lock()
	made, known := k.made[key]
	k.mu.Unlock()
	if c.streaming && known && made.dead == dead && c.clock.Now.Sub(made.at) < groupsLife {
		return made.all, nil
	}
	all, err := c.s.o.Service.DeadLetterSummary(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made == nil || len(k.made) >= maxGroups {
		k.made = map[string]madeGroups{}
	}
	k.made[key] = madeGroups{all, dead, c.clock.Now}
	return all, nil
}

// letterRow is one dead letter.
type letterRow struct {
	ID, Event    string
	Who          view.Message
	Text         string
	Attempts     int64
	Died         view.Time
	Name, Title  string
	Webhook      string
	Unreplayable string
	Count        int64
}

// lettersShown is how many dead letters a page shows.
const lettersShown = 50

func (c *call) deadLetters() (shown, error) {
	st, err := c.status()
	if err != nil {
		return shown{}, err
	}
	m := deadLetters{Total: st.Dead, Q: c.input("q")}
	f, err := c.letterFilter()
	if err != nil {
		c.found = &notice{State: view.State{Class: "warn", Word: "The filter was not understood"}, Text: err.Error()}
		f = api.DeadLetterFilter{}
	}
	m.Heading = term.Plural(st.Dead, "dead letter", "dead letters")
	m.Lead = c.deadLead(st)
	m.Replays = c.replayRows("")
	all, err := c.summary(api.DeadLetterFilter{}, st.Dead)
	if err != nil {
		m.GroupErr = err.Error()
	}
	groups := all
	if c.narrows(f) && len(f.IDs) == 0 && err == nil {
		if groups, err = c.summary(f, st.Dead); err != nil {
			m.GroupErr = err.Error()
		}
	}
	m.Groups = c.groupRows(groups, st)
	m.choices(c, all, st)
	if c.streaming { // the list changes only when it is asked for
		return shown{Title: m.Heading, Model: m}, nil
	}
	if err := c.listLetters(&m, f, st); err != nil {
		if api.CodeOf(err) != api.CodeInternal {
			return shown{}, err
		}
		m.ListErr = err.Error()
	}
	return shown{Title: m.Heading, Model: m}, nil
}

// narrows reports whether a filter leaves anything out.
func (c *call) narrows(f api.DeadLetterFilter) bool { return f.Narrows() || len(f.IDs) > 0 }

// sortedLetters is up to how many dead letters are listed by the time they died, the newest first.
// More of them are listed as they are stored, by webhook and the oldest first.
const sortedLetters = 2000

// newestLetters lists dead letters from the skipped ones on by the time they died; false where
// there are too many for that.
func (c *call) newestLetters(f api.DeadLetterFilter, skip int) (page api.DeadLetterPage, sorted bool, err error) {
	var all []api.DeadLetter
	for q := (api.DeadLetterQuery{DeadLetterFilter: f, Limit: 256}); ; {
		list, err := c.s.o.Service.DeadLetters(c.ctx(), q)
		if err != nil || list.Total > sortedLetters {
			return page, false, err
		}
		page.Total, all = list.Total, append(all, list.Items...)
		if q.Cursor = list.NextCursor; q.Cursor == "" || len(all) > sortedLetters {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b api.DeadLetter) int { return b.FailedAt.Compare(a.FailedAt) })
	all = all[min(skip, len(all)):]
	page.Items = all[:min(len(all), lettersShown)]
	if len(all) > lettersShown {
		page.NextCursor = strconv.Itoa(skip + lettersShown)
	}
	return page, true, nil
}

// letterPage takes the page of the list that is asked for.
func (c *call) letterPage(f api.DeadLetterFilter, cursor string) (page api.DeadLetterPage, sorted bool, err error) {
	if skip, err := strconv.Atoi(cursor); cursor == "" || err == nil && skip > 0 {
		if page, sorted, err := c.newestLetters(f, skip); err != nil || sorted {
			return page, sorted, err
		}
		cursor = ""
	}
	page, err = c.s.o.Service.DeadLetters(c.ctx(), api.DeadLetterQuery{DeadLetterFilter: f, Limit: lettersShown, Cursor: cursor})
	return page, false, err
}

// listLetters lists the page that is asked for.
func (c *call) listLetters(m *deadLetters, f api.DeadLetterFilter, st api.Status) error {
	cursor := c.input("cursor")
	list, sorted, err := c.letterPage(f, cursor)
	if err != nil {
		return err
	}
	m.Matching, m.Sorted = list.Total, sorted
	names := view.Names(st.Webhooks)
	for _, l := range list.Items {
		m.Letters = append(m.Letters, c.letterRow(l, names))
	}
	q := c.filterQuery()
	m.Query = queryOf(q)
	for name, values := range q {
		m.Fields = append(m.Fields, field{name, values[0]})
	}
	slices.SortFunc(m.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	if c.narrows(f) {
		m.Filter = c.filterWords(f)
	}
	if list.NextCursor != "" {
		older := c.filterQuery()
		older.Set("cursor", list.NextCursor)
		m.Older = queryOf(older)
	}
	if cursor != "" {
		m.Newest = m.Query
	}
	return nil
}

func (c *call) deadLead(st api.Status) string {
	lead := "What a webhook did not accept in its attempts, kept with body, attempts and answers."
	act := c.activity(st.Webhooks)
	names, whose, n := view.Names(st.Webhooks), []string{}, int64(0)
	for _, w := range st.Webhooks {
		if d := min(died(map[string]api.WebhookActivity{w.ID: act[w.ID]}), w.Dead); d > 0 {
			n += d
			whose = append(whose, names[w.ID])
		}
	}
	if n == 0 {
		return lead + " None is new in the last hour."
	}
	return lead + " " + term.Count(n) + map[bool]string{true: " is", false: " are"}[n == 1] + " new in the last hour, of " + strings.Join(whose[:min(len(whose), 3)], ", ") + "."
}

// letterFilter is what the query selects.
func (c *call) letterFilter() (api.DeadLetterFilter, error) {
	f := api.DeadLetterFilter{Webhook: c.input("url"), Reason: c.input("reason"), Event: c.input("event"), Since: c.since(c.input("since"))}
	if until := c.input("until"); until != "" {
		t, err := time.Parse(time.RFC3339Nano, until)
		if err != nil {
			return f, api.Errorf(api.CodeInvalidArguments, "until %q is no time", until)
		}
		f.Until = t
	}
	switch q := c.input("q"); {
	case strings.HasPrefix(q, "dl_"):
		return api.DeadLetterFilter{IDs: []string{q}}, nil
	case strings.HasPrefix(q, "evt_"):
		ev, err := c.s.o.Service.Event(c.ctx(), q)
		if err != nil {
			return f, err
		}
		f = api.DeadLetterFilter{}
		for _, d := range ev.Deliveries {
			if d.DeadLetter != "" {
				f.IDs = append(f.IDs, d.DeadLetter)
			}
		}
		if len(f.IDs) == 0 {
			return f, api.Errorf(api.CodeNotFound, "%s is dead for no webhook", q)
		}
		return f, nil
	default:
		f.Chat = q
	}
	return f, nil
}

// filterNames are the fields of the filter.
func filterNames() []string { return []string{"url", "reason", "event", "since", "q"} }

func (c *call) filterQuery() url.Values {
	q := url.Values{}
	for _, name := range filterNames() {
		if v := c.input(name); v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// filterWords says what is selected.
func (c *call) filterWords(f api.DeadLetterFilter) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if f.Webhook != "" {
		add(c.hookName(f.Webhook))
	}
	if f.Reason != "" {
		add(view.Reason(f.Reason))
	}
	add(view.Line(f.Event))
	add(c.text(view.Line(f.Chat)))
	add(map[string]string{"1h": "in the last hour", "today": "today"}[c.input("since")])
	if n := len(f.IDs); n > 0 {
		add(view.Line(c.input("q")))
	}
	return strings.Join(parts, ", ")
}

// hookName is the short name of a webhook, or its id.
func (c *call) hookName(id string) string {
	if name := c.names()[id]; name != "" {
		return name
	}
	return view.Line(id)
}

func (m *deadLetters) choices(c *call, groups []api.DeadLetterGroup, st api.Status) {
	names := view.Names(st.Webhooks)
	hooks, reasons := [][2]string{{"", "All"}}, [][2]string{{"", "Any"}}
	seenHook, seenReason := map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		if !seenHook[g.Webhook] {
			seenHook[g.Webhook] = true
			text := names[g.Webhook]
			if text == "" {
				text = view.ShortName(g.URL)
			}
			if text += " · " + term.Clean(g.Webhook); g.Removed {
				text += " (removed)"
			}
			hooks = append(hooks, [2]string{g.Webhook, text})
		}
		if !seenReason[g.Reason] {
			seenReason[g.Reason] = true
			reasons = append(reasons, [2]string{g.Reason, view.Reason(g.Reason)})
		}
	}
	m.Webhooks, m.Reasons, m.Events = options(c.input("url"), hooks...), options(c.input("reason"), reasons...), c.eventOptions("Any")
	m.Since = options(c.input("since"), [2]string{"", "At any time"}, [2]string{"1h", "In the last hour"}, [2]string{"today", "Today"})
}

// groupRows are the reasons, the most recent first.
func (c *call) groupRows(groups []api.DeadLetterGroup, st api.Status) []groupRow {
	states := map[string]view.State{}
	for _, w := range st.Webhooks {
		states[w.ID] = view.WebhookState(w.Status)
	}
	running := map[string]bool{}
	for _, r := range st.Replays {
		running[r.Webhook] = r.State == api.ReplayRunning
	}
	names, out := view.Names(st.Webhooks), []groupRow{}
	groups = slices.Clone(groups)
	slices.SortStableFunc(groups, func(a, b api.DeadLetterGroup) int { return b.Last.Compare(a.Last) })
	for _, g := range groups {
		r := groupRow{
			Webhook: g.Webhook, URL: g.URL, Name: names[g.Webhook], State: states[g.Webhook], Reason: g.Reason, Text: view.Reason(g.Reason), Hint: view.Hint(g.Reason, g.URL), Count: g.Count,
			First: c.clock.Ago(g.First), Last: c.clock.Ago(g.Last), Removed: g.Removed, Gone: !api.Replayable(g.Reason), Running: running[g.Webhook],
			Query: queryOf(url.Values{"url": {g.Webhook}, "reason": {g.Reason}}),
		}
		if r.Name == "" {
			r.Name = view.ShortName(g.URL)
		}
		if g.Removed {
			r.State, r.Add = view.Removed(), c.s.o.Command("webhook", "add", term.Quote(g.Webhook))
		}
		out = append(out, r)
	}
	return out
}

func (c *call) letterRow(l api.DeadLetter, names map[string]string) letterRow {
	r := letterRow{
		ID: term.Clean(l.ID), Event: view.Line(l.Event), Text: view.LastError(l.LastError), Attempts: int64(l.Attempts), Died: c.clock.Ago(l.FailedAt),
		Name: names[l.Webhook], Title: view.AddressOf(l.URL).Title(), Webhook: term.Clean(l.Webhook), Unreplayable: l.Unreplayable, Count: l.Count,
	}
	if r.Name == "" {
		r.Name = view.ShortName(l.URL)
	}
	if l.Count > 0 {
		r.Event, r.Who.Kind = term.Plural(l.Count, "event", "events"), ""
		return r
	}
	ev := api.Event{Event: l.Event, Chat: l.Chat}
	if _, seq, ok := cutLast(l.ID, '_'); ok {
		ev = c.eventAt(seq, ev)
	}
	r.Who = c.describe(ev)
	return r
}

// eventAt returns the event of a sequence with its body, or what is known of it already.
func (c *call) eventAt(seq string, known api.Event) api.Event {
	n := parseUint(seq)
	if n == 0 {
		return known
	}
	page, err := c.s.o.Service.Events(c.ctx(), api.EventQuery{From: n, Limit: 1, Bodies: true})
	if err != nil || len(page.Items) == 0 || page.Items[0].Sequence != n {
		return known
	}
	return page.Items[0]
}

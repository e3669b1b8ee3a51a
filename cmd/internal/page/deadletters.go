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
	Heading string
	Lead    string
	Replays []replayRow
	// one that is under way; nil is none
	Searching *searching
	Stopped   string       // how far one was that somebody stopped
	SearchOn  template.URL // the query that goes on with it
	Groups    []groupRow
	GroupErr  string
	Letters   []letterRow
	ListErr   string // why the list cannot be read
	Matching  string // how many the filter selects now; "" that is not known
	Total     int64
	Sorted    bool // the newest first
	Older     template.URL
	Newest    template.URL // back to the first page
	Filter    string       // what is selected, in words; "" without a filter
	Query     template.URL // the filter as a query, for the forms
	Command   string       // that lists the same
	Webhooks  []option
	Reasons   []option
	Events    []option
	Since     []option
	Q         string
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
	key, k := groupsKey(f), &c.s.groups
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
	c.keep(f, all, dead)
	return all, nil
}

// keep keeps a summary for the streams.
func (c *call) keep(f api.DeadLetterFilter, all []api.DeadLetterGroup, dead int64) {
	k := &c.s.groups
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made == nil || len(k.made) >= maxGroups {
		k.made = map[string]madeGroups{}
	}
	k.made[groupsKey(f)] = madeGroups{all, dead, c.clock.Now}
}

// groupsKey is what a summary is kept under: that of a time for the whole of its minute.
func groupsKey(f api.DeadLetterFilter) string {
	f.Since = f.Since.Truncate(time.Minute)
	return fmt.Sprintf("%+v", f)
}

// letterRow is one dead letter.
type letterRow struct {
	ID, Event   string
	Who         sender
	Text        string
	Attempts    int64
	Died        view.Time
	Name, Title string
	Webhook     string
	Count       int64
}

// lettersShown is how many dead letters a page shows.
const lettersShown = 25

// PerPage is how many of its dead letters one page of the list shows.
func (deadLetters) PerPage() int { return lettersShown }

func (c *call) deadLetters() (shown, error) {
	st, known := c.status()
	m := deadLetters{Q: c.input("q"), Query: queryOf(c.filterQuery()), Heading: "Dead letters"}
	f, err := c.letterFilter()
	if err != nil {
		f = m.all(c, err)
	}
	m.Replays = c.replayRows("")
	all, err := c.summary(api.DeadLetterFilter{}, st.Dead)
	switch {
	case err != nil:
		m.GroupErr = c.said(err)
	case !known:
		st.Dead = countOf(all)
	}
	if m.Total = st.Dead; known || err == nil {
		m.Heading = term.Plural(m.Total, "dead letter", "dead letters")
	}
	m.Lead = c.deadLead(st, all, err)
	groups, found := all, (*lettersFound)(nil)
	if c.narrows(f) && len(f.IDs) == 0 && err == nil {
		groups, found, err = c.narrowed(&m, f, all, st.Dead)
		if refused(err) {
			f, groups, err = m.all(c, err), all, nil
		} else if err != nil {
			m.GroupErr = c.said(err)
		}
	}
	m.Groups = c.groupRows(groups, st)
	m.choices(c, all, st)
	n, err := c.matching(f, groups)
	if err != nil || m.GroupErr != "" {
		n = sortedLetters + 1 // so many, for all that is known
	}
	if whole := found == nil || found.whole; err == nil && m.GroupErr == "" && whole {
		m.Matching = term.Count(n)
	}
	if c.narrows(f) {
		m.Filter = c.filterWords(f)
	}
	if c.streaming { // the list changes only when it is asked for
		return shown{Title: m.Heading, Model: m}, nil
	}
	if err := c.listLetters(&m, f, st, n, found); err != nil {
		m.ListErr = c.said(err)
	}
	return shown{Title: m.Heading, Model: m}, nil
}

// all has the page show all dead letters, and why the filter is not applied. It returns the filter
// that does so.
func (m *deadLetters) all(c *call, why error) api.DeadLetterFilter {
	c.found, m.Query = c.notUnderstood(why), ""
	return api.DeadLetterFilter{}
}

// matching counts what f selects, of which groups is the summary unless f names them one by one.
func (c *call) matching(f api.DeadLetterFilter, groups []api.DeadLetterGroup) (n int64, err error) {
	if len(f.IDs) > 0 {
		page, err := c.s.o.Service.DeadLetters(c.ctx(), api.DeadLetterQuery{DeadLetterFilter: f, Limit: 1})
		return page.Total, err
	}
	return countOf(groups), nil
}

// countOf is how many dead letters groups are of.
func countOf(groups []api.DeadLetterGroup) (n int64) {
	for _, g := range groups {
		n += g.Count
	}
	return n
}

// narrows reports whether a filter leaves anything out.
func (c *call) narrows(f api.DeadLetterFilter) bool { return f.Narrows() || len(f.IDs) > 0 }

// sortedLetters is up to how many dead letters are listed by the time they died, the newest first.
// More of them are listed as they are stored, by webhook and the oldest first.
const sortedLetters = 2000

// letterPage takes the page of the list that is asked for, of n letters; sorted tells that they are
// listed by the time they died. found is what a search has, nil where none was made.
func (c *call) letterPage(f api.DeadLetterFilter, n int64, found *lettersFound) (page api.DeadLetterPage, sorted bool, err error) {
	cursor := c.input("cursor")
	skip, err := strconv.Atoi(cursor)
	if n > sortedLetters || cursor != "" && (err != nil || skip < 1) {
		page, err = c.s.o.Service.DeadLetters(c.ctx(), api.DeadLetterQuery{DeadLetterFilter: f, Limit: lettersShown, Cursor: cursor, SkipTotal: true})
		return page, false, err
	}
	var all []api.DeadLetter
	if found != nil {
		all = slices.Clone(found.letters)
	} else if all, err = c.allLetters(f); err != nil {
		return page, false, err
	}
	slices.SortStableFunc(all, func(a, b api.DeadLetter) int { return b.FailedAt.Compare(a.FailedAt) })
	all = all[min(skip, len(all)):]
	page.Items = all[:min(len(all), lettersShown)]
	if len(all) > lettersShown {
		page.NextCursor = strconv.Itoa(skip + lettersShown)
	}
	return page, true, nil
}

// allLetters reads what f selects, which is known not to be too much.
func (c *call) allLetters(f api.DeadLetterFilter) (all []api.DeadLetter, err error) {
	for q := (api.DeadLetterQuery{DeadLetterFilter: f, Limit: 256, SkipTotal: true}); ; {
		list, err := c.s.o.Service.DeadLetters(c.ctx(), q)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if q.Cursor = list.NextCursor; q.Cursor == "" || len(all) > sortedLetters {
			return all, nil
		}
	}
}

// listLetters lists the page that is asked for.
func (c *call) listLetters(m *deadLetters, f api.DeadLetterFilter, st api.Status, n int64, found *lettersFound) error {
	list, sorted, err := c.letterPage(f, n, found)
	if err != nil {
		return err
	}
	m.Sorted = sorted
	if len(f.IDs) == 0 {
		m.Command = c.lists("deadletter", filterFlags(f))
	}
	names := view.Names(st.Webhooks)
	for _, l := range list.Items {
		m.Letters = append(m.Letters, c.letterRow(l, names))
	}
	if list.NextCursor != "" {
		older := c.filterQuery()
		older.Set("cursor", list.NextCursor)
		m.Older = queryOf(older)
	}
	if c.input("cursor") != "" {
		m.Newest = m.Query
	}
	return nil
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
	hooks, removed, reasons := [][2]string{{"", "All, removed ones too"}}, [][2]string(nil), [][2]string{{"", "Any"}}
	seenHook, seenReason := map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		if !seenHook[g.Webhook] {
			seenHook[g.Webhook] = true
			text := names[g.Webhook]
			if text == "" {
				text = view.ShortName(g.URL)
			}
			one := [2]string{g.Webhook, text + " · " + term.Clean(g.Webhook)}
			if g.Removed {
				removed = append(removed, one)
			} else {
				hooks = append(hooks, one)
			}
		}
		if !seenReason[g.Reason] {
			seenReason[g.Reason] = true
			reasons = append(reasons, [2]string{g.Reason, view.Reason(g.Reason)})
		}
	}
	m.Webhooks = options(c.input("url"), append(hooks, removed...)...)
	if len(removed) > 0 {
		m.Webhooks[len(hooks)].Group = "Removed"
	}
	m.Reasons, m.Events = options(c.input("reason"), reasons...), c.eventOptions("Any")
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
		Name: names[l.Webhook], Title: view.AddressOf(l.URL).Title(), Webhook: term.Clean(l.Webhook), Count: l.Count,
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

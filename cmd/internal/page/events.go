package page

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// events: find an event.
type events struct {
	Heading string
	Rows    []eventRow
	ListErr string // why the log cannot be read
	Kept    int64
	Known   bool  // Kept and Looked are known
	Looked  int64 // at how many events the search looked, those of the pages before among them
	// one that is under way; nil is none
	Searching *searching
	Filter    bool
	Words     string       // what is looked for
	Command   string       // that lists the same, but for a text and where it stands
	Older     template.URL // the query of what comes after; "" nothing does
	Newest    template.URL
	Query     template.URL
	Replay    template.URL // the query of the form that sends what was found again; "" none
	Found     int
	Replays   []replayRow
	Events    []option
	Outcomes  []option
	Chat      string
	From, To  string
	Q         string
}

// eventRow is one event of a list.
type eventRow struct {
	ID    string
	Seq   uint64
	At    view.Time
	Event string
	Who   sender
	Ways  []way
	Hooks []string // ids of the webhooks that Ways are of
	Final bool     // nothing of it changes any more
}

// way is where an event stands for one webhook; or, with Names, for several that wait alike.
type way struct {
	State  view.State
	Title  string
	Letter string
}

// The search looks at the log until it has so many.
const (
	eventsShown  = 25
	searchLength = 256
)

// eventSearch is what is looked for.
type eventSearch struct {
	filter  api.EventFilter
	text    string
	outcome string
}

func (c *call) eventSearch() (eventSearch, error) {
	s := eventSearch{text: c.input("q"), outcome: c.input("outcome")}
	s.filter = api.EventFilter{Event: c.input("event"), Chat: c.input("chat")}
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{"from", &s.filter.Since}, {"to", &s.filter.Until}} {
		text := c.input(f.name)
		if text == "" {
			continue
		}
		t, err := time.ParseInLocation("2006-01-02T15:04", text, c.zoneOf(f.name))
		if err != nil {
			return s, api.Errorf(api.CodeInvalidArguments, "%s: %q is no time", f.name, text)
		}
		*f.to = t
	}
	return s, nil
}

// zoneOf is the zone of a time that was typed: the browser's, which shows all times, where its
// script says it in minutes, else this machine's.
func (c *call) zoneOf(field string) *time.Location {
	minutes, err := strconv.Atoi(c.input(field + zoneSuffix))
	if err != nil || minutes < -24*60 || minutes > 24*60 {
		return c.clock.Zone
	}
	return time.FixedZone("", minutes*60)
}

// zoneSuffix follows the name of a field in the name of the one that says its zone.
const zoneSuffix = "_zone"

func (s eventSearch) narrows() bool {
	return s.text != "" || s.outcome != "" || s.filter.Event != "" || s.filter.Chat != "" || !s.filter.Since.IsZero() || !s.filter.Until.IsZero()
}

func (c *call) events() (shown, error) {
	st, known := c.status()
	m := events{
		Kept: st.Events, Known: known, Chat: c.input("chat"), From: c.input("from"), To: c.input("to"), Q: c.input("q"), Events: c.eventOptions("Any"), Replays: c.replayRows(""),
		Outcomes: options(c.input("outcome"), [2]string{"", "Any"}, [2]string{"delivered", "Delivered everywhere"}, [2]string{"waiting", "Waiting somewhere"}, [2]string{"dead", "Dead somewhere"}, [2]string{"nobody", "Owed to nobody"}),
	}
	m.Words = c.words(chosen{"chat", "", nil}, chosen{"event", "", m.Events}, chosen{"outcome", "", m.Outcomes}, chosen{"from", "from ", nil}, chosen{"to", "to ", nil}, chosen{"q", "", nil})
	key := "events?" + string(m.choose(c))
	if c.streaming {
		m.Searching = c.session.searches.under(key, "events")
		c.under = m.Searching != nil
		return shown{Title: "Events", Model: m}, nil
	}
	want, err := c.eventSearch()
	if err != nil {
		c.found = c.notUnderstood(err)
		want = eventSearch{}
	}
	found, err := c.findEvents(&m, key, want, st)
	m.ListErr = c.unread(err)
	if m.Looked = found.looked(m.Kept); refused(err) {
		m.Looked, found.next = 0, 0
	}
	f := want.filter
	m.Command = c.lists("event", flags(f.Since, f.Until, "--event", f.Event, "--chat", f.Chat))
	names := view.Names(st.Webhooks)
	for _, ev := range found.events {
		m.Rows = append(m.Rows, c.eventRow(ev, names, nil))
	}
	m.Found, m.Filter = len(found.events), want.narrows()
	m.head(found.next)
	if c.input("before") != "" {
		m.Newest = m.Query
	}
	if found.next > 0 {
		m.Older = queryOf(c.eventQuery(found.next))
	}
	if len(found.events) > 0 && len(st.Webhooks) > 0 {
		again := url.Values{}
		for _, ev := range found.events {
			again.Add("id", uintText(ev.Sequence))
		}
		m.Replay = queryOf(again)
	}
	return shown{Title: m.Heading, Model: m}, nil
}

func (m *events) head(next uint64) {
	n := int64(len(m.Rows))
	switch {
	case m.ListErr != "", !m.Filter && !m.Known:
		m.Heading = "Events"
	case !m.Filter:
		m.Heading = term.Plural(m.Kept, "event", "events")
	case next > 0 && n == 0:
		m.Heading = "None found yet"
	default:
		m.Heading = term.Count(n)
		if next > 0 {
			m.Heading += " or more"
		}
		if m.Known {
			m.Heading += " of " + term.Count(m.Kept)
		}
		m.Heading += " events match"
	}
}

// choose takes what is looked for as a query, and returns it with the place in the log.
func (m *events) choose(c *call) template.URL {
	m.Query = queryOf(c.eventQuery(0))
	return queryOf(c.eventQuery(parseUint(c.input("before"))))
}

// eventQuery is what is looked for, from before on; 0 is the newest.
func (c *call) eventQuery(before uint64) url.Values {
	q := url.Values{}
	for _, name := range []string{"chat", "event", "outcome", "from", "from" + zoneSuffix, "to", "to" + zoneSuffix, "q"} {
		if v := c.input(name); v != "" {
			q.Set(name, v)
		}
	}
	if before > 0 {
		q.Set("before", uintText(before))
	}
	return q
}

// eventsFound is what a search has found in the log down to next, which is 0 at its end.
type eventsFound struct {
	events            []api.Event
	next, last, whole uint64
}

// looked is at how many of the kept events it looked: all of those down to whole are kept, and of
// those below it is told as if they were spread evenly.
func (f eventsFound) looked(kept int64) int64 {
	if f.next == 0 {
		return kept
	}
	whole := max(f.whole, 1)
	above := int64(f.last - min(f.last, max(f.next, whole-1)))
	if f.next < whole {
		left := max(0, kept-int64(f.last-whole+1))
		above += int64(float64(left) * (1 - float64(f.next)/float64(whole)))
	}
	return min(above, kept)
}

// findEvents searches, and waits for that no longer than a page may take. What asks for no more
// than the newest is there at once.
func (c *call) findEvents(m *events, key string, want eventSearch, st api.Status) (found eventsFound, err error) {
	before := parseUint(c.input("before"))
	run := func(c *call, report reports) error {
		return c.search(want, before, func(f eventsFound) bool {
			return report(searchSoFar{Looked: f.looked(st.Events), Total: st.Events, Found: int64(len(f.events))}, f)
		})
	}
	if !want.narrows() {
		err = run(c, func(_ searchSoFar, result any) bool { found, _ = result.(eventsFound); return true })
		return found, err
	}
	result, under, err := c.find(key, false, run).now("events")
	c.goesOn(under)
	m.Searching = under
	found, begun := result.(eventsFound)
	if !begun {
		found.next = cmp.Or(before, math.MaxInt64)
	}
	return found, err
}

// search goes back through the log from before on, 0 the newest, and reports after each step, until
// that returns false.
func (c *call) search(want eventSearch, before uint64, report func(eventsFound) bool) error {
	limit := eventsShown
	if want.text != "" || want.outcome != "" {
		limit = searchLength
	}
	var found eventsFound
	q := api.EventQuery{EventFilter: want.filter, From: before, Backward: true, Limit: limit, Bodies: true}
	for {
		page, err := c.s.o.Service.Events(c.ctx(), q)
		if err != nil {
			return err
		}
		found.last, found.whole, found.next = page.Last, page.Whole, page.Next
		if !page.More {
			found.next = 0
		}
		for _, ev := range page.Items {
			fits, err := c.fits(want, ev)
			if err != nil {
				return err
			}
			if fits {
				found.events = append(found.events, ev)
			}
			if len(found.events) == eventsShown && ev.Sequence > 1 {
				found.next = ev.Sequence - 1
				report(found)
				return nil
			}
		}
		if !report(found) || found.next == 0 {
			return nil
		}
		q.From = found.next
	}
}

// fits reports whether an event is one of those looked for, as far as the filter does not say it.
func (c *call) fits(want eventSearch, ev api.Event) (bool, error) {
	if want.text != "" && !strings.Contains(ev.Body, want.text) && !strings.EqualFold(ev.ID, want.text) && ev.Message != want.text &&
		!strings.Contains(strings.ToLower(ev.Body), strings.ToLower(want.text)) {
		return false, nil
	}
	if want.outcome == "" {
		return true, nil
	}
	d, err := c.s.o.Service.Event(c.ctx(), uintText(ev.Sequence))
	if err != nil {
		return false, err
	}
	delivered, waiting, dead := 0, 0, 0
	for _, at := range d.Deliveries {
		switch at.State {
		case api.EventDelivered:
			delivered++
		case api.EventPending:
			waiting++
		case api.EventDead:
			dead++
		}
	}
	switch want.outcome {
	case "delivered":
		return delivered > 0 && waiting+dead == 0, nil
	case "waiting":
		return waiting > 0, nil
	case "dead":
		return dead > 0, nil
	}
	return delivered+waiting+dead == 0, nil
}

// eventRow is an event with where it stands. attempts are the last ones, by webhook and sequence,
// where they are known.
func (c *call) eventRow(ev api.Event, names map[string]string, attempts map[attemptKey]api.RecentAttempt) eventRow {
	r := eventRow{ID: term.Clean(ev.ID), Seq: ev.Sequence, At: c.clock.Stamp(ev.Time), Event: view.Line(ev.Event), Who: c.describe(ev), Final: true}
	d, err := c.s.o.Service.Event(c.ctx(), uintText(ev.Sequence))
	if err != nil {
		r.Ways = []way{{State: view.State{Class: "off", Word: "deliveries cannot be read"}}}
		return r
	}
	var waiting []string
	for _, at := range d.Deliveries {
		if at.State == api.EventNotOwed || at.State == api.EventUnknown {
			continue
		}
		r.Hooks = append(r.Hooks, at.Webhook)
		name := names[at.Webhook]
		if name == "" {
			name = view.ShortName(at.URL)
		}
		if at.State == api.EventPending && at.Attempts == 0 && !at.InFlight {
			waiting, r.Final = append(waiting, name), false
			continue
		}
		one := way{State: view.DeliveryState(at), Title: term.Clean(at.Webhook) + " " + view.AddressOf(at.URL).Title(), Letter: term.Clean(at.DeadLetter)}
		one.State.Word = name + " " + c.wayText(at, ev.Sequence, attempts)
		r.Final = r.Final && at.State != api.EventPending
		r.Ways = append(r.Ways, one)
	}
	if len(waiting) > 0 {
		r.Ways = append(r.Ways, way{State: view.State{Class: "off", Word: "waits for " + strings.Join(waiting, ", ")}})
	}
	if len(r.Ways) == 0 {
		r.Ways = []way{{State: view.State{Class: "off", Word: "owed to no webhook"}}}
	}
	return r
}

// dueAt is when a delivery is tried again: no sooner than its webhook goes on that is held.
func (c *call) dueAt(d api.EventDelivery) time.Time {
	st, _ := c.status() // without it the delivery's own time is all that is known
	for _, w := range st.Webhooks {
		if w.ID == d.Webhook && w.Status == api.WebhookHeld && w.NextTryAt.After(d.Due) {
			return w.NextTryAt
		}
	}
	return d.Due
}

// attemptKey is one delivery.
type attemptKey struct {
	webhook string
	seq     uint64
}

func (c *call) wayText(at api.EventDelivery, seq uint64, attempts map[attemptKey]api.RecentAttempt) string {
	last, known := attempts[attemptKey{at.Webhook, seq}]
	switch at.State {
	case api.EventDead:
		if at.Attempts == 0 {
			return "dead"
		}
		return "dead, " + term.Plural(int64(at.Attempts), "attempt", "attempts")
	case api.EventPending:
		if at.Attempts == 0 {
			return "in flight"
		}
		text := fmt.Sprintf("attempt %d", at.Attempts+1)
		if at.LastError != nil {
			text = view.LastError(*at.LastError) + ", " + text
		}
		if at.InFlight {
			return text + " in flight"
		}
		if wait := c.dueAt(at).Sub(c.clock.Now); wait > 0 {
			text += " in " + view.Age(wait+time.Second)
		}
		return text
	}
	if known && last.Outcome == "delivered" {
		return fmt.Sprintf("%d, %s", last.Status, view.Took(last.Ms))
	}
	return "delivered"
}

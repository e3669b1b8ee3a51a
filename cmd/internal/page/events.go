package page

import (
	"fmt"
	"html/template"
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
	Heading  string
	Rows     []eventRow
	Kept     int64
	Looked   int64 // at how many events the search looked
	Took     string
	Filter   bool
	Words    string
	Older    template.URL // the query of what comes after; "" nothing does
	Newest   template.URL
	Query    template.URL
	Replay   template.URL // the query of the form that sends what was found again; "" there is none
	Found    int
	Replays  []replayRow
	Events   []option
	Outcomes []option
	Chat     string
	From, To string
	Q        string
}

// eventRow is one event of a list.
type eventRow struct {
	ID    string
	Seq   uint64
	At    view.Time
	Event string
	Who   view.Message
	Ways  []way
	Final bool // nothing of it changes any more
}

// way is where an event stands for one webhook; or, with Names, for several that wait alike.
type way struct {
	State  view.State
	Title  string
	Letter string
}

// The search looks at the log until it has so many, or for so long.
const (
	eventsShown  = 50
	searchLimit  = 2 * time.Second
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
	st, err := c.status()
	if err != nil {
		return shown{}, err
	}
	m := events{
		Kept: st.Events, Chat: c.input("chat"), From: c.input("from"), To: c.input("to"), Q: c.input("q"), Events: c.eventOptions("Any"), Replays: c.replayRows(""),
		Outcomes: options(c.input("outcome"), [2]string{"", "Any"}, [2]string{"delivered", "Delivered everywhere"}, [2]string{"waiting", "Waiting somewhere"}, [2]string{"dead", "Dead somewhere"}, [2]string{"nobody", "Owed to nobody"}),
	}
	if c.streaming {
		return shown{Title: "Events", Model: m}, nil
	}
	want, err := c.eventSearch()
	if err != nil {
		c.found = &notice{State: view.State{Class: "warn", Word: "The search was not understood"}, Text: err.Error()}
		want = eventSearch{}
	}
	began := time.Now()
	found, next, looked, err := c.search(want, parseUint(c.input("before")))
	if err != nil {
		if api.CodeOf(err) != api.CodeInvalidArguments && api.CodeOf(err) != api.CodeInvalidEvents {
			return shown{}, err
		}
		c.found = &notice{State: view.State{Class: "warn", Word: "The search was not understood"}, Text: err.Error()}
	}
	m.Looked, m.Took = looked, view.Took(time.Since(began).Milliseconds())
	names := view.Names(st.Webhooks)
	for _, ev := range found {
		m.Rows = append(m.Rows, c.eventRow(ev, names, nil))
	}
	m.Found, m.Filter = len(found), want.narrows()
	m.head(next)
	q := url.Values{}
	for _, name := range []string{"chat", "event", "outcome", "from", "from" + zoneSuffix, "to", "to" + zoneSuffix, "q"} {
		if v := c.input(name); v != "" {
			q.Set(name, v)
		}
	}
	m.Query = queryOf(q)
	if c.input("before") != "" {
		m.Newest = m.Query
	}
	if next > 0 {
		q.Set("before", uintText(next))
		m.Older = queryOf(q)
	}
	if len(found) > 0 && len(st.Webhooks) > 0 {
		again := url.Values{}
		for _, ev := range found {
			again.Add("id", uintText(ev.Sequence))
		}
		m.Replay = queryOf(again)
	}
	return shown{Title: m.Heading, Model: m}, nil
}

func (m *events) head(next uint64) {
	n := int64(len(m.Rows))
	switch {
	case !m.Filter:
		m.Heading = term.Plural(m.Kept, "event", "events")
	case next > 0 && n > 0:
		m.Heading = fmt.Sprintf("%s or more of %s events match", term.Count(n), term.Count(m.Kept))
	case next > 0:
		m.Heading = "None found yet"
	default:
		m.Heading = fmt.Sprintf("%s of %s events match", term.Count(n), term.Count(m.Kept))
	}
}

// search goes back through the log from before on, 0 the newest. next is where it ended, 0 at the
// end of the log.
func (c *call) search(want eventSearch, before uint64) (found []api.Event, next uint64, looked int64, err error) {
	limit := eventsShown
	if want.text != "" || want.outcome != "" {
		limit = searchLength
	}
	q := api.EventQuery{EventFilter: want.filter, From: before, Backward: true, Limit: limit, Bodies: true}
	for until := time.Now().Add(searchLimit); ; {
		page, err := c.s.o.Service.Events(c.ctx(), q)
		if err != nil {
			return found, 0, looked, err
		}
		for _, ev := range page.Items {
			looked++
			fits, err := c.fits(want, ev)
			if err != nil {
				return found, 0, looked, err
			}
			if fits {
				found = append(found, ev)
			}
			if len(found) == eventsShown && ev.Sequence > 1 {
				return found, ev.Sequence - 1, looked, nil
			}
		}
		if page.Next == 0 || !page.More {
			return found, 0, looked, nil
		}
		if q.From = page.Next; time.Now().After(until) {
			return found, q.From, looked, nil
		}
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
		name := names[at.Webhook]
		if name == "" {
			name = view.ShortName(at.URL)
		}
		if at.State == api.EventPending && at.Attempts == 0 && !at.InFlight {
			waiting, r.Final = append(waiting, name), false
			continue
		}
		if at.State == api.EventNotOwed || at.State == api.EventUnknown {
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
		if wait := at.Due.Sub(c.clock.Now); !at.Due.IsZero() && wait > 0 {
			text += " in " + view.Age(wait+time.Second)
		}
		return text
	}
	if known && last.Outcome == "delivered" {
		return fmt.Sprintf("%d, %s", last.Status, view.Took(last.Ms))
	}
	return "delivered"
}

package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

const (
	beatEvery   = 5 * time.Second  // how often a stream says that it is there
	beatWrite   = 10 * time.Second // for a browser to take one message
	replayEvery = time.Second / 2  // how often a page is looked at while a replay runs
	linesAtOnce = 20               // new events in one message; more become one line
	linesOpen   = 40               // events whose deliveries are looked at again
)

// moving is what changes in a part all the time and is counted in the browser.
var moving = regexp.MustCompile(`>[^<]*</time>|value="\d+" data-until`)

// message is one message of a stream.
type message struct {
	ID   string `json:"id,omitempty"`
	HTML string `json:"html,omitempty"`
	Text string `json:"text,omitempty"`
	Icon string `json:"icon,omitempty"`
}

// follow is one stream: the parts of one page, rendered as the page has them, as they change.
type follow struct {
	c    *call
	page page
	out  *http.ResponseController
	back string // the address of the page, which forms lead back to
	// the page was made with names and numbers hidden, while its search was under way
	hidden, searching bool
	seed              maphash.Seed
	sent              map[string]uint64
	title             string
	beat              time.Time
	said              facts
	begun             bool
	unread            bool // the status could not be read

	running, fast bool // a replay runs; the page is looked at as often as that, or a search, needs

	// of the live page: what comes next, what is new to the page, what may still change
	from, first uint64
	followed    bool
	open        map[uint64]api.Event
}

// stream sends what changes on a page until its session, the service or its reader ends.
func (s *Server) stream(c *call) error {
	p, ok := s.pageOf(c.r.URL.Query().Get("of"))
	if !ok || len(p.parts) == 0 {
		return &notFound{"There is no such stream."}
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		http.Error(c.w, "too many open pages", http.StatusServiceUnavailable)
		return nil
	}
	f := &follow{c: c, page: p, hidden: c.r.URL.Query().Get("hidden") != "", searching: c.r.URL.Query().Get("searching") != "", out: http.NewResponseController(c.w), seed: maphash.MakeSeed(), sent: map[string]uint64{}, from: parseUint(c.r.URL.Query().Get("after")) + 1, open: map[uint64]api.Event{}}
	f.back = p.address(c.r.URL.Query())
	f.first, f.followed = f.from, f.from <= 1
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.WriteHeader(http.StatusOK)
	tick, over := time.NewTicker(p.every), time.NewTimer(time.Until(c.session.until))
	defer tick.Stop()
	defer over.Stop()
	for {
		if err := f.look(); err != nil {
			return nil //nolint:nilerr // the reader is gone, and has its page
		}
		if fast := f.running || f.searching; fast != f.fast {
			f.fast = fast
			tick.Reset(map[bool]time.Duration{true: min(p.every, replayEvery), false: p.every}[f.fast])
		}
		select {
		case <-tick.C:
		case <-over.C:
			return f.ended()
		case <-c.session.ended:
			return f.ended()
		case <-s.ctx.Done():
			return nil
		case <-c.ctx().Done():
			return nil
		}
	}
}

// endedMessage tells a browser that its session is over: it is not to ask again.
const endedMessage = "event: ended\ndata: {}\n\n"

func (f *follow) ended() error {
	_ = f.out.SetWriteDeadline(time.Now().Add(beatWrite))
	_, _ = io.WriteString(f.c.w, endedMessage) // a reader that is gone need not know
	return nil
}

// errAnew ends a stream whose page is to be loaded anew.
var errAnew = errors.New("the page is to be loaded anew")

// look makes the page anew and sends what is not as it was. It fails when nobody reads it, when
// what the page shows was hidden, or shown again, in another tab, and when its search has ended:
// lists do not change by themselves.
func (f *follow) look() error {
	now := f.c.again()
	if now.hide != f.hidden {
		return cmp.Or(f.send("anew", message{}), errAnew)
	}
	if now.clock.Now.Sub(f.beat) >= beatEvery {
		f.beat = now.clock.Now
		if err := f.send("beat", message{Text: now.clock.Now.UTC().Format(time.RFC3339Nano)}); err != nil {
			return err
		}
	}
	what, err := f.page.build(now)
	if err != nil {
		return f.once("trouble", message{Text: now.said(err)})
	}
	if f.searching && !now.under { // its end is for a page of its own
		return cmp.Or(f.send("anew", message{}), errAnew)
	}
	d := document{now.frame(what.Title), what.Model}
	d.Frame.Nav, d.Frame.Back = f.page.nav, f.back
	if title := d.Frame.TabTitle(); f.title != title {
		f.title = title
		if err := f.send("title", message{Text: title, Icon: d.Frame.Icon()}); err != nil {
			return err
		}
	}
	for _, part := range append([]string{"now", "deadcount", "statusunread"}, f.page.parts...) {
		if err := f.part(part, d); err != nil {
			return err
		}
	}
	if err := f.say(now); err != nil {
		return err
	}
	if f.page.name == "live" {
		return f.lines(now)
	}
	return nil
}

// part sends a part of the page that is not as it was, made of its model.
func (f *follow) part(name string, model any) error {
	var b bytes.Buffer
	if err := f.c.s.templates[f.page.name].ExecuteTemplate(&b, name, model); err != nil {
		f.c.s.o.Log.Error("a part of a page could not be made", "page", f.page.name, "part", name, "error", err)
		return err
	}
	return f.once("part", message{ID: name, HTML: b.String()})
}

// once sends a message whose content is not that of the last one with its id.
func (f *follow) once(event string, m message) error {
	key := event + m.ID
	sum := maphash.String(f.seed, moving.ReplaceAllString(m.HTML, "")+m.Text)
	if was, sent := f.sent[key]; sent && was == sum {
		return nil
	}
	f.sent[key] = sum
	return f.send(event, m)
}

func (f *follow) send(event string, m message) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_ = f.out.SetWriteDeadline(time.Now().Add(beatWrite))
	if _, err := fmt.Fprintf(f.c.w, "event: %s\ndata: %s\n\n", event, raw); err != nil {
		return err
	}
	return f.out.Flush()
}

// glance is what the tab of a hidden page shows.
type glance struct {
	Alarms string `json:"alarms"` // how many, "" for none
	Icon   string `json:"icon"`
}

// glance serves a tab that nobody looks at, which has no stream: a browser opens only a few at
// once.
func (s *Server) glance(c *call) error {
	f := c.frame("")
	c.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(c.w).Encode(glance{f.Alarmed(), f.Icon()})
}

// again is the same request a moment later, for what changes by itself.
func (c *call) again() *call {
	hide, exact := c.session.choices(c.r)
	return &call{s: c.s, w: c.w, r: c.r, session: c.session, hide: hide, clock: view.Clock{Now: time.Now(), Zone: c.clock.Zone, Exact: exact}, streaming: true}
}

// facts are what is said aloud when it changes.
type facts struct {
	alarms   map[string]string
	quarters map[string]int64
	linked   bool
}

// say tells those who do not see the page what a person must hear: alarms, a replay at each quarter
// and at its end, that the phone is linked.
func (f *follow) say(c *call) error {
	st, known := c.status()
	if f.unread != !known {
		if f.unread = !known; f.unread {
			return f.send("say", message{Text: "The status cannot be read"})
		}
	}
	if !known {
		return nil
	}
	now, was := facts{map[string]string{}, map[string]int64{}, st.Link.Account != ""}, f.said
	var words []string
	for _, a := range c.alarms(st) {
		key := a.Code + a.ID
		if now.alarms[key] = a.Name + " " + a.Title; was.alarms[key] == "" {
			words = append(words, "Alarm: "+now.alarms[key])
		}
	}
	for key, text := range was.alarms {
		if now.alarms[key] == "" {
			words = append(words, "Ended: "+text)
		}
	}
	f.running = false
	for _, r := range c.replayRows("") {
		f.running = f.running || r.Running
		q := 4 * r.Percent / 100
		if before, known := was.quarters[r.ID]; known && r.Running && q > before {
			words = append(words, fmt.Sprintf("%d %% replayed", q*25))
		} else if known && !r.Running && before < 5 {
			words = append(words, r.State.Word)
		}
		if now.quarters[r.ID] = q; !r.Running {
			now.quarters[r.ID] = 5
		}
	}
	if now.linked && !was.linked {
		words = append(words, "Linked")
	}
	f.said = now
	if !f.begun || len(words) == 0 {
		f.begun = true
		return nil
	}
	slices.Sort(words)
	for _, w := range words {
		if err := f.send("say", message{Text: w}); err != nil {
			return err
		}
	}
	return nil
}

// lines sends the events that are new, and those whose deliveries have changed.
func (f *follow) lines(c *call) error {
	st, _ := c.status()
	page, err := c.s.o.Service.Events(c.ctx(), api.EventQuery{EventFilter: c.liveFilter(), From: f.from, Limit: 256, Bodies: true})
	if err := f.part("unreadlog", c.unread(err)); err != nil {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // the page says so
	}
	f.from = max(page.Next, f.from)
	names, attempts := view.Names(st.Webhooks), c.lastAttempts(st)
	if !f.followed {
		if err := f.follows(c); err != nil {
			return nil //nolint:nilerr // as above
		}
	}
	for seq, ev := range f.open {
		row := c.eventRow(ev, names, attempts)
		if err := f.line("part", c, row, rowID(seq)); err != nil {
			return err
		}
		if row.Final {
			delete(f.open, seq)
		}
	}
	items := page.Items
	if n := len(items) - linesAtOnce; n > 0 {
		items = items[n:]
		if err := f.send("more", message{Text: "and " + term.Plural(int64(n), "event more", "events more")}); err != nil {
			return err
		}
	}
	for _, ev := range items {
		row := c.eventRow(ev, names, attempts)
		if !c.liveWants(row) {
			continue
		}
		if err := f.line("line", c, row, rowID(row.Seq)); err != nil {
			return err
		}
		if !row.Final {
			f.open[ev.Sequence] = ev
		}
	}
	for len(f.open) > linesOpen {
		oldest := uint64(0)
		for seq := range f.open {
			if oldest == 0 || seq < oldest {
				oldest = seq
			}
		}
		delete(f.open, oldest)
	}
	return nil
}

// follows takes the events that the page has already, those that a hidden tab missed among them:
// each is sent once, and again when its deliveries change.
func (f *follow) follows(c *call) error {
	page, err := c.s.o.Service.Events(c.ctx(), api.EventQuery{EventFilter: c.liveFilter(), From: f.first - 1, Backward: true, Limit: liveShown, Bodies: true})
	if err != nil {
		return err
	}
	for _, ev := range page.Items {
		if ev.Sequence < f.first {
			f.open[ev.Sequence] = ev
		}
	}
	f.followed = true
	return nil
}

func rowID(seq uint64) string { return "ev-" + uintText(seq) }

// line sends one event as the page shows it.
func (f *follow) line(event string, c *call, row eventRow, id string) error {
	var b bytes.Buffer
	if err := c.s.templates["live"].ExecuteTemplate(&b, "line", row); err != nil {
		return err
	}
	return f.once(event, message{ID: id, HTML: b.String()})
}

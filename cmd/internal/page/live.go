package page

import (
	"slices"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/outbox/api"
)

// live: see it work.
type live struct {
	Rate     int64 // events of the last minute
	Known    bool
	Rows     []eventRow
	ListErr  string // why the log cannot be read
	Events   []option
	Webhooks []option
	Outcomes []option
	Chat     string
	Words    string // what is selected; "" without a filter
	Command  string
}

// liveShown is how many events the page begins with.
const liveShown = 50

func (c *call) live() (shown, error) {
	st, _ := c.status() // without it webhooks are called by their addresses, and cannot be chosen
	names := view.Names(st.Webhooks)
	m := live{Chat: c.input("chat"), Events: c.eventOptions("All"), Command: c.s.o.Command("event", "list", "--follow")}
	hooks := [][2]string{{"", "All"}}
	for _, w := range st.Webhooks {
		hooks = append(hooks, [2]string{w.ID, names[w.ID] + " · " + w.ID})
	}
	m.Webhooks = options(c.input("url"), hooks...)
	m.Outcomes = options(c.input("outcome"), [2]string{"", "Any"}, [2]string{"failure", "Only with a failure"})
	m.Words = c.words(chosen{"event", "", m.Events}, chosen{"url", "", m.Webhooks}, chosen{"chat", "", nil}, chosen{"outcome", "", m.Outcomes})
	if c.s.o.LastMinute != nil {
		m.Rate, m.Known = c.s.o.LastMinute(c.clock.Now), true
	}
	if c.streaming {
		return shown{Title: "Live", Model: m}, nil
	}
	list, err := c.s.o.Service.Events(c.ctx(), api.EventQuery{EventFilter: c.liveFilter(), Backward: true, Limit: liveShown, Bodies: true})
	m.ListErr = c.unread(err)
	c.last = list.Last
	attempts := c.lastAttempts(st)
	for _, ev := range list.Items {
		if row := c.eventRow(ev, names, attempts); c.liveWants(row) {
			m.Rows = append(m.Rows, row)
		}
	}
	return shown{Title: "Live", Model: m}, nil
}

func (c *call) liveFilter() api.EventFilter {
	return api.EventFilter{Event: c.input("event"), Chat: c.input("chat")}
}

// liveWants applies the part of the filter that goes by deliveries.
func (c *call) liveWants(r eventRow) bool {
	if c.input("outcome") == "failure" && !slices.ContainsFunc(r.Ways, func(w way) bool { return w.State.Class == "dead" || w.State.Class == "warn" }) {
		return false
	}
	hook := c.input("url")
	return hook == "" || slices.Contains(r.Hooks, hook)
}

// lastAttempts are the last attempts of every webhook, the newest of each delivery.
func (c *call) lastAttempts(st api.Status) map[attemptKey]api.RecentAttempt {
	out := map[attemptKey]api.RecentAttempt{}
	for id, a := range c.activity(st.Webhooks) {
		for _, one := range a.Attempts {
			key := attemptKey{id, one.Sequence}
			if _, newer := out[key]; !newer {
				out[key] = one
			}
		}
	}
	return out
}

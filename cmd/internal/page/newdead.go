package page

import (
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// newDead is what became dead in the last hour.
type newDead struct {
	n     int64
	whose []string // short names of the webhooks
	// some of removed webhooks may be missing: of these only the first and the last of each reason
	// are known, and of many not even they
	partly bool
}

// Text counts them, for the end of a sentence.
func (d newDead) Text() string {
	text := term.Count(d.n) + " new in the last hour"
	if d.partly {
		text += ", those of removed webhooks not counted"
	}
	return text
}

// newDead counts what became dead in the last hour of webhooks in use, of which act says what
// happened lately, and of removed ones by the summary of all dead letters that groups returns,
// where they have any.
func (c *call) newDead(st api.Status, act map[string]api.WebhookActivity, groups func() ([]api.DeadLetterGroup, error)) (d newDead) {
	names, removed := view.Names(st.Webhooks), st.Dead
	for _, w := range st.Webhooks {
		removed -= w.Dead
		if n := min(died(act[w.ID]), w.Dead); n > 0 {
			d.n += n
			d.whose = append(d.whose, names[w.ID])
		}
	}
	if removed <= 0 {
		return d
	}
	all, err := groups()
	d.partly = err != nil
	since, last := c.clock.Now.Add(-time.Hour), ""
	for _, g := range all {
		switch {
		case !g.Removed || !g.Last.IsZero() && g.Last.Before(since):
		case g.First.IsZero() || g.First.Before(since):
			d.partly = true
		default:
			if d.n += g.Count; g.Webhook != last {
				d.whose = append(d.whose, view.ShortName(g.URL)+" (removed)")
			}
			last = g.Webhook
		}
	}
	return d
}

// died counts the dead letters of the last hour.
func died(act api.WebhookActivity) (n int64) {
	for _, m := range act.Minutes {
		n += m.Dead
	}
	return n
}

// deadLead says of dead letters what they are, and how many are new; all is the summary of them,
// err why there is none.
func (c *call) deadLead(st api.Status, all []api.DeadLetterGroup, err error) string {
	lead := "What a webhook did not accept in its attempts, kept with body, attempts and answers."
	if _, known := c.status(); !known {
		return lead
	}
	d := c.newDead(st, c.activity(st.Webhooks), func() ([]api.DeadLetterGroup, error) { return all, err })
	switch d.n {
	case 0:
		lead += " None is"
	case 1:
		lead += " 1 is"
	default:
		lead += " " + term.Count(d.n) + " are"
	}
	lead += strings.TrimPrefix(d.Text(), term.Count(d.n))
	if d.n > 0 {
		lead += ", of " + strings.Join(d.whose[:min(len(d.whose), 3)], ", ")
	}
	return lead + "."
}

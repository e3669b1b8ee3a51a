package page

import (
	"slices"
	"strconv"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// lettersFound is what a search through dead letters has found so far.
type lettersFound struct {
	groups  []api.DeadLetterGroup
	letters []api.DeadLetter // sortedLetters at most
	looked  int64
	next    string // the cursor of what it has not looked at
	whole   bool   // it looked at all
}

// lettersAtOnce is at how many dead letters a search looks before it tells how far it is.
const lettersAtOnce = 2048

// narrowed returns the reasons of what f selects of all that there are. Of few letters, or by what
// is counted anyway, they are there at once; else they are searched for.
func (c *call) narrowed(m *deadLetters, f api.DeadLetterFilter, all []api.DeadLetterGroup, dead int64) ([]api.DeadLetterGroup, *lettersFound, error) {
	total := int64(0)
	for _, g := range all {
		if f.Webhook == "" || f.Webhook == g.Webhook {
			total += g.Count
		}
	}
	if total <= sortedLetters || f.Event == "" && f.Chat == "" && f.Since.IsZero() {
		groups, err := c.summary(f, dead)
		return groups, nil, err
	}
	key := "deadletters?" + string(m.Query)
	begun, ended := c.session.searches.ended(key).(lettersFound)
	stopped := ended && !begun.whole
	if c.streaming {
		m.Searching = c.session.searches.under(key, "dead letters")
		switch {
		case m.Searching != nil:
			c.under = true
		case stopped: // it is not made behind the back of who stopped it
			return begun.groups, &begun, nil
		default:
			groups, err := c.summary(f, dead)
			return groups, nil, err
		}
	}
	if !stopped || c.input("on") == "" {
		begun = lettersFound{}
	}
	result, under, err := c.find(key, c.input("cursor") != "", func(c *call, report reports) error {
		return c.searchLetters(f, begun, total, report)
	}).now("dead letters")
	c.goesOn(under)
	m.Searching = under
	found, _ := result.(lettersFound)
	switch {
	case err != nil:
	case found.whole:
		c.keep(f, found.groups, dead)
	case under == nil:
		m.Stopped = "Stopped after " + term.Count(found.looked) + " of " + term.Plural(total, "dead letter", "dead letters") + ": there may be more that match."
		on := c.filterQuery()
		on.Set("on", "1")
		m.SearchOn = queryOf(on)
	}
	return found.groups, &found, err
}

// searchLetters looks at every dead letter after those that found is of, and reports after each
// step, until that returns false.
func (c *call) searchLetters(f api.DeadLetterFilter, found lettersFound, total int64, report reports) error {
	far := searchSoFar{Looked: found.looked, Total: total}
	byKey := map[[2]string]*api.DeadLetterGroup{}
	for _, g := range found.groups {
		far.Found += g.Count
		byKey[[2]string{g.Webhook, g.Reason}] = &g
	}
	found.letters = slices.Clip(found.letters) // they are shown
	report(far, found)
	for q := (api.DeadLetterQuery{DeadLetterFilter: f, Limit: 256, SkipTotal: true, Look: lettersAtOnce, Cursor: found.next}); ; {
		page, err := c.s.o.Service.DeadLetters(c.ctx(), q)
		if err != nil {
			return err
		}
		far.Looked = min(far.Looked+page.Looked, total)
		for _, l := range page.Items {
			n := max(l.Count, 1)
			far.Found += n
			key := [2]string{l.Webhook, reasonOf(l)}
			g := byKey[key]
			if g == nil {
				g = &api.DeadLetterGroup{Webhook: l.Webhook, URL: l.URL, Removed: l.Removed, Reason: key[1], First: l.FailedAt, Last: l.FailedAt}
				byKey[key] = g
			}
			g.Count += n
			if l.FailedAt.Before(g.First) {
				g.First = l.FailedAt
			}
			if l.FailedAt.After(g.Last) {
				g.Last = l.FailedAt
			}
			if len(found.letters) < sortedLetters {
				found.letters = append(found.letters, l)
			}
		}
		q.Cursor = page.NextCursor
		found.next, found.whole, found.looked = q.Cursor, q.Cursor == "", far.Looked
		found.groups = nil // the one before is being read
		for _, g := range byKey {
			found.groups = append(found.groups, *g)
		}
		slices.SortFunc(found.groups, func(a, b api.DeadLetterGroup) int { return int(b.Count - a.Count) })
		if !report(far, found) || found.whole {
			return nil
		}
	}
}

// reasonOf is the reason that a dead letter is counted under.
func reasonOf(l api.DeadLetter) string {
	if l.LastError.Status > 0 {
		return strconv.Itoa(l.LastError.Status)
	}
	return l.LastError.Class
}

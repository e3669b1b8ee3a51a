package page

import (
	"context"
	"strings"
	"sync"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/outbox/api"
)

const (
	// groupNamesLife is how long the names of groups are believed, and groupNamesPause the least
	// time between two questions where one is missing: WhatsApp may have to be asked.
	groupNamesLife  = 10 * time.Minute
	groupNamesPause = time.Minute
	// groupNamesWait is how long a page waits for them; what is not known by then has its address.
	groupNamesWait = 50 * time.Millisecond
	// groupNamesLimit bounds one question.
	groupNamesLimit = 20 * time.Second
)

// groupNames are the names of the account's groups by address. Safe for concurrent use.
type groupNames struct {
	mu      sync.Mutex
	known   map[string]string
	asked   time.Time     // when they were asked for last
	asking  chan struct{} // closed when they have come; nil before the first time
	running sync.WaitGroup
}

// of returns the name of a group, "" where it is not known yet.
func (g *groupNames) of(jid string, now time.Time, ask func() ([]api.Group, error)) string {
	if !strings.HasSuffix(jid, "@g.us") {
		return ""
	}
	g.mu.Lock()
	name := g.known[jid]
	age := now.Sub(g.asked)
	if g.asking == nil || age >= groupNamesLife || name == "" && age >= groupNamesPause {
		g.asked, g.asking = now, make(chan struct{})
		returned := g.asking
		g.running.Go(func() {
			defer close(returned)
			all, err := ask()
			if err != nil {
				return
			}
			known := make(map[string]string, len(all))
			for _, group := range all {
				known[group.JID] = group.Name
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			g.known = known
		})
	}
	returned := g.asking
	g.mu.Unlock()
	if name != "" {
		return name
	}
	select {
	case <-returned:
	case <-time.After(max(0, groupNamesWait-max(0, time.Since(g.askedAt())))):
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known[jid]
}

func (g *groupNames) askedAt() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// sender is whose an event is, and what it is.
type sender struct {
	view.Message
	Group string // the group's name, where it is known and is not Name
}

// describe is an event as a list shows it, with the name of its group.
func (c *call) describe(ev api.Event) sender {
	m := sender{Message: view.Describe(ev, c.hide)}
	if c.hide {
		return m
	}
	switch name := view.Line(c.groupName(ev.Chat)); {
	case name == "" || name == m.Name:
	default:
		m.Group = name
	}
	return m
}

// groupName is the name of a group, "" where it is none or is not known.
func (c *call) groupName(jid string) string {
	s := c.s
	return s.groupNames.of(jid, time.Now(), func() (all []api.Group, err error) {
		ctx, cancel := context.WithTimeout(s.ctx, groupNamesLimit)
		defer cancel()
		err = s.contained("asking for the names of groups", func() error {
			all, err = s.o.Service.Groups(ctx, api.ListGroups{})
			return err
		})
		return all, err
	})
}

// chatNames names chats for a person: with the address, which is what settings hold, and without a
// name while names are hidden.
func (c *call) chatNames(jids []string) string {
	out := make([]string, 0, len(jids))
	for _, jid := range jids {
		if name := view.Line(c.groupName(jid)); name != "" && !c.hide {
			jid = name + " (" + jid + ")"
		} else {
			jid = view.Number(jid)
		}
		out = append(out, jid)
	}
	return strings.Join(out, ", ")
}

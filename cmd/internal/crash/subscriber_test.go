package crash

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// subscribers are the MCP clients: one polls, one has events streamed, and one polls in few lives,
// so that events are removed which it did not have. Each goes on with the last cursor that it was
// heard to have.
func subscribers() []string { return []string{"poll", "stream", seldom} }

const seldom = "seldom"

// thin is what they get of an event.
func thin(ev outbox.Event, _ bool) (json.RawMessage, error) {
	return fmt.Appendf(nil, `{"sequence":%d}`, ev.Seq), nil
}

// follow has a subscriber take what comes, until ctx ends, or with last until it has everything up
// to there.
func (p *process) follow(ctx context.Context, name string, last outbox.Seq) error {
	q := api.OccurrenceQuery{Events: []string{message}, Cursor: p.Cursors[name]}
	enough := errors.New("it has everything")
	take := func(page api.OccurrencePage) error {
		p.say("saw %s %s %s %v %s .", name, from(q.Cursor), page.Cursor, page.Truncated, seen(page))
		q.Cursor = page.Cursor
		p.wait(2)
		if last > 0 && position(page.Cursor) > last {
			return enough
		}
		return nil
	}
	if name == "stream" {
		err := p.admin.StreamOccurrences(ctx, q, take)
		if errors.Is(err, enough) || ctx.Err() != nil {
			return nil
		}
		return err
	}
	for ctx.Err() == nil {
		q.Limit = 1 + p.intn(100)
		page, err := p.admin.Occurrences(ctx, q)
		if err == nil {
			err = take(page)
		}
		if errors.Is(err, enough) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !page.More {
			p.wait(10)
		}
	}
	return nil
}

// from is a cursor in a line, which has no empty words.
func from(cursor string) string {
	if cursor == "" {
		return "-"
	}
	return cursor
}

// seen is the events of a page in a line.
func seen(page api.OccurrencePage) string {
	all := []string{"="}
	for _, o := range page.Items {
		var d struct{ Sequence outbox.Seq }
		_ = json.Unmarshal(o.Data, &d) // which thin made
		all = append(all, fmt.Sprintf("%s=%d", o.ID, d.Sequence))
	}
	return strings.Join(all, ",")
}

// position reads the sequence in a cursor, as nobody but a test does.
func position(cursor string) outbox.Seq {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 9 {
		return 0
	}
	return outbox.Seq(binary.BigEndian.Uint64(raw[1:9]))
}

// subscriber is what a subscriber was heard to have.
type subscriber struct {
	cursor string
	start  outbox.Seq          // it was owed everything from here on
	got    map[outbox.Seq]bool // events
	// ranges in which it was told that events may be missing, the second left out
	gaps [][2]outbox.Seq
	told int // how often
}

// saw takes up a page. mu is held.
func (l *ledger) saw(name, before, after string, truncated bool, list string) {
	s := l.subscribers[name]
	if s == nil {
		l.fault("a subscriber %s", name)
		return
	}
	low, high := position(before), position(after)
	switch {
	case before != from(s.cursor):
		l.fault("the %s goes on at %d, and not at %d", name, low, position(s.cursor))
	case before == "-": // from the moment of the call on: what came in the meantime is in the page
		low = first(list, high)
		s.start = low
	case high < low:
		l.fault("the %s goes back from %d to %d", name, low, high)
	}
	s.cursor = after
	if truncated {
		s.gaps = append(s.gaps, [2]outbox.Seq{low, high})
		s.told++
	}
	last := outbox.Seq(0)
	for item := range strings.SplitSeq(strings.TrimPrefix(list, "="), ",") {
		var seq outbox.Seq
		key, number, _ := strings.Cut(item, "=")
		if item == "" {
			continue
		}
		if _, err := fmt.Sscan(number, &seq); err != nil || seq < low || seq >= high || seq <= last || nameOf(key) != message {
			l.fault("the %s has %s between %d and %d, after %d", name, item, low, high, last)
		}
		if s.got[seq] {
			l.fault("the %s has %d twice", name, seq)
		}
		s.got[seq], last = true, seq
		l.named(seq, key)
	}
}

// first is the number of the first event of a page in a line, or otherwise when it has none.
func first(list string, otherwise outbox.Seq) outbox.Seq {
	item, _, _ := strings.Cut(strings.TrimPrefix(list, "=,"), ",")
	var seq outbox.Seq
	if _, number, _ := strings.Cut(item, "="); number != "" {
		if _, err := fmt.Sscan(number, &seq); err == nil {
			return seq
		}
	}
	return otherwise
}

// cursors are what the subscribers go on with.
func (l *ledger) cursors() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]string{}
	for name, s := range l.subscribers {
		all[name] = s.cursor
	}
	return all
}

// missed wants every acknowledged message at every subscriber, or that it was told.
func (l *ledger) missed(sum *summary) {
	for name, s := range l.subscribers {
		for key, seq := range l.acked {
			if nameOf(key) != message || seq < s.start {
				continue
			}
			switch {
			case s.got[seq]:
				sum.followed++
			case s.gap(seq):
				sum.told++
			default:
				l.fault("the %s never had %s (%d), and was not told", name, key, seq)
			}
		}
	}
}

func (s *subscriber) gap(seq outbox.Seq) bool {
	for _, g := range s.gaps {
		if g[0] <= seq && seq < g[1] {
			return true
		}
	}
	return false
}

// catchUp has every subscriber take what there is.
func (p *process) catchUp(ctx context.Context) error {
	st, err := p.box.Stats(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, name := range subscribers() {
		if err := p.follow(ctx, name, st.Last); err != nil {
			return err
		}
	}
	return ctx.Err()
}

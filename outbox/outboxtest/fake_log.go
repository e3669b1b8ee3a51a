package outboxtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"waoutbox/outbox"
)

// fakeSteps is how many events one call of Events looks at.
const fakeSteps = 1000

// Events reads the log; see Engine.
func (f *Fake) Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error) {
	if err := f.enter(ctx, "Events"); err != nil {
		return outbox.EventPage{}, err
	}
	defer f.mu.Unlock()
	p := outbox.EventPage{Floor: f.last + 1, Whole: f.whole, Last: f.last, State: fmt.Sprintf("fake-%d", f.state)}
	if len(f.evs) > 0 {
		p.Floor = f.evs[0].Seq
	}
	evs := f.evs[f.index(q.From):]
	p.Next = max(q.From, f.last+1)
	if q.Backward {
		evs, p.Next = slices.Clone(f.evs), 0
		if q.From > 0 {
			evs = evs[:f.index(q.From+1)]
		}
		slices.Reverse(evs)
	}
	maxBytes := outbox.MaxBody
	if q.MaxBytes > 0 {
		maxBytes = min(q.MaxBytes, maxBytes)
	}
	size := 0
	for i, e := range evs {
		if q.Heads {
			e.Body = nil
		}
		full := len(p.Events) == page(q.Limit) || len(p.Events) > 0 && size+len(e.Body) > maxBytes
		if wanted := q.Match(e.Head()); i == fakeSteps || wanted && full {
			p.Next = e.Seq
			break
		} else if wanted {
			p.Events = append(p.Events, e)
			size += len(e.Body)
		}
	}
	return p, nil
}

// RenewState gives the log another id; see Engine.
func (f *Fake) RenewState(ctx context.Context) error {
	if err := f.enter(ctx, "RenewState"); err != nil {
		return err
	}
	defer f.mu.Unlock()
	f.state++
	return nil
}

// ByKey returns the sequence of an event by its key; see Engine.
func (f *Fake) ByKey(ctx context.Context, key string) (outbox.Seq, error) {
	if err := f.enter(ctx, "ByKey"); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	if at, ok := f.seen[key]; ok {
		return at.seq, nil
	}
	return 0, fmt.Errorf("find an event by its key: %w", outbox.ErrNotFound)
}

// FindMessage returns the newest event of a chat that is the message; see Engine.
func (f *Fake) FindMessage(ctx context.Context, chat, message string) (outbox.Event, error) {
	if err := f.enter(ctx, "FindMessage"); err != nil {
		return outbox.Event{}, err
	}
	defer f.mu.Unlock()
	for _, e := range slices.Backward(f.evs) {
		if message != "" && e.Message == message && e.Chat == chat {
			return e, nil
		}
	}
	return outbox.Event{}, fmt.Errorf("find message: %w", outbox.ErrNotFound)
}

// Newest returns the newest event kept; see Engine.
func (f *Fake) Newest(ctx context.Context) (outbox.Event, error) {
	if err := f.enter(ctx, "Newest"); err != nil {
		return outbox.Event{}, err
	}
	defer f.mu.Unlock()
	if len(f.evs) == 0 {
		return outbox.Event{}, fmt.Errorf("newest event: %w", outbox.ErrNotFound)
	}
	return f.evs[len(f.evs)-1], nil
}

// Trim removes old events nobody needs; see Engine.
func (f *Fake) Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error) {
	if err := f.enter(ctx, "Trim"); err != nil {
		return 0, false, err
	}
	defer f.mu.Unlock()
	limit = page(limit)
	// what is behind the first that is too young stays
	old := slices.IndexFunc(f.evs, func(e outbox.Event) bool {
		return !created(e).Before(before) && !(wrong(e) && oldBehind(f.evs, e, before))
	})
	if old < 0 {
		old = len(f.evs)
	}
	left := slices.DeleteFunc(f.evs[:old:old], func(e outbox.Event) bool {
		if more {
			return false
		}
		for _, s := range f.subs {
			if s.unread(e.Seq) || s.names(e) {
				return false
			}
		}
		if more = n == limit; more {
			return false
		}
		n++
		f.whole = max(f.whole, e.Seq+1)
		return true
	})
	f.evs = slices.Delete(f.evs, len(left), old)
	return n, more, nil
}

// wrongClock is how far ahead of the clock an event's time says nothing.
const wrongClock = time.Hour

// wrong reports whether the time of an event says nothing, created when it was created if it does.
func wrong(e outbox.Event) bool        { return created(e).After(time.Now().Add(wrongClock)) }
func created(e outbox.Event) time.Time { return e.Head().Created() }

// oldBehind reports whether the first event behind e whose time can be was created before since.
func oldBehind(all []outbox.Event, e outbox.Event, since time.Time) bool {
	for _, o := range all {
		if o.Seq > e.Seq && !wrong(o) {
			return created(o).Before(since)
		}
	}
	return false
}

// FirstSince returns where the events created before since end; see Engine.
func (f *Fake) FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error) {
	if err := f.enter(ctx, "FirstSince"); err != nil {
		return 0, false, err
	}
	defer f.mu.Unlock()
	newest, known := time.Time{}, f.index(from)
	for _, e := range slices.Backward(f.evs[:known]) {
		if !wrong(e) {
			newest = created(e)
			break
		}
	}
	for _, e := range f.evs[known:] {
		if wrong(e) {
			if !oldBehind(f.evs, e, since) {
				return e.Seq, false, nil
			}
			continue
		}
		if at := created(e); at.After(newest) {
			newest = at
		}
		if !newest.Before(since) {
			return e.Seq, false, nil
		}
	}
	return max(from, f.last+1), false, nil
}

// unread reports whether s may still have to read seq.
func (s *fakeSub) unread(seq outbox.Seq) bool {
	first, ok := s.FirstOwed(s.next)
	return ok && first <= seq
}

// names reports whether a record of s names e.
func (s *fakeSub) names(e outbox.Event) bool {
	if _, ok := s.pending[e.Seq]; ok {
		return true
	}
	r, ok := s.covering(e.Seq)
	return ok && !r.Expired() && (!r.IsRun() || s.Owes(e.Seq, e.Head()))
}

// Stats counts; see Engine.
func (f *Fake) Stats(ctx context.Context) (outbox.Stats, error) {
	if err := f.enter(ctx, "Stats"); err != nil {
		return outbox.Stats{}, err
	}
	defer f.mu.Unlock()
	st := outbox.Stats{Events: int64(len(f.evs)), Last: f.last, Subs: map[outbox.SubID]outbox.SubStats{}}
	for id, s := range f.subs {
		ss := outbox.SubStats{Next: s.next}
		for _, r := range s.dead {
			ss.Dead += int64(max(r.Count, 1))
		}
		ss.DeadByReason = s.reasons()
		if s.ended() {
			st.RemovedDead += ss.Dead
			continue
		}
		for _, e := range f.evs {
			_, pending := s.pending[e.Seq]
			_, dead := s.dead[e.Seq]
			if !pending && (dead || e.Seq < s.next || !s.Owes(e.Seq, e.Head())) {
				continue
			}
			ss.Pending++
			if ss.OldestPending.IsZero() {
				ss.OldestPending = e.Time
			}
		}
		if first, ok := s.FirstOwed(s.next); ok && first <= f.last {
			ss.Holds = first
		}
		for seq := range s.pending {
			if ss.Holds == 0 || seq < ss.Holds {
				ss.Holds = seq
			}
		}
		st.Subs[id] = ss
	}
	return st, nil
}

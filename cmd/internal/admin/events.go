package admin

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

const (
	// clockSlack is how far the times of neighbours in the log may be out of order, since clocks
	// are set: whoever looks for a time begins so much earlier, and ends so much later.
	clockSlack = time.Hour
	// pageSteps bounds how many parts of the log one page looks at.
	pageSteps = 64
	// maxWaitSeconds bounds how long one page waits for an event.
	maxWaitSeconds = 30
)

// Events returns a page of the log. With a wait it returns as soon as there is something.
func (s *Service) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	page := api.EventPage{Items: []api.Event{}}
	filter, err := s.eventFilter(q.EventFilter)
	if err != nil {
		return page, err
	}
	if q.WaitSeconds < 0 || q.WaitSeconds > maxWaitSeconds || q.WaitSeconds > 0 && q.Backward {
		return page, api.Errorf(api.CodeInvalidArguments, "wait_seconds is a number from 0 to %d, and only forwards", maxWaitSeconds).In("wait_seconds")
	}
	patience := time.Now().Add(time.Duration(q.WaitSeconds) * time.Second)
	if !q.Backward && q.From == 0 && !q.Since.IsZero() {
		from, err := s.firstAt(ctx, q.Since.Add(-clockSlack))
		if err != nil {
			return page, apiError(err, "read the events")
		}
		q.From = uint64(from)
	}
	for {
		if page, err = s.eventPage(ctx, q, filter); err != nil {
			return page, apiError(err, "read the events")
		}
		wait := time.Until(patience)
		if len(page.Items) > 0 || page.More || wait <= 0 {
			return page, nil
		}
		limited, cancel := context.WithTimeout(ctx, wait)
		err := s.o.Engine.Wait(limited, outbox.Seq(page.Next))
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return page, apiError(errors.Join(ctx.Err(), err), "wait for events")
		}
		q.From = page.Next
	}
}

// eventFilter checks a filter, and returns the part of it that the engine applies.
func (s *Service) eventFilter(f api.EventFilter) (out outbox.Filter, err error) {
	if f.Event != "" {
		if err := KnownEvent(f.Event, s.o.EventNames); err != nil {
			return out, err
		}
		out.Events = []string{f.Event}
	}
	if f.Chat != "" {
		chat, err := settings.Chat("chat", f.Chat)
		if err != nil {
			return out, err
		}
		out.Chats = []string{chat}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return out, api.Errorf(api.CodeInvalidArguments, "since is not before until: no time lies between them").In("until")
	}
	return out, nil
}

// eventPage reads one page and waits for nothing. It reads whole events, whatever is asked for:
// only then is damage to a body found.
func (s *Service) eventPage(ctx context.Context, q api.EventQuery, filter outbox.Filter) (api.EventPage, error) {
	page := api.EventPage{Items: []api.Event{}, Next: q.From}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	scan := outbox.EventQuery{From: outbox.Seq(q.From), Backward: q.Backward, Filter: filter}
	for range pageSteps {
		scan.Limit = limit - len(page.Items)
		part, err := s.o.Engine.Events(ctx, scan)
		if err != nil {
			return page, err
		}
		page.Last, page.Whole = uint64(part.Last), uint64(part.Whole)
		over := false
		for _, ev := range part.Events {
			switch wanted, beyond := inTime(q.EventFilter, ev, q.Backward); {
			case beyond:
				over = true
			case wanted:
				page.Items = append(page.Items, shownEvent(ev, q.Bodies))
			}
		}
		page.Next, scan.From = uint64(part.Next), part.Next
		page.More = !over && (q.Backward && part.Next > 0 || !q.Backward && part.Next <= part.Last)
		if over && q.Backward {
			page.Next = 0
		}
		if !page.More || len(page.Items) == limit {
			return page, nil
		}
	}
	return page, nil
}

// inTime reports whether an event's time is asked for, and whether it lies so far beyond in the
// direction of the walk that none that follows is.
func inTime(f api.EventFilter, ev outbox.Event, backward bool) (wanted, beyond bool) {
	t := ev.Time
	if ev.Corrupt && t.IsZero() { // nobody knows
		return true, false
	}
	early := !f.Since.IsZero() && t.Before(f.Since)
	late := !f.Until.IsZero() && !t.Before(f.Until)
	switch {
	case early && backward:
		return false, t.Before(f.Since.Add(-clockSlack))
	case late && !backward:
		return false, !t.Before(f.Until.Add(clockSlack))
	}
	return !early && !late, false
}

// firstAt returns the sequence of the first event created at or after a time, as far as times rise
// in the log; one above the newest when there is none.
func (s *Service) firstAt(ctx context.Context, t time.Time) (outbox.Seq, error) {
	probe := outbox.EventQuery{Limit: 1, Heads: true}
	first, err := s.o.Engine.Events(ctx, probe)
	if err != nil {
		return 0, err
	}
	low, high := max(first.Floor, 1), first.Last+1
	for low < high {
		probe.From = low + (high-low)/2
		at, err := s.o.Engine.Events(ctx, probe)
		if err != nil {
			return 0, err
		}
		if len(at.Events) > 0 && at.Events[0].Time.Before(t) {
			low = at.Events[0].Seq + 1
		} else {
			high = probe.From
		}
	}
	return low, nil
}

func shownEvent(ev outbox.Event, body bool) api.Event {
	out := api.Event{ID: ev.Key, Sequence: uint64(ev.Seq), Event: ev.Name, Chat: ev.Chat, ChatAlt: ev.ChatAlt, Time: ev.Time.UTC(), Account: ev.Account, Message: ev.Message, Damaged: ev.Corrupt}
	if body {
		out.Bytes, out.Body = len(ev.Body), string(ev.Body)
	}
	return out
}

// eventPrefix begins every event id.
const eventPrefix = "evt_"

// findEvent returns the event that ref names: its id, its sequence, or a dead letter of it.
func (s *Service) findEvent(ctx context.Context, ref string) (outbox.Event, error) {
	ref = strings.TrimSpace(ref)
	gone := api.Errorf(api.CodeNotFound, "no event %s: it is older than events are kept, or was never there. See: %s", ref, s.command("event list"))
	if strings.HasPrefix(ref, eventPrefix) {
		ev, found, err := s.eventByID(ctx, ref)
		if err != nil {
			return ev, apiError(err, "read the event")
		}
		if !found {
			return ev, gone
		}
		return ev, nil
	}
	seq, err := strconv.ParseUint(ref, 10, 64)
	if strings.HasPrefix(ref, "dl_") {
		_, parsed, perr := s.parseDeadLetterID(ref)
		seq, err = uint64(parsed), perr
	}
	if err != nil || seq == 0 {
		return outbox.Event{}, api.Errorf(api.CodeInvalidArguments, "%q is no event: give its id (evt_…) or its sequence, as %s shows them", ref, s.command("event list")).In("id")
	}
	ev, err := s.o.Engine.Event(ctx, outbox.Seq(seq))
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return ev, gone
	case errors.Is(err, outbox.ErrCorrupt): // ev has what is left of it, and says so
		return ev, nil
	}
	return ev, apiError(err, "read the event")
}

// randomIDs is how many of the newest events are looked through for an id that is in no index:
// those of the connection and of presences are random.
const randomIDs = 20_000

// eventByID returns the event with that id.
func (s *Service) eventByID(ctx context.Context, id string) (ev outbox.Event, found bool, err error) {
	isIt := func(ev outbox.Event) bool { return ev.Key == id }
	seq, err := s.o.Engine.ByKey(ctx, id)
	switch {
	case err == nil:
		return s.eventAt(ctx, seq, isIt)
	case ctx.Err() != nil:
		return ev, false, ctx.Err()
	}
	// Whatever keeps anybody from asking the index, such as a disk that cannot be written: the
	// newest events can be read all the same.
	return s.eventOf(ctx, randomIDs, isIt)
}

// eventOf returns the newest event whose head matches, with its body. It looks at about that many
// of the newest events, with 0 at all of them.
func (s *Service) eventOf(ctx context.Context, newest outbox.Seq, match func(outbox.Event) bool) (ev outbox.Event, found bool, err error) {
	q, lowest := outbox.EventQuery{Backward: true, Heads: true}, outbox.Seq(0)
	for {
		page, err := s.o.Engine.Events(ctx, q)
		if err != nil {
			return ev, false, err
		}
		if newest > 0 && lowest == 0 && page.Last > newest {
			lowest = page.Last - newest
		}
		for _, ev := range page.Events {
			if match(ev) {
				return s.eventAt(ctx, ev.Seq, match)
			}
		}
		if page.Next <= lowest {
			return ev, false, nil
		}
		q.From = page.Next
	}
}

// eventAt returns the event of a sequence if it is the one.
func (s *Service) eventAt(ctx context.Context, seq outbox.Seq, match func(outbox.Event) bool) (ev outbox.Event, found bool, err error) {
	ev, err = s.o.Engine.Event(ctx, seq)
	if errors.Is(err, outbox.ErrNotFound) { // pruned
		return ev, false, nil
	}
	if errors.Is(err, outbox.ErrCorrupt) { // ev has what is left of it, and says so
		return ev, true, nil
	}
	return ev, err == nil && match(ev), err
}

// Event returns one event with its body, and where it stands for each webhook.
func (s *Service) Event(ctx context.Context, ref string) (api.EventDetail, error) {
	ev, err := s.findEvent(ctx, ref)
	if err != nil {
		return api.EventDetail{}, err
	}
	out := api.EventDetail{Event: shownEvent(ev, true), Deliveries: []api.EventDelivery{}}
	rows, err := s.rows(ctx)
	if err != nil {
		return out, err
	}
	dead, err := s.rowsWithDead(ctx)
	if err != nil {
		return out, err
	}
	seen := map[outbox.SubID]bool{}
	for _, r := range append(rows, dead...) {
		if seen[r.sub.ID] {
			continue
		}
		seen[r.sub.ID] = true
		d, err := s.delivery(ctx, r, ev)
		if err != nil {
			return out, apiError(err, "read the event's deliveries")
		}
		if d.Removed && d.State != api.EventDead && d.State != api.EventPending {
			continue // nothing will come of it
		}
		out.Deliveries = append(out.Deliveries, d)
	}
	return out, nil
}

// delivery tells where an event stands for one webhook.
func (s *Service) delivery(ctx context.Context, r webhookRow, ev outbox.Event) (api.EventDelivery, error) {
	d := api.EventDelivery{Webhook: string(r.sub.ID), URL: r.cfg.URL, Removed: r.sub.Removed}
	rec, err := s.o.Engine.RecordAt(ctx, r.sub.ID, ev.Seq)
	switch {
	case err == nil && rec.State == outbox.Dead:
		shown := deadLetter{row: r, rec: rec, ev: ev}.shown()
		d.State, d.Attempts, d.Replay, d.LastError = api.EventDead, rec.Attempts, rec.Replay, &shown.LastError
		d.DeadLetter = deadLetterID(r.sub.ID, ev.Seq)
		if rec.IsRun() && !api.Replayable(rec.Reason) {
			d.DeadLetter = shown.ID
		}
		return d, nil
	case err == nil:
		d.State, d.Attempts, d.Replay, d.Due = api.EventPending, rec.Attempts, rec.Replay, rec.Due.UTC()
		d.InFlight = s.o.Dispatcher.Sending(r.sub.ID, ev.Seq)
		if log := decodeLog(rec); rec.Attempts > 0 && len(log.Attempts) > 0 {
			last := log.Attempts[len(log.Attempts)-1]
			d.LastError = &api.LastError{Class: string(last.Class), Status: last.Status, Message: log.Message}
		}
		return d, nil
	case !errors.Is(err, outbox.ErrNotFound):
		return d, err
	}
	next, _, _, err := s.o.Engine.Load(ctx, r.sub.ID)
	if err != nil {
		return d, err
	}
	owed := r.sub.Owes(ev.Seq, ev.Head())
	switch known := len(r.sub.Epochs) > 0 && ev.Seq >= r.sub.Epochs[0].From; {
	case ev.Seq >= next && owed:
		d.State, d.InFlight = api.EventPending, s.o.Dispatcher.Sending(r.sub.ID, ev.Seq)
	case owed:
		d.State = api.EventDelivered
	case known || ev.Seq >= next || ev.Time.Before(r.cfg.CreatedAt):
		d.State = api.EventNotOwed
	default:
		d.State = api.EventUnknown
	}
	return d, nil
}

package admin

import (
	"context"
	"errors"
	"time"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

const (
	// maxOccurrences bounds the items of a page, occurrenceBytes their payloads together.
	maxOccurrences  = 100
	occurrenceBytes = 256 << 10
	// occurrenceSteps bounds how many parts of the log one page looks at: tens of thousands of
	// events that its filter leaves out.
	occurrenceSteps = 8
	// occurrenceTime is how long it looks before it begins with no other part: a slow machine looks
	// at fewer, and the next page goes on there.
	occurrenceTime = 30 * time.Millisecond
	// maxOccurrenceWait bounds how long one page waits, in seconds.
	maxOccurrenceWait = 50
	// maxStreams bounds the streams that are open at a time.
	maxStreams = 16
	// heartbeat is how long a stream says nothing.
	heartbeat = 15 * time.Second
	// streamRest is how long a stream that is at the end of the log collects before it reads again:
	// what comes fast shares a look at the log.
	streamRest = 20 * time.Millisecond
)

// Occurrences returns a page of what MCP subscribers get. With a wait it returns as soon as there
// is something.
func (s *Service) Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	if q.WaitSeconds < 0 || q.WaitSeconds > maxOccurrenceWait {
		return api.OccurrencePage{}, api.Errorf(api.CodeInvalidArguments, "wait_seconds is a number from 0 to %d", maxOccurrenceWait).In("wait_seconds")
	}
	r, err := s.readOccurrences(ctx, q)
	if err != nil {
		return api.OccurrencePage{}, apiError(err, "read the events")
	}
	patience := time.Now().Add(time.Duration(q.WaitSeconds) * time.Second)
	for {
		page, err := r.page(ctx)
		if err != nil {
			return page, apiError(err, "read the events")
		}
		wait := time.Until(patience)
		if len(page.Items) > 0 || page.Truncated || wait <= 0 {
			return page, nil
		}
		if page.More { // of what the filter leaves out
			continue
		}
		limited, cancel := context.WithTimeout(ctx, wait)
		err = s.o.Engine.Wait(limited, r.from)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return page, apiError(errors.Join(ctx.Err(), err), "wait for events")
		}
	}
}

// StreamOccurrences calls each with page after page as events come; see api.Service.
func (s *Service) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		return api.Retryf(api.CodeTooManyStreams, "%d streams of events are open, the most is %d: end one, or poll", maxStreams, maxStreams)
	}
	defer s.streams.Add(-1)
	q.Limit = maxOccurrences
	r, err := s.readOccurrences(ctx, q)
	if err != nil {
		return apiError(err, "read the events")
	}
	if err := each(r.empty()); err != nil {
		return err
	}
	said := time.Now()
	for {
		page, err := r.page(ctx)
		if err != nil {
			return apiError(err, "read the events")
		}
		quiet := time.Since(said)
		if len(page.Items) > 0 || page.Truncated || quiet >= heartbeat {
			if err := each(page); err != nil {
				return err
			}
			said, quiet = time.Now(), 0
		}
		if page.More {
			continue
		}
		if err := s.awaitOccurrence(ctx, r.from, heartbeat-quiet); err != nil {
			return apiError(err, "wait for events")
		}
	}
}

// awaitOccurrence waits until there is an event at or above from, and a moment more, or for so
// long.
func (s *Service) awaitOccurrence(ctx context.Context, from outbox.Seq, patience time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.o.Engine.Wait(limited, from)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	case err != nil:
		return err
	}
	rest := time.NewTimer(streamRest)
	defer rest.Stop()
	select {
	case <-rest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// occurrences reads on from a position of the log, for one caller.
type occurrences struct {
	s      *Service
	filter outbox.Filter
	limit  int
	state  string // of the log
	from   outbox.Seq
	// the first page says so
	truncated bool
	// below it the caller knows that events are gone
	told outbox.Seq
}

// readOccurrences checks a query and finds where it begins.
func (s *Service) readOccurrences(ctx context.Context, q api.OccurrenceQuery) (*occurrences, error) {
	filter, err := s.occurrenceFilter(q)
	if err != nil {
		return nil, err
	}
	switch {
	case q.Limit < 0 || q.Limit > maxOccurrences:
		return nil, api.Errorf(api.CodeInvalidArguments, "limit is a number from 1 to %d", maxOccurrences).In("limit")
	case q.MaxAgeMillis < 0:
		return nil, api.Errorf(api.CodeInvalidArguments, "max_age_millis is a number of milliseconds, at least 0").In("max_age_millis")
	case s.o.Thin == nil:
		return nil, api.Errorf(api.CodeServiceUnavail, "this needs the service: start it with %s", s.command("start"))
	}
	now, err := s.o.Engine.Events(ctx, outbox.EventQuery{Backward: true, Limit: 1, Heads: true})
	if err != nil {
		return nil, err
	}
	r := &occurrences{s: s, filter: filter, limit: q.Limit, state: now.State, from: now.Last + 1}
	if r.limit == 0 {
		r.limit = maxOccurrences
	}
	if q.Cursor == "" {
		return r, nil
	}
	at, ok := outbox.ParsePosition(q.Cursor, now.State)
	if !ok || at > r.from {
		r.truncated = true
		return r, nil
	}
	r.from = at
	if q.MaxAgeMillis == 0 {
		return r, nil
	}
	young, err := s.firstAt(ctx, time.Now().Add(-time.Duration(min(q.MaxAgeMillis, maxAge.Milliseconds()))*time.Millisecond))
	if err == nil && young > r.from {
		r.from, r.truncated = young, true
	}
	return r, err
}

// maxAge is more than anything is kept.
const maxAge = 10 * 365 * 24 * time.Hour

// occurrenceFilter checks what is asked for.
func (s *Service) occurrenceFilter(q api.OccurrenceQuery) (outbox.Filter, error) {
	events := q.Events
	if len(events) == 0 {
		events = s.o.EventNames
	}
	for _, name := range events {
		if err := settings.KnownEvent(name, s.o.EventNames); err != nil {
			return outbox.Filter{}, err
		}
	}
	in := api.PutWebhook{Events: &events}
	for _, list := range []struct {
		given []string
		to    **[]string
	}{{q.Chats, &in.Chats}, {q.NotChats, &in.NotChats}, {q.Kinds, &in.Kinds}} {
		if len(list.given) > 0 {
			*list.to = &list.given
		}
	}
	filter, _, err := settings.Filter(outbox.Filter{}, in, s.o.EventKinds)
	return filter, err
}

// empty is a page that says where the next one begins.
func (r *occurrences) empty() api.OccurrencePage {
	page := api.OccurrencePage{Items: []api.Occurrence{}, Cursor: outbox.Position(r.state, r.from), Truncated: r.truncated}
	r.truncated = false
	return page
}

// page reads on, and waits for nothing.
func (r *occurrences) page(ctx context.Context) (api.OccurrencePage, error) {
	page := r.empty()
	size, began := 0, time.Now()
	for range occurrenceSteps {
		part, err := r.s.o.Engine.Events(ctx, outbox.EventQuery{From: r.from, Filter: r.filter, Limit: r.limit - len(page.Items)})
		if err != nil {
			return page, err
		}
		if r.from < part.Whole && r.told < part.Whole {
			page.Truncated, r.told = true, part.Whole
		}
		r.from = part.Next
		for _, ev := range part.Events {
			data, err := r.s.o.Thin(ev, true)
			if err != nil { // reported where it was read
				page.Truncated = true
				continue
			}
			page.Items = append(page.Items, api.Occurrence{ID: ev.Key, Event: ev.Name, Time: ev.Time.UTC(), Data: data, Cursor: outbox.Position(r.state, ev.Seq+1)})
			if size += len(data); size >= occurrenceBytes {
				r.from = ev.Seq + 1
				break
			}
		}
		page.More = r.from <= part.Last
		if !page.More || len(page.Items) == r.limit || size >= occurrenceBytes || time.Since(began) >= occurrenceTime {
			break
		}
	}
	page.Cursor = outbox.Position(r.state, r.from)
	return page, nil
}

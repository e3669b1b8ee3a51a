package main

import (
	"context"
	"fmt"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

const (
	// followWait is how long one call waits for events.
	followWait = 20 * time.Second
	// awayRetry is how often a service that went away is looked for, awayLimit how long.
	awayRetry = 500 * time.Millisecond
	awayLimit = time.Minute
)

// followEvents prints the newest events and then what arrives, until ctx ends. A service that stops
// is waited for: the place in the log outlives it.
func (e *env) followEvents(ctx context.Context, l *eventListing) error {
	from := uint64(0)
	begun := false
	var away time.Time // since when the service is, zero while it is there
	for {
		err := e.withService(ctx, modeDaemon, func(svc api.Service) error {
			if !begun {
				last, err := e.beginFollowing(ctx, svc, l)
				if err != nil {
					return err
				}
				begun, from = true, last+1
			}
			if !away.IsZero() {
				e.note("the service is back")
				away = time.Time{}
			}
			return e.followOn(ctx, svc, l, &from)
		})
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, which is how it ends
		case e.written.err != nil:
			return e.written.err
		case !begun || api.CodeOf(err) != api.CodeServiceUnavail && api.CodeOf(err) != api.CodeTimeout:
			return err
		case away.IsZero():
			away = time.Now()
			e.note("the service stopped; waiting %s for it to come back", term.Age(awayLimit))
		case time.Since(away) > awayLimit:
			return api.Errorf(api.CodeServiceUnavail, "the service stopped and did not come back within %s, so this ends: nothing arrives without it. Start it: %s",
				term.Age(awayLimit), e.command("start"))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(awayRetry):
		}
	}
}

// beginFollowing prints the newest events and returns the newest sequence.
func (e *env) beginFollowing(ctx context.Context, svc api.Service, l *eventListing) (last uint64, err error) {
	if e.json && !l.limited { // a program that follows wants what is new
		l.limit = 0
	}
	l.bodies = l.bodies || !e.json // a person reads who writes what
	items, _, last, err := newestEvents(ctx, svc, l)
	if err != nil {
		return 0, err
	}
	for _, ev := range items {
		e.followLine(ev)
	}
	return last, nil
}

// followOn prints what arrives at or above from, until the service or ctx ends.
func (e *env) followOn(ctx context.Context, svc api.Service, l *eventListing, from *uint64) error {
	for e.written.err == nil {
		q := api.EventQuery{EventFilter: l.filter, From: *from, Limit: pageSize, Bodies: l.bodies, WaitSeconds: int(followWait / time.Second)}
		page, err := svc.Events(ctx, q)
		if err != nil {
			return err
		}
		if page.Whole > *from && page.Last >= *from {
			e.note("events before sequence %d were removed from the outbox before they could be shown", page.Whole)
		}
		for _, ev := range page.Items {
			e.followLine(ev)
		}
		*from = page.Next
	}
	return nil
}

// followLine prints one event on a line of its own.
func (e *env) followLine(ev api.Event) {
	if e.json {
		e.printJSON(ev)
		return
	}
	what := eventDigest([]byte(ev.Body))
	if what == "" {
		what = chatNames(nil).text(ev.Chat, ev.ChatAlt)
	}
	line := fmt.Sprintf("%s  %-17s  %s  %s", e.clock(ev.Time), eventName(ev), term.Clean(ev.ID), what)
	e.printf("%s\n", line)
}

package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

// Log is the part of the outbox that LastUp and WasLinked read.
type Log interface {
	// Events reads the log under a filter. One call looks at a bounded number of events.
	Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error)
}

const (
	// outagePages bounds how often LastUp asks for events: a start must not wait for a walk over
	// all that is kept.
	outagePages = 16
	// outageEvents bounds how many events about the link it reads.
	outageEvents = 200
)

// LastUp returns since when something may have been missed, for Options.DownSince: when the link
// was last up and had all that it missed before. That is the time of the newest event, unless the
// outage before that one was never told of: then it is when that began. Zero when nothing is
// stored. A process that is killed while it catches up, or just before it tells of the gap, loses
// nothing of it so.
func LastUp(ctx context.Context, log Log) (time.Time, error) {
	began, err := untoldOutage(ctx, log)
	if err != nil {
		return time.Time{}, err
	}
	before := outbox.EventQuery{Backward: true, Limit: 1, Heads: true}
	switch {
	case began == nil:
	case began.Seq == 1: // nothing is older
		return began.Time, nil
	case began.state.Connection == "close":
		return began.Time, nil
	default: // the attempt to connect of a later process
		before.From = began.Seq - 1
	}
	for range outagePages {
		page, err := log.Events(ctx, before)
		if err != nil {
			return time.Time{}, fmt.Errorf("look for when the link was last up: %w", err)
		}
		if len(page.Events) > 0 {
			return page.Events[0].Time, nil
		}
		if page.Next == 0 {
			break
		}
		before.From = page.Next
	}
	if began != nil {
		return began.Time, nil
	}
	return time.Time{}, nil
}

// linkEvent is a stored event about the link.
type linkEvent struct {
	outbox.Event
	state linkState
}

// linkState is what such an event says.
type linkState struct {
	Connection     string `json:"connection"`
	IsNewLogin     bool   `json:"isNewLogin"`
	CaughtUp       bool   `json:"receivedPendingNotifications"`
	LastDisconnect struct {
		Error struct {
			Output struct {
				StatusCode int `json:"statusCode"`
			} `json:"output"`
		} `json:"error"`
	} `json:"lastDisconnect"`
}

// loggedOut reports whether the event says that the account is no longer linked.
func (l linkState) loggedOut() bool {
	return l.Connection == "close" && events.ConnectFailureReason(l.LastDisconnect.Error.Output.StatusCode).IsLoggedOut()
}

// untoldOutage returns the event that the last outage began with, nil if its end was told.
func untoldOutage(ctx context.Context, log Log) (began *linkEvent, err error) {
	err = eachLinkEvent(ctx, log, func(ev linkEvent) (enough bool) {
		switch ev.state.Connection {
		case "close", "connecting":
			began = &ev
		}
		return ev.state.CaughtUp || ev.state.IsNewLogin
	})
	if err != nil {
		return nil, fmt.Errorf("look for the last outage: %w", err)
	}
	return began, nil
}

// WasLinked reports whether an account was linked when the newest event about the link was stored,
// as far as the log reaches.
func WasLinked(ctx context.Context, log Log) (linked bool, err error) {
	err = eachLinkEvent(ctx, log, func(ev linkEvent) (enough bool) {
		linked = ev.state.Connection == "open" || ev.state.CaughtUp || ev.state.IsNewLogin
		return linked || ev.state.loggedOut()
	})
	if err != nil {
		return false, fmt.Errorf("look for whether an account was linked: %w", err)
	}
	return linked, nil
}

// eachLinkEvent calls fn with the events about the link, newest first, until it has enough of them
// or a bounded number was read.
func eachLinkEvent(ctx context.Context, log Log, fn func(linkEvent) (enough bool)) error {
	q := outbox.EventQuery{Backward: true, Filter: outbox.Filter{Events: []string{translate.ConnectionUpdate}}, Limit: outageEvents}
	read := 0
	for range outagePages {
		page, err := log.Events(ctx, q)
		if err != nil {
			return err
		}
		for _, ev := range page.Events {
			var body struct{ Data linkState }
			if ev.Corrupt || json.Unmarshal(ev.Body, &body) != nil {
				continue
			}
			read++
			if fn(linkEvent{ev, body.Data}) {
				return nil
			}
		}
		if page.Next == 0 || read >= outageEvents {
			return nil
		}
		q.From = page.Next
	}
	return nil
}

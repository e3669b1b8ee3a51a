package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Status answers the whole state in one page: the link, the webhooks, and what needs a person.
func (s *Service) Status(ctx context.Context) (api.Status, error) {
	st := api.Status{Version: api.Version, Daemon: s.o.Daemon, Link: api.Link{State: api.LinkUnknown}, Alarms: []api.Alarm{}, StateDir: s.o.StateDir}
	stats, err := s.o.Engine.Stats(ctx)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, outbox.ErrClosed) {
			return st, apiError(err, "read the status")
		}
		// Whoever asks how things are must hear of this above all: an answer without counts is better than none.
		stats = outbox.Stats{}
		st.Alarms = append(st.Alarms, damaged(err))
	}
	hooks, err := s.inUse(ctx, stats)
	if err != nil {
		return st, err
	}
	st.Webhooks = hooks
	st.Events, st.Bytes = stats.Events, stats.Bytes
	for _, sub := range stats.Subs { // removed webhooks have no line, their dead letters still count
		st.Pending += sub.Pending
		st.Dead += sub.Dead
	}
	if s.o.Link != nil {
		st.Link = s.o.Link.Link()
		own := s.o.Link.Alarms()
		if len(own) == 0 { // else the link has said it better
			own = linkAlarms(st.Link, len(hooks))
		}
		st.Alarms = append(st.Alarms, own...)
	}
	if stats.Fault != "" {
		st.Alarms = append(st.Alarms, api.Alarm{Code: "outbox_fault", Message: stats.Fault, Since: stats.FaultAt.UTC()})
	}
	if s.o.Alarms != nil {
		st.Alarms = append(st.Alarms, s.o.Alarms()...)
	}
	for _, w := range hooks {
		st.Alarms = append(st.Alarms, s.laneAlarms(ctx, w)...)
	}
	return st, nil
}

// damaged tells of a part of the outbox file that cannot be read.
func damaged(err error) api.Alarm {
	return api.Alarm{Code: "outbox_damaged", Since: time.Now().UTC(), Message: fmt.Sprintf("A part of outbox.db cannot be read (%v), so the counts here are missing. "+
		"What can be read is still delivered. Stop the service, keep a copy of the file, check the disk, and restore a backup if there is one", err)}
}

// linkGrace is how long the link may be down before somebody should know.
const linkGrace = time.Minute

// linkAlarms tells that nothing can arrive: no account is linked though webhooks wait for events, or the link stays down.
func linkAlarms(link api.Link, webhooks int) []api.Alarm {
	switch {
	case link.State == api.LinkUnlinked && webhooks > 0: // without webhooks nobody has set this up yet
		return []api.Alarm{{Code: "not_linked", Since: link.Since, Message: "No WhatsApp account is linked, so no events arrive. Link one with: waoutbox pair"}}
	case link.State == api.LinkConnecting && time.Since(link.Since) > linkGrace:
		reason := link.Reason
		if reason == "" {
			reason = "still connecting"
		}
		return []api.Alarm{{Code: "link_down", Since: link.Since,
			Message: "The WhatsApp link is down (" + reason + "). WhatsApp keeps what arrives meanwhile; it is tried again by itself"}}
	}
	return nil
}

// laneAlarms tells what keeps a webhook from being delivered to.
func (s *Service) laneAlarms(ctx context.Context, w api.Webhook) (out []api.Alarm) {
	lane := s.lane(ctx, outbox.SubID(w.ID))
	switch lane.Status {
	case dispatcher.StatusPaused:
		out = append(out, api.Alarm{Code: "webhook_paused", Since: lane.Since.UTC(),
			Message: fmt.Sprintf("%s is paused: %s. Its events wait. Resume it by adding it again: waoutbox webhook add %s", w.ID, lane.Reason, w.ID)})
	case dispatcher.StatusHeld:
		out = append(out, api.Alarm{Code: "webhook_held", Since: lane.Since.UTC(),
			Message: fmt.Sprintf("%s is held: %s. It goes on by itself", w.ID, lane.Reason)})
	}
	if lane.Full {
		out = append(out, api.Alarm{Code: "webhook_full", Since: lane.Since.UTC(),
			Message: fmt.Sprintf("%s has %d unfinished deliveries, the most it may have: its events wait in the outbox until some finish", w.ID, lane.Unfinished)})
	}
	return out
}

package admin

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Status returns the whole state in one page: the link, the webhooks, and what needs a person.
func (s *Service) Status(ctx context.Context) (api.Status, error) {
	st := api.Status{Version: api.Version, Daemon: s.o.Daemon, Link: api.Link{State: api.LinkUnknown}, Alarms: []api.Alarm{}, StateDir: s.o.StateDir,
		EventStreams: int(s.streams.Load())}
	for _, run := range s.runsNow(ctx) {
		if run.State == api.ReplayRunning {
			st.Replays = append(st.Replays, run)
		}
	}
	all, unreadable, listErr := s.rowsAndUnreadable(ctx)
	stats, missing, err := s.counts(ctx)
	if err != nil {
		return st, apiError(err, "read the status")
	}
	if listErr != nil && len(stats.Faults) == 0 {
		return st, listErr
	}
	for _, f := range stats.Faults {
		st.Alarms = append(st.Alarms, s.faultAlarm(f))
	}
	if missing != nil && len(stats.Faults) == 0 {
		// Whoever asks how things are must hear of this above all: a status without counts is
		// better than none.
		st.Alarms = append(st.Alarms, damaged(missing))
	}
	if n := stats.Undecodable - stats.Corrupt; n > 0 { // damaged events are a fault of their own
		st.Alarms = append(st.Alarms, api.Alarm{Code: "outbox_undecodable", Message: fmt.Sprintf("%d records of outbox.db cannot be decoded; the log names them. "+
			"They are kept, and passed over: what they stand for may not be delivered. Keep a copy of the file, and check the disk", n)})
	}
	for _, id := range unreadable {
		st.Alarms = append(st.Alarms, api.Alarm{Code: "webhook_unreadable", Webhook: string(id), Message: fmt.Sprintf("The settings of %s cannot be read, so it is not listed and nothing is delivered to it; its events wait. "+
			"Use the version that wrote them, or restore a backup of outbox.db", id)})
	}
	hooks := s.inUse(ctx, all, stats)
	st.Webhooks = hooks
	st.Events, st.Bytes, st.CountsUnknown = stats.Events, stats.Bytes, listErr != nil || missing != nil || stats.CountsUnknown
	for _, sub := range stats.Subs {
		st.Pending += sub.Pending
	}
	st.Dead = dead(stats) // removed webhooks have no line, their dead letters still count
	if s.o.Link != nil {
		st.Link = s.o.Link.Link()
		own := s.o.Link.Alarms()
		if len(own) == 0 { // else the link has said it better
			st.Alarms = append(st.Alarms, s.linkAlarms(st.Link, len(hooks))...)
		}
		st.Alarms = append(st.Alarms, own...)
	} else if s.o.StoredLink != nil {
		st.Link = s.o.StoredLink(ctx)
	}
	if s.o.Media != nil {
		st.Media = s.o.Media()
	}
	if s.o.Alarms != nil {
		st.Alarms = append(st.Alarms, s.o.Alarms()...)
	}
	for _, r := range all {
		if !r.sub.Removed {
			st.Alarms = append(st.Alarms, s.laneAlarms(ctx, r, stats.Subs[r.sub.ID].Dead)...)
			st.Alarms = append(st.Alarms, s.expiryAlarm(r, stats.Subs[r.sub.ID])...)
		}
	}
	return st, nil
}

// damagedAdvice is what to do about a file of which a part cannot be read.
const damagedAdvice = "What can be read is still delivered. Stop the service, keep a copy of the file, check the disk, and restore a backup if there is one"

// sizeAdvice is what to do when the outbox holds as much as it may.
const sizeAdvice = "WhatsApp keeps what arrives meanwhile; what is stored is delivered. Remove webhooks that are not needed, purge dead letters, or raise max-size and restart"

// faultAlarm shows a fault of the outbox under its cause.
func (s *Service) faultAlarm(f outbox.Fault) api.Alarm {
	a := api.Alarm{Code: "outbox_" + f.Cause, Message: f.Message, Since: f.Since.UTC()}
	if f.Cause == outbox.FaultUnreadable {
		a.Message += ". " + damagedAdvice
	}
	if f.Cause == outbox.FaultAuditChanged {
		a.Message += ". Deliveries are not affected. See what is found, and who could write to the state directory: " + s.command("audit --verify") +
			". Once you know, take the trail as it is, which is recorded in it: " + s.command("audit accept")
	}
	if f.Cause == outbox.FaultSizeLimit {
		a.Message += ". " + sizeAdvice
	}
	if f.Cause == outbox.FaultDiskLow {
		a.Message += " (the setting min-free-bytes says how much). WhatsApp keeps what arrives; deliveries go on, and so does this by itself once there is room"
	}
	if f.Cause == outbox.FaultCommit {
		a.Message += ". What was not confirmed counts as not written, and comes again; that goes on by itself. Check the disk"
	}
	if f.Cause == outbox.FaultReopening {
		a.Message += ". Nothing is taken or sent meanwhile, and WhatsApp keeps what arrives. Check the disk, and mount it writable where it is not: this is tried again by itself"
	}
	if f.Cause == outbox.FaultDisplaced {
		a.Message += ". No event is taken meanwhile, and WhatsApp keeps what arrives; deliveries go on. A file that was removed is written anew by itself. " +
			"If this stays, keep what is open before the service stops: " + s.command("backup FILE") + ", then " + s.command("stop") + " and " + s.command("restore FILE")
	}
	return a
}

// damaged tells of a part of the outbox file that cannot be read.
func damaged(err error) api.Alarm {
	return api.Alarm{Code: "outbox_damaged", Message: fmt.Sprintf("A part of outbox.db cannot be read (%v), so the counts here are missing. %s", err, damagedAdvice)}
}

// linkAlarms tells that nothing can arrive: no account is linked though webhooks wait for events,
// or the link stays down.
func (s *Service) linkAlarms(link api.Link, webhooks int) []api.Alarm {
	lasts := cmp.Or(link.For, time.Since(link.Since))
	switch {
	case link.State == api.LinkUnlinked && webhooks > 0:
		// without webhooks nobody has set this up yet
		return []api.Alarm{{Code: "not_linked", Since: link.Since, Message: "No WhatsApp account is linked, so no events arrive. Link one with: " + s.command("pair")}}
	case link.State == api.LinkConnecting && lasts > s.o.LinkDownAfter:
		reason := link.Reason
		if reason == "" {
			reason = "still connecting"
		}
		return []api.Alarm{{Code: "link_down", Since: link.Since,
			Message: "The WhatsApp link is down (" + reason + "). WhatsApp keeps what arrives meanwhile; it is tried again by itself"}}
	}
	return nil
}

// expiryNotice is how long before they expire somebody is told of deliveries, at most a quarter of
// the time they have.
const expiryNotice = 24 * time.Hour

// expiryAlarm tells that deliveries of a webhook are about to expire.
func (s *Service) expiryAlarm(r webhookRow, stats outbox.SubStats) []api.Alarm {
	if s.o.RetainPending == 0 || stats.OldestPending.IsZero() {
		return nil
	}
	expires := stats.OldestPending.Add(s.o.RetainPending)
	notice := expires.Add(-min(expiryNotice, s.o.RetainPending/4))
	if time.Now().Before(notice) {
		return nil
	}
	return []api.Alarm{{Code: "expiry_near", Webhook: string(r.sub.ID), Since: notice.UTC(), Message: fmt.Sprintf(
		"%s has waited for its events since %s: from %s on they expire, the oldest first, and are lost to it. Let it get them, or give them more time and restart the service: %s",
		r.sub.ID, stats.OldestPending.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339), s.command("config set retain-pending 60d"))}}
}

// laneAlarms tells what keeps a webhook from being delivered to.
// dead is how many dead letters it has.
func (s *Service) laneAlarms(ctx context.Context, r webhookRow, dead int64) (out []api.Alarm) {
	lane, id := s.lane(ctx, r), r.sub.ID
	if !lane.Failure.Since.IsZero() {
		out = append(out, api.Alarm{Code: "webhook_failing", Webhook: string(id), Since: lane.Failure.Since.UTC(),
			Message: fmt.Sprintf("%s is failing: its last %d deliveries became dead letters, the last one with: %s. New events wait while one at a time is tried, "+
				"a minute apart at most. When its endpoint works again, let them go at once with: %s", id, lane.Deaths, lane.Failure.LastError, s.command("webhook", "test", string(id)))})
	}
	switch lane.Status {
	case dispatcher.StatusPaused:
		out = append(out, api.Alarm{Code: "webhook_paused", Webhook: string(id), Since: lane.Since.UTC(),
			Message: fmt.Sprintf("%s is paused: %s. Its events wait. Resume it with: %s", id, strings.TrimSuffix(lane.Reason, "."), s.command("webhook", "resume", string(id)))})
	case dispatcher.StatusHeld:
		reason, when := lane.Reason, "by itself. To let it try at once: "+s.command("webhook", "resume", string(id))
		if fault := s.sealedFault(r); fault != "" { // which names the command
			when = "once that is mended"
			if !strings.Contains(reason, fault) {
				reason += "; " + fault
			}
		}
		text := "It goes on " + when
		if lane.Unknown {
			text = s.beginAnew(id)
		}
		out = append(out, api.Alarm{Code: "webhook_held", Webhook: string(id), Since: lane.Since.UTC(),
			Message: fmt.Sprintf("%s is held: %s. %s", id, reason, text)})
	}
	if lane.Full {
		out = append(out, api.Alarm{Code: "webhook_full", Webhook: string(id), Since: lane.FullSince.UTC(),
			Message: fmt.Sprintf("%s has %d unfinished deliveries, the most it may have: its events wait in the outbox until some finish, which they do by themselves. "+
				"See what its endpoint answers, and make it quicker: %s", id, lane.Unfinished, s.command("webhook", "show", string(id)))})
	}
	return append(out, s.risingAlarm(id, !lane.Failure.Since.IsZero(), dead)...)
}

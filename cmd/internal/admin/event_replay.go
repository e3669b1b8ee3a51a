package admin

import (
	"context"
	"errors"
	"slices"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// ReplayEvents begins a replay of past events for one webhook, under the filter in force now.
// Without a service it makes the first of them pending for the next start.
func (s *Service) ReplayEvents(ctx context.Context, in api.ReplayEvents) (out api.StartReplayResult, err error) {
	defer func() { s.refused(ctx, &err, aboutWebhook("event.replay", in.Webhook)) }()
	out = api.StartReplayResult{Runs: []api.ReplayRun{}, Missing: []string{}}
	perSecond, err := replayRate(in.Rate)
	if err != nil {
		return out, err
	}
	filter, err := s.eventFilter(in.EventFilter)
	switch {
	case err != nil:
		return out, err
	case in.Webhook == "":
		return out, api.Errorf(api.CodeInvalidArguments, "no webhook given: name the one that gets the events again").In("webhook")
	case len(in.IDs) > 0 && in.EventFilter != (api.EventFilter{}):
		return out, api.Errorf(api.CodeInvalidArguments, "ids name the events themselves: leave out the ids, or the filters beside them").In("ids")
	case len(in.IDs) == 0 && in.Since.IsZero():
		return out, api.Errorf(api.CodeInvalidArguments, "nothing selected to replay: name ids, or the time from which on").In("ids")
	}
	r, err := s.find(ctx, in.Webhook)
	if err != nil {
		return out, err
	}
	if r.cfg.Lease != nil {
		return out, api.Errorf(api.CodeInvalidArguments, "%s is a subscription of an MCP client, which reads past events itself, from a cursor on: nothing is sent to it again but dead letters", r.sub.ID).In("webhook")
	}
	past := &pastEvents{service: s, row: r, in: in, filter: filter, pending: map[outbox.Seq]bool{}}
	var pending []outbox.Record
	if past.end, _, pending, err = s.o.Engine.Load(ctx, r.sub.ID); err != nil {
		return out, apiError(err, "replay the events")
	}
	for _, rec := range pending {
		past.pending[rec.Seq] = true
	}
	if len(in.IDs) > 0 {
		err = past.take(ctx, in.IDs, &out)
	} else if past.next, err = s.firstAt(ctx, in.Since.Add(-clockSlack)); err == nil {
		past.begin = past.next
	}
	if err != nil {
		return out, apiError(err, "replay the events")
	}
	total, err := past.count(ctx, &out)
	if err != nil {
		return out, apiError(err, "replay the events")
	}
	record, err := s.carry(ctx, aboutRow("event.replay", r, plural(total, "event")))
	if err != nil {
		return out, apiError(err, "replay the events")
	}
	j := s.replayJob(ctx, r, in.ReplayPace, perSecond)
	j.Kind, j.Total, j.Next = api.ReplayPastEvents, total, past.read
	s.moves(&j, record, s.o.Dispatcher.Redeliver)
	switch {
	case total == 0:
		return out, nil
	case s.o.Daemon == nil && !in.DryRun:
		s.startRun(ctx, j, nil, true, &out)
		return out, s.queueEvents(ctx, r, past, record, &out)
	}
	s.startRun(ctx, j, record.audit, in.DryRun, &out)
	if len(out.Busy) > 0 {
		return out, s.busyError(out.Busy[0])
	}
	return out, nil
}

// queueEvents makes the first of the selected events pending, as many as there is room for.
func (s *Service) queueEvents(ctx context.Context, r webhookRow, past *pastEvents, record *carried, out *api.StartReplayResult) error {
	others, err := s.outstanding(ctx, r.sub.ID)
	if err != nil {
		return apiError(err, "replay the events")
	}
	room := max(0, replay.Window-others)
	if room == 0 {
		return nil
	}
	items, _, err := past.read(ctx)
	if err != nil {
		return apiError(err, "replay the events")
	}
	seqs := make([]outbox.Seq, 0, room)
	for _, item := range items[:min(room, len(items))] {
		seqs = append(seqs, item.Seq)
	}
	n, _, err := s.o.Dispatcher.Redeliver(ctx, r.sub.ID, seqs, record.audit...)
	record.did(n)
	s.cameTo(ctx, record, plural(int64(n), "event"))
	out.Queued = int64(n)
	if n > 0 {
		s.logChange(ctx, "past events queued again", "webhook", r.sub.ID, "count", n)
	}
	return s.laneError(err, "replay the events")
}

// pastEvents reads the events of a replay: below the webhook's cursor, not pending, and wanted by
// its filter of now. What is pending or lies above it gets anyway.
type pastEvents struct {
	service *Service
	row     webhookRow
	in      api.ReplayEvents
	filter  outbox.Filter
	end     outbox.Seq // the webhook's cursor when it began
	begin   outbox.Seq
	next    outbox.Seq   // where to read on; 0 at the end
	found   []outbox.Seq // read, and not returned yet
	notYet  bool         // there is something above end, or pending
	pending map[outbox.Seq]bool
}

// take looks the events up that are named.
func (p *pastEvents) take(ctx context.Context, refs []string, out *api.StartReplayResult) error {
	for _, ref := range refs {
		ev, err := p.service.findEvent(ctx, ref)
		named(err, "ids")
		switch {
		case api.CodeOf(err) == api.CodeNotFound:
			out.Missing = append(out.Missing, ref)
		case err != nil:
			return err
		case ev.Corrupt || !p.row.filter().Match(ev.Head()):
			out.Missing = append(out.Missing, ref)
		case ev.Seq >= p.end || p.pending[ev.Seq]:
			out.NotYet = true
		default:
			p.found = append(p.found, ev.Seq)
		}
	}
	slices.Sort(p.found)
	p.found = slices.Compact(p.found)
	return nil
}

// count counts what read will return.
func (p *pastEvents) count(ctx context.Context, out *api.StartReplayResult) (n int64, err error) {
	if len(p.in.IDs) > 0 {
		return int64(len(p.found)), nil
	}
	for p.next != 0 {
		if err := p.page(ctx); err != nil {
			return 0, err
		}
		n += int64(len(p.found))
		p.found = nil
	}
	p.next, out.NotYet = p.begin, p.notYet
	return n, nil
}

// read returns the next events, as Job.Next does.
func (p *pastEvents) read(ctx context.Context) (items []replay.Item, skipped int64, err error) {
	for len(p.found) == 0 && p.next != 0 {
		if err := p.page(ctx); err != nil {
			return nil, 0, err
		}
	}
	for len(p.found) > 0 && len(items) < outbox.MaxBatch {
		item := replay.Item{Seq: p.found[0]}
		rec, err := p.service.o.Engine.RecordAt(ctx, p.row.sub.ID, item.Seq)
		if err == nil {
			item.Replay = rec.Replay
		} else if !errors.Is(err, outbox.ErrNotFound) {
			return items, 0, err
		}
		items, p.found = append(items, item), p.found[1:]
	}
	return items, 0, nil
}

// page reads one part of the log.
func (p *pastEvents) page(ctx context.Context) error {
	page, err := p.service.o.Engine.Events(ctx, outbox.EventQuery{From: p.next, Filter: p.filter, Heads: true})
	if err != nil {
		return err
	}
	if p.next = page.Next; page.Next > page.Last || page.Next >= p.end {
		p.next = 0
	}
	above := p.next == 0 && p.end <= page.Last
	for _, ev := range page.Events {
		wanted, beyond := inTime(p.in.EventFilter, ev, false)
		if beyond {
			p.next = 0
			return nil
		}
		if !wanted || ev.Corrupt || ev.Seq >= p.end || !p.row.filter().Match(ev.Head()) {
			continue
		}
		if p.pending[ev.Seq] {
			p.notYet = true
			continue
		}
		p.found = append(p.found, ev.Seq)
	}
	p.notYet = p.notYet || above
	return nil
}

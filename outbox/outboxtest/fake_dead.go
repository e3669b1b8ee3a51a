package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"waoutbox/outbox"
)

// Dead pages over dead records; see Engine.
func (f *Fake) Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.Record, error) {
	if err := f.enter(ctx, "Dead"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return nil, err
	}
	var behind []outbox.Seq
	for k := range s.dead {
		if k > after {
			behind = append(behind, k)
		}
	}
	slices.Sort(behind)
	var out []outbox.Record
	for _, k := range behind[:min(page(limit), len(behind))] {
		out = append(out, s.dead[k])
	}
	return out, nil
}

// DeadHeads pages over dead records and their events; see Engine.
func (f *Fake) DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) ([]outbox.DeadHead, error) {
	records, err := f.Dead(ctx, sub, after, limit)
	if err != nil {
		return nil, err
	}
	var out []outbox.DeadHead
	for _, r := range records {
		h := outbox.DeadHead{Record: r, Event: outbox.Event{Seq: r.Seq}}
		if ev, err := f.Event(ctx, r.Seq); !r.IsRun() && (err == nil || errors.Is(err, outbox.ErrCorrupt)) {
			h.Event = ev
			h.Event.Body = nil
		}
		out = append(out, h)
	}
	return out, nil
}

// RecordAt returns the pending or dead record of seq, or the run that covers it; see Engine.
func (f *Fake) RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error) {
	if err := f.enter(ctx, "RecordAt"); err != nil {
		return outbox.Record{}, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return outbox.Record{}, err
	}
	if r, ok := s.pending[seq]; ok {
		return r, nil
	}
	if r, ok := s.covering(seq); ok {
		i := f.index(seq)
		there := i < len(f.evs) && f.evs[i].Seq == seq
		if !r.IsRun() || r.Expired() || there && s.Owes(seq, f.evs[i].Head()) {
			return r, nil
		}
	}
	return outbox.Record{}, fmt.Errorf("record %s/%d: %w", sub, seq, outbox.ErrNotFound)
}

func (s *fakeSub) covering(seq outbox.Seq) (outbox.Record, bool) {
	if r, ok := s.dead[seq]; ok {
		return r, true
	}
	for _, r := range s.dead {
		if r.IsRun() && r.Seq <= seq && seq <= r.Last {
			return r, true
		}
	}
	return outbox.Record{}, false
}

// Owed returns events owed in a range; see Engine.
func (f *Fake) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error) {
	if err := f.enter(ctx, "Owed"); err != nil {
		return nil, 0, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return nil, 0, err
	}
	limit = page(limit)
	var out []outbox.Event
	for _, e := range f.evs[f.index(from):] {
		if e.Seq > to {
			break
		}
		if !s.Owes(e.Seq, e.Head()) {
			continue
		}
		if len(out) == limit {
			return out, e.Seq, nil
		}
		out = append(out, e)
	}
	return out, max(from, to+1), nil
}

// CountOwed counts events owed in a range; see Engine.
func (f *Fake) CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (outbox.OwedRange, error) {
	if err := f.enter(ctx, "CountOwed"); err != nil {
		return outbox.OwedRange{}, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return outbox.OwedRange{}, err
	}
	var out outbox.OwedRange
	for _, e := range f.evs[f.index(from):] {
		if e.Seq <= to && s.Owes(e.Seq, e.Head()) {
			out.Add(e.Seq)
		}
	}
	return out, nil
}

// DeadReasons counts dead deliveries by reason; see Engine.
func (f *Fake) DeadReasons(ctx context.Context, sub outbox.SubID) (map[string]int64, error) {
	if err := f.enter(ctx, "DeadReasons"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return nil, err
	}
	return s.reasons(), nil
}

// reasons is nil when nothing is dead.
func (s *fakeSub) reasons() map[string]int64 {
	var out map[string]int64
	for _, r := range s.dead {
		if out == nil {
			out = map[string]int64{}
		}
		out[r.Reason] += int64(max(r.Count, 1))
	}
	return out
}

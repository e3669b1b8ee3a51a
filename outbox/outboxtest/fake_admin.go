package outboxtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"waoutbox/outbox"
)

// Subs lists subscriptions by id; see Engine.
func (f *Fake) Subs(ctx context.Context) ([]outbox.Subscription, error) {
	if err := f.enter(ctx, "Subs"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Subscription
	for _, id := range slices.Sorted(maps.Keys(f.subs)) {
		out = append(out, cloneSub(f.subs[id].Subscription))
	}
	return out, nil
}

func cloneSub(s outbox.Subscription) outbox.Subscription {
	s.Config, s.Epochs = slices.Clone(s.Config), slices.Clone(s.Epochs)
	return s
}

// PutSub stores a subscription; see Engine.
func (f *Fake) PutSub(ctx context.Context, s outbox.Subscription) (outbox.Subscription, error) {
	if err := outbox.CheckSubscription(s); err != nil {
		return outbox.Subscription{}, err
	}
	if err := f.enter(ctx, "PutSub"); err != nil {
		return outbox.Subscription{}, err
	}
	defer f.mu.Unlock()
	s, err := outbox.ResolveEpochs(s, f.last+1)
	if err != nil {
		return outbox.Subscription{}, err
	}
	old, ok := f.subs[s.ID]
	if !ok {
		old = &fakeSub{next: s.Epochs[0].From, pending: map[outbox.Seq]outbox.Record{}, dead: map[outbox.Seq]outbox.Record{}}
		f.subs[s.ID] = old
	}
	s.Epochs = outbox.PruneEpochs(s.Epochs, old.pinned())
	old.Subscription = cloneSub(s)
	return cloneSub(s), nil
}

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
	if limit <= 0 || limit > outbox.MaxBatch {
		limit = outbox.MaxBatch
	}
	var out []outbox.Record
	for _, k := range slices.Sorted(maps.Keys(s.dead)) {
		if k > after && len(out) < limit {
			out = append(out, s.dead[k])
		}
	}
	return out, nil
}

// DeadAt answers the dead record or run that covers seq; see Engine.
func (f *Fake) DeadAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (outbox.Record, error) {
	if err := f.enter(ctx, "DeadAt"); err != nil {
		return outbox.Record{}, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return outbox.Record{}, err
	}
	if r, ok := s.covering(seq); ok {
		if i := f.index(seq); !r.IsRun() || i < len(f.evs) && f.evs[i].Seq == seq && s.Owes(seq, f.evs[i].Name, f.evs[i].Chat) {
			return r, nil
		}
	}
	return outbox.Record{}, fmt.Errorf("dead letter %s/%d: %w", sub, seq, outbox.ErrNotFound)
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

// Owed answers events owed in a range; see Engine.
func (f *Fake) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) ([]outbox.Event, outbox.Seq, error) {
	if err := f.enter(ctx, "Owed"); err != nil {
		return nil, 0, err
	}
	defer f.mu.Unlock()
	s, err := f.sub(sub)
	if err != nil {
		return nil, 0, err
	}
	if limit <= 0 || limit > outbox.MaxBatch {
		limit = outbox.MaxBatch
	}
	var out []outbox.Event
	for _, e := range f.evs[f.index(from):] {
		if e.Seq > to {
			break
		}
		if !s.Owes(e.Seq, e.Name, e.Chat) {
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
		if e.Seq <= to && s.Owes(e.Seq, e.Name, e.Chat) {
			out.Add(e.Seq)
		}
	}
	return out, nil
}

// Trim removes old events nobody needs; see Engine.
func (f *Fake) Trim(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := f.enter(ctx, "Trim"); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	n := 0
	f.evs = slices.DeleteFunc(f.evs, func(e outbox.Event) bool {
		if n >= limit || !e.Time.Before(before) {
			return false
		}
		for _, s := range f.subs {
			if s.next <= e.Seq || s.names(e) {
				return false
			}
		}
		n++
		return true
	})
	return n, nil
}

// names reports whether a record of s names e.
func (s *fakeSub) names(e outbox.Event) bool {
	if _, ok := s.pending[e.Seq]; ok {
		return true
	}
	r, ok := s.covering(e.Seq)
	return ok && (!r.IsRun() || s.Owes(e.Seq, e.Name, e.Chat))
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
		for _, e := range f.evs {
			_, pending := s.pending[e.Seq]
			_, dead := s.dead[e.Seq]
			if !pending && (dead || e.Seq < s.next || !s.Owes(e.Seq, e.Name, e.Chat)) {
				continue
			}
			ss.Pending++
			if ss.OldestPending.IsZero() {
				ss.OldestPending = e.Time
			}
		}
		st.Subs[id] = ss
	}
	return st, nil
}

// AppendSent appends ev and stores s in one step; see Engine.
func (f *Fake) AppendSent(ctx context.Context, ev outbox.Event, s outbox.Send) (outbox.Seq, error) {
	if err := outbox.CheckEvents([]outbox.Event{ev}); err != nil {
		return 0, err
	}
	if err := outbox.CheckSend(s); err != nil {
		return 0, err
	}
	if err := f.enter(ctx, "AppendSent"); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	if err := f.putSend(s); err != nil {
		return 0, err
	}
	return f.append([]outbox.Event{ev})[0], nil
}

// PutSend stores a send; see Engine.
func (f *Fake) PutSend(ctx context.Context, s outbox.Send) error {
	if err := outbox.CheckSend(s); err != nil {
		return err
	}
	if err := f.enter(ctx, "PutSend"); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.putSend(s)
}

func (f *Fake) putSend(s outbox.Send) error {
	maps.DeleteFunc(f.sends, func(_ string, o outbox.Send) bool {
		return !o.SettledAt.IsZero() && time.Since(o.SettledAt) > outbox.SendKept
	})
	for _, o := range f.sends {
		if s.IdempotencyKey != "" && o.IdempotencyKey == s.IdempotencyKey && o.MessageID != s.MessageID {
			if o.State != outbox.SendFailed {
				return fmt.Errorf("send %s, key of %s: %w", s.MessageID, o.MessageID, outbox.ErrDuplicate)
			}
			o.IdempotencyKey = "" // the later send answers for the key now
			f.sends[o.MessageID] = o
		}
	}
	s.Content, s.Result = slices.Clone(s.Content), slices.Clone(s.Result)
	f.sends[s.MessageID] = s
	return nil
}

// SendByKey finds a send by its idempotency key; see Engine.
func (f *Fake) SendByKey(ctx context.Context, key string) (outbox.Send, error) {
	if err := f.enter(ctx, "SendByKey"); err != nil {
		return outbox.Send{}, err
	}
	defer f.mu.Unlock()
	for _, s := range f.sends {
		if key != "" && s.IdempotencyKey == key {
			return s, nil
		}
	}
	return outbox.Send{}, fmt.Errorf("send with this idempotency key: %w", outbox.ErrNotFound)
}

// Send finds a send by message id; see Engine.
func (f *Fake) Send(ctx context.Context, id string) (outbox.Send, error) {
	if err := f.enter(ctx, "Send"); err != nil {
		return outbox.Send{}, err
	}
	defer f.mu.Unlock()
	if s, ok := f.sends[id]; ok {
		return s, nil
	}
	return outbox.Send{}, fmt.Errorf("send %s: %w", id, outbox.ErrNotFound)
}

// Unsettled lists sends whose outcome is not known; see Engine.
func (f *Fake) Unsettled(ctx context.Context) ([]outbox.Send, error) {
	if err := f.enter(ctx, "Unsettled"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Send
	for _, id := range slices.Sorted(maps.Keys(f.sends)) {
		if f.sends[id].State == outbox.SendPrepared {
			out = append(out, f.sends[id])
		}
	}
	return out, nil
}

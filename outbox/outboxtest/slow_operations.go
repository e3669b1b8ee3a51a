package outboxtest

import (
	"context"
	"slices"
	"time"

	"waoutbox/outbox"
)

// The operations of a slow engine: those of the engine, as Slow says.

// Append is Engine's, slowly.
func (s *Slow) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	evs = ownEvents(evs)
	return writeFor(ctx, s, log, func(ctx context.Context) ([]outbox.Seq, error) { return s.Engine.Append(ctx, evs...) })
}

// AppendSent is Engine's, slowly.
func (s *Slow) AppendSent(ctx context.Context, send outbox.Send, evs ...outbox.Event) ([]outbox.Seq, error) {
	evs = ownEvents(evs)
	return writeFor(ctx, s, log, func(ctx context.Context) ([]outbox.Seq, error) { return s.Engine.AppendSent(ctx, send, evs...) })
}

// PutSend is Engine's, slowly.
func (s *Slow) PutSend(ctx context.Context, send outbox.Send) error {
	return s.write(ctx, log, func(ctx context.Context) error { return s.Engine.PutSend(ctx, send) })
}

// Commit is Engine's, slowly.
func (s *Slow) Commit(ctx context.Context, c outbox.Change) error {
	c = ownChange(c)
	return s.write(ctx, c.Sub, func(ctx context.Context) error { return s.Engine.Commit(ctx, c) })
}

// PutSub is Engine's, slowly.
func (s *Slow) PutSub(ctx context.Context, sub outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	sub.Config, sub.Epochs = slices.Clone(sub.Config), slices.Clone(sub.Epochs)
	audit = slices.Clone(audit)
	return writeFor(ctx, s, sub.ID, func(ctx context.Context) (outbox.Subscription, error) { return s.Engine.PutSub(ctx, sub, audit...) })
}

// Forget is Engine's, slowly.
func (s *Slow) Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	return s.write(ctx, id, func(ctx context.Context) error { return s.Engine.Forget(ctx, id, audit...) })
}

// trimmed is what a trim returns.
type trimmed struct {
	n    int
	more bool
}

// Trim is Engine's, slowly.
func (s *Slow) Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error) {
	got, err := writeFor(ctx, s, log, func(ctx context.Context) (trimmed, error) {
		n, more, err := s.Engine.Trim(ctx, before, limit)
		return trimmed{n, more}, err
	})
	return got.n, got.more, err
}

// FirstSince is Engine's, slowly.
func (s *Slow) FirstSince(ctx context.Context, from outbox.Seq, since time.Time) (next outbox.Seq, more bool, err error) {
	if err = pause(ctx, s.opt.Delay); err != nil {
		return next, more, err
	}
	return s.Engine.FirstSince(ctx, from, since)
}

// DeadReasons is Engine's, slowly.
func (s *Slow) DeadReasons(ctx context.Context, sub outbox.SubID) (counts map[string]int64, err error) {
	if err = s.read(ctx, sub); err != nil {
		return counts, err
	}
	return s.Engine.DeadReasons(ctx, sub)
}

// Read is Engine's, slowly.
func (s *Slow) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) (evs []outbox.Event, next outbox.Seq, err error) {
	if err = pause(ctx, s.opt.Delay); err != nil {
		return evs, next, err
	}
	return s.Engine.Read(ctx, sub, from, maxBytes)
}

// Wait is Engine's, slowly.
func (s *Slow) Wait(ctx context.Context, from outbox.Seq) error {
	if err := pause(ctx, s.opt.Delay); err != nil {
		return err
	}
	return s.Engine.Wait(ctx, from)
}

// Event is Engine's, slowly.
func (s *Slow) Event(ctx context.Context, seq outbox.Seq) (ev outbox.Event, err error) {
	if err = pause(ctx, s.opt.Delay); err != nil {
		return ev, err
	}
	return s.Engine.Event(ctx, seq)
}

// Load is Engine's, slowly.
func (s *Slow) Load(ctx context.Context, sub outbox.SubID) (next outbox.Seq, lane []byte, pending []outbox.Record, err error) {
	if err = s.read(ctx, sub); err != nil {
		return next, lane, pending, err
	}
	return s.Engine.Load(ctx, sub)
}

// Subs is Engine's, slowly.
func (s *Slow) Subs(ctx context.Context) (subs []outbox.Subscription, err error) {
	if err = s.read(ctx); err != nil {
		return subs, err
	}
	return s.Engine.Subs(ctx)
}

// Removed is Engine's, slowly.
func (s *Slow) Removed(ctx context.Context, after outbox.SubID, limit int) (subs []outbox.Subscription, err error) {
	if err = s.read(ctx); err != nil {
		return subs, err
	}
	return s.Engine.Removed(ctx, after, limit)
}

// Sub is Engine's, slowly.
func (s *Slow) Sub(ctx context.Context, id outbox.SubID) (sub outbox.Subscription, err error) {
	if err = s.read(ctx, id); err != nil {
		return sub, err
	}
	return s.Engine.Sub(ctx, id)
}

// Dead is Engine's, slowly.
func (s *Slow) Dead(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) (records []outbox.Record, err error) {
	if err = s.read(ctx, sub); err != nil {
		return records, err
	}
	return s.Engine.Dead(ctx, sub, after, limit)
}

// WithDead is Engine's, slowly.
func (s *Slow) WithDead(ctx context.Context, after outbox.SubID, limit int) (subs []outbox.Subscription, err error) {
	if err = s.read(ctx); err != nil {
		return subs, err
	}
	return s.Engine.WithDead(ctx, after, limit)
}

// DeadHeads is Engine's, slowly.
func (s *Slow) DeadHeads(ctx context.Context, sub outbox.SubID, after outbox.Seq, limit int) (heads []outbox.DeadHead, err error) {
	if err = s.read(ctx, sub); err != nil {
		return heads, err
	}
	return s.Engine.DeadHeads(ctx, sub, after, limit)
}

// RecordAt is Engine's, slowly.
func (s *Slow) RecordAt(ctx context.Context, sub outbox.SubID, seq outbox.Seq) (r outbox.Record, err error) {
	if err = s.read(ctx, sub); err != nil {
		return r, err
	}
	return s.Engine.RecordAt(ctx, sub, seq)
}

// Owed is Engine's, slowly.
func (s *Slow) Owed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq, limit int) (evs []outbox.Event, next outbox.Seq, err error) {
	if err = s.read(ctx, sub); err != nil {
		return evs, next, err
	}
	return s.Engine.Owed(ctx, sub, from, to, limit)
}

// CountOwed is Engine's, slowly.
func (s *Slow) CountOwed(ctx context.Context, sub outbox.SubID, from, to outbox.Seq) (owed outbox.OwedRange, err error) {
	if err = s.read(ctx, sub); err != nil {
		return owed, err
	}
	return s.Engine.CountOwed(ctx, sub, from, to)
}

// Events is Engine's, slowly.
func (s *Slow) Events(ctx context.Context, q outbox.EventQuery) (p outbox.EventPage, err error) {
	if err = s.read(ctx, log); err != nil {
		return p, err
	}
	return s.Engine.Events(ctx, q)
}

// RenewState is Engine's, slowly.
func (s *Slow) RenewState(ctx context.Context) error {
	return s.write(ctx, log, func(ctx context.Context) error { return s.Engine.RenewState(ctx) })
}

// ByKey is Engine's, slowly.
func (s *Slow) ByKey(ctx context.Context, key string) (seq outbox.Seq, err error) {
	if err = s.read(ctx, log); err != nil {
		return 0, err
	}
	return s.Engine.ByKey(ctx, key)
}

// FindMessage is Engine's, slowly.
func (s *Slow) FindMessage(ctx context.Context, chat, message string) (ev outbox.Event, err error) {
	if err = s.read(ctx, log); err != nil {
		return ev, err
	}
	return s.Engine.FindMessage(ctx, chat, message)
}

// Newest is Engine's, slowly.
func (s *Slow) Newest(ctx context.Context) (ev outbox.Event, err error) {
	if err = s.read(ctx, log); err != nil {
		return ev, err
	}
	return s.Engine.Newest(ctx)
}

// Stats is Engine's, slowly.
func (s *Slow) Stats(ctx context.Context) (stats outbox.Stats, err error) {
	if err = s.read(ctx); err != nil {
		return stats, err
	}
	return s.Engine.Stats(ctx)
}

// ForgetSends is Engine's, slowly.
func (s *Slow) ForgetSends(ctx context.Context, before time.Time) (more bool, err error) {
	return writeFor(ctx, s, log, func(ctx context.Context) (bool, error) { return s.Engine.ForgetSends(ctx, before) })
}

// SendByKey is Engine's, slowly.
func (s *Slow) SendByKey(ctx context.Context, idempotencyKey string) (send outbox.Send, err error) {
	if err = s.read(ctx, log); err != nil {
		return send, err
	}
	return s.Engine.SendByKey(ctx, idempotencyKey)
}

// Send is Engine's, slowly.
func (s *Slow) Send(ctx context.Context, messageID string) (send outbox.Send, err error) {
	if err = s.read(ctx, log); err != nil {
		return send, err
	}
	return s.Engine.Send(ctx, messageID)
}

// Unsettled is Engine's, slowly.
func (s *Slow) Unsettled(ctx context.Context) (sends []outbox.Send, err error) {
	if err = s.read(ctx, log); err != nil {
		return sends, err
	}
	return s.Engine.Unsettled(ctx)
}

// PutAudit is Engine's, slowly.
func (s *Slow) PutAudit(ctx context.Context, all ...outbox.Audit) error {
	all = slices.Clone(all)
	return s.write(ctx, log, func(ctx context.Context) error { return s.Engine.PutAudit(ctx, all...) })
}

// Audits is Engine's, slowly.
func (s *Slow) Audits(ctx context.Context, q outbox.AuditQuery) (all []outbox.Audit, err error) {
	if err = s.read(ctx, log); err != nil {
		return nil, err
	}
	return s.Engine.Audits(ctx, q)
}

// VerifyAudit is Engine's, slowly.
func (s *Slow) VerifyAudit(ctx context.Context, known ...outbox.AuditLink) (out outbox.AuditCheck, err error) {
	if err = s.read(ctx, log); err != nil {
		return out, err
	}
	return s.Engine.VerifyAudit(ctx, known...)
}

// AcceptAudit is Engine's, slowly.
func (s *Slow) AcceptAudit(ctx context.Context, note func(outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error) {
	return writeFor(ctx, s, log, func(ctx context.Context) (outbox.AuditCheck, error) { return s.Engine.AcceptAudit(ctx, note) })
}

// TrimAudit is Engine's, slowly.
func (s *Slow) TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error) {
	got, err := writeFor(ctx, s, log, func(ctx context.Context) (trimmed, error) {
		n, more, err := s.Engine.TrimAudit(ctx, kind, before, keep)
		return trimmed{n, more}, err
	})
	return got.n, got.more, err
}

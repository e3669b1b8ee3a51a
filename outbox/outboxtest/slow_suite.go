package outboxtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// RunSlow runs the conformance suite against an engine that Slow has made slow and uncertain, with
// a caller who repeats what ended in outbox.ErrUnknown, as every caller must. open makes the engine
// inside a synctest bubble.
func RunSlow(t *testing.T, open func(t testing.TB) Engine) {
	unknown := 0
	for i, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// A bubble's clock begins in 2000, before the events of the cases.
				_ = pause(t.Context(), time.Until(msg("", "").Time)+24*time.Hour)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				// every third write, and another one in each case
				slow := NewSlow(open(t), SlowOptions{Every: 3, First: i})
				c.run(&bench{TB: t, ctx: ctx, e: persistent{slow}})
				unknown += slow.Unknown()
			})
		})
	}
	if unknown == 0 {
		t.Error("no write ended in an unknown outcome")
	}
}

// persistent repeats writes of unknown outcome, whatever became of the caller.
type persistent struct{ Engine }

// persist repeats call until its outcome is known.
func persist(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	for errors.Is(err, outbox.ErrUnknown) {
		err = call(context.WithoutCancel(ctx))
	}
	return err
}

func (p persistent) Append(ctx context.Context, evs ...outbox.Event) (seqs []outbox.Seq, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) { seqs, err = p.Engine.Append(ctx, evs...); return err })
	return seqs, err
}

func (p persistent) RenewState(ctx context.Context) error {
	return persist(ctx, p.Engine.RenewState)
}

func (p persistent) AppendSent(ctx context.Context, s outbox.Send, evs ...outbox.Event) (seqs []outbox.Seq, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) { seqs, err = p.Engine.AppendSent(ctx, s, evs...); return err })
	return seqs, err
}

func (p persistent) ForgetSends(ctx context.Context, before time.Time) (more bool, err error) {
	err = persist(ctx, func(ctx context.Context) error { more, err = p.Engine.ForgetSends(ctx, before); return err })
	return more, err
}

func (p persistent) PutSend(ctx context.Context, s outbox.Send) error {
	return persist(ctx, func(ctx context.Context) error { return p.Engine.PutSend(ctx, s) })
}

func (p persistent) Commit(ctx context.Context, c outbox.Change) error {
	return persist(ctx, func(ctx context.Context) error { return p.Engine.Commit(ctx, c) })
}

func (p persistent) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (stored outbox.Subscription, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) { stored, err = p.Engine.PutSub(ctx, s, audit...); return err })
	return stored, err
}

// Forget is told that there is nothing to forget when the write before had landed.
func (p persistent) Forget(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	again := false
	return persist(ctx, func(ctx context.Context) error {
		err := p.Engine.Forget(ctx, id, audit...)
		if again && errors.Is(err, outbox.ErrNotFound) {
			return nil
		}
		again = true
		return err
	})
}

// Trim is no change of absolute values: how many events are fewer tells whether it has landed.
func (p persistent) Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error) {
	was, err := p.Stats(ctx)
	if err != nil {
		return 0, false, err
	}
	err = persist(ctx, func(ctx context.Context) error {
		if n, more, err = p.Engine.Trim(ctx, before, limit); !errors.Is(err, outbox.ErrUnknown) {
			return err
		}
		is, statsErr := p.Stats(ctx)
		if n, more = int(was.Events-is.Events), true; n > 0 || statsErr != nil {
			return statsErr
		}
		return err
	})
	return n, more, err
}

func (p persistent) PutAudit(ctx context.Context, all ...outbox.Audit) error {
	return persist(ctx, func(ctx context.Context) error { return p.Engine.PutAudit(ctx, all...) })
}

func (p persistent) TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error) {
	err = persist(ctx, func(ctx context.Context) error {
		n, more, err = p.Engine.TrimAudit(ctx, kind, before, keep)
		return err
	})
	return n, more, err
}

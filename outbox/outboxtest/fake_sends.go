package outboxtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"waoutbox/outbox"
)

// AppendSent appends evs and stores s in one step; see Engine.
func (f *Fake) AppendSent(ctx context.Context, s outbox.Send, evs ...outbox.Event) ([]outbox.Seq, error) {
	if err := outbox.CheckEvents(evs); err != nil {
		return nil, err
	}
	if err := outbox.CheckSend(s); err != nil {
		return nil, err
	}
	if err := f.enter(ctx, "AppendSent"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if err := f.putSend(s); err != nil {
		return nil, err
	}
	return f.append(evs), nil
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

// ForgetSends removes settled sends, all at once; see Engine.
func (f *Fake) ForgetSends(ctx context.Context, before time.Time) (more bool, err error) {
	if err := f.enter(ctx, "ForgetSends"); err != nil {
		return false, err
	}
	defer f.mu.Unlock()
	maps.DeleteFunc(f.sends, func(_ string, o outbox.Send) bool { return !o.SettledAt.IsZero() && o.SettledAt.Before(before) })
	return false, nil
}

func (f *Fake) putSend(s outbox.Send) error {
	for _, o := range f.sends {
		if s.IdempotencyKey != "" && o.IdempotencyKey == s.IdempotencyKey && o.MessageID != s.MessageID {
			if o.State != outbox.SendFailed {
				return fmt.Errorf("send %s, key of %s: %w", s.MessageID, o.MessageID, outbox.ErrDuplicate)
			}
			o.IdempotencyKey = "" // the later send has the key now
			f.sends[o.MessageID] = o
		}
	}
	f.putAudit(s.Audit)
	s.Content, s.Result, s.Audit = slices.Clone(s.Content), slices.Clone(s.Result), nil
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

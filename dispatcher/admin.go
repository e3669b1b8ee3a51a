package dispatcher

import (
	"context"
	"fmt"
	"time"

	"waoutbox/outbox"
)

// through runs work in the lane of id, or at a desk when there is no lane.
func (d *Dispatcher) through(ctx context.Context, id outbox.SubID, do work) answer {
	if k, _ := d.keeper(id); k != nil {
		req := newRequest(ctx, do)
		if a, taken := k.ask(ctx, req); taken {
			return a
		}
	}
	d.admin.Lock()
	defer d.admin.Unlock()
	if k, _ := d.keeper(id); k != nil {
		select {
		case <-k.done:
		default:
			return answer{err: fmt.Errorf("webhook %s was just started; try again", id)}
		}
	}
	w, err := newDesk(ctx, d.src, id)
	if err != nil {
		return answer{err: err}
	}
	return do(ctx, w)
}

// Replay makes dead letters pending again, at most 256 a call: attempts restart at 1, the replay number rises, the log and the
// first reason stay. What is pending already is neither queued nor missing; missing are sequences without a dead letter. After
// an error some may be queued: the same call again does the rest. A removed subscription is refused.
func (d *Dispatcher) Replay(ctx context.Context, id outbox.SubID, seqs []outbox.Seq) (queued int, missing []outbox.Seq, err error) {
	sub, err := d.find(ctx, id)
	if err != nil {
		return 0, nil, fmt.Errorf("replay: %w", err)
	}
	if sub.Removed {
		return 0, nil, fmt.Errorf("replay: webhook %s was removed; add its URL again, then replay", id)
	}
	hook, err := outbox.DecodeWebhook(sub.Config)
	if err != nil {
		return 0, nil, fmt.Errorf("replay: webhook %s: %w", id, err)
	}
	a := d.through(ctx, id, func(ctx context.Context, w writer) answer {
		p := newReplayer(d.src, id, w)
		return p.move(ctx, seqs, p.revived(hook.Unordered))
	})
	if a.err != nil {
		return a.n, a.missing, fmt.Errorf("replay: %w", a.err)
	}
	return a.n, a.missing, nil
}

// Purge discards dead letters for good, at most 256 a call. Pending deliveries are neither purged nor missing.
func (d *Dispatcher) Purge(ctx context.Context, id outbox.SubID, seqs []outbox.Seq) (purged int, missing []outbox.Seq, err error) {
	a := d.through(ctx, id, func(ctx context.Context, w writer) answer {
		return newReplayer(d.src, id, w).move(ctx, seqs, discarded)
	})
	if a.err != nil {
		return a.n, a.missing, fmt.Errorf("purge: %w", a.err)
	}
	return a.n, a.missing, nil
}

// PurgeAll discards every dead letter of a subscription for good, runs as a whole, and answers how many. It works in steps: after
// an error the ones counted are gone and calling again goes on.
func (d *Dispatcher) PurgeAll(ctx context.Context, id outbox.SubID) (purged int, err error) {
	for {
		a := d.through(ctx, id, func(ctx context.Context, w writer) answer { return purgePage(ctx, d.src, id, w) })
		purged += a.n
		if a.err != nil {
			return purged, fmt.Errorf("purge: %w", a.err)
		}
		if a.n == 0 {
			return purged, nil
		}
	}
}

// Bury turns the backlog of a removed subscription into dead letters and ends its lane. It may be called again at any time, and
// answers how many died in this call. Sync of a removed subscription does the same.
func (d *Dispatcher) Bury(ctx context.Context, id outbox.SubID) (buried int, err error) {
	sub, err := d.find(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("bury: %w", err)
	}
	if !sub.Removed {
		return 0, fmt.Errorf("bury: webhook %s is not removed; remove it first", id)
	}
	if k, running := d.keeper(id); running || k != nil {
		if buried, err = d.sync(ctx, id); err != nil {
			return buried, fmt.Errorf("bury: %w", err)
		}
		return buried, nil
	}
	d.admin.Lock()
	defer d.admin.Unlock()
	return bury(ctx, d.src, sub)
}

// Pause stops a subscription until Resume. Attempts in flight settle normally.
func (d *Dispatcher) Pause(ctx context.Context, id outbox.SubID, reason string) error {
	a := d.through(ctx, id, func(ctx context.Context, w writer) answer {
		s := w.current()
		s.gate = Gate{Kind: GatePaused, Since: time.Now(), Reason: reason}
		return answer{err: w.setCurrent(ctx, s)}
	})
	if a.err != nil {
		return fmt.Errorf("pause %s: %w", id, a.err)
	}
	return nil
}

// Resume opens the gate of a subscription, whatever closed it, and forgets its deaths in a row.
func (d *Dispatcher) Resume(ctx context.Context, id outbox.SubID) error {
	a := d.through(ctx, id, func(ctx context.Context, w writer) answer { return answer{err: w.setCurrent(ctx, laneBytes{})} })
	if a.err != nil {
		return fmt.Errorf("resume %s: %w", id, a.err)
	}
	return nil
}

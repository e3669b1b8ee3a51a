package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"waoutbox/outbox"
)

// flight is one attempt from start to end.
type flight struct {
	d          *Delivery
	req        Request
	res        Result
	start, end time.Time
}

// claim starts every attempt that may start now.
func (l *lane) claim(now time.Time) {
	slots := l.slots()
	for l.working(now) {
		d := l.order.Claim(now, slots)
		if d == nil {
			return
		}
		if d.Event == nil && !l.fetch(d, now) {
			continue
		}
		f := flight{d: d, req: Request{Sub: l.id, Webhook: l.hook, Event: *d.Event, Attempt: d.Attempts + 1, Replay: d.Replay}}
		l.wg.Go(func() { l.results <- l.attempt(f) })
	}
}

// fetch reads a claimed delivery's event again. Without it the delivery is put back, or dies when the event is gone.
func (l *lane) fetch(d *Delivery, now time.Time) bool {
	ev, err := l.src.Event(l.io, d.Seq)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		l.order.Kill(d, d.Attempts, ReasonExpired, now, d.Log)
		l.log.Error("dead letter", "subscription", l.id, "sequence", d.Seq, "reason", ReasonExpired, "attempts", d.Attempts)
		return false
	case err != nil:
		l.order.Release(d)
		l.trouble(now, fmt.Sprintf("the outbox cannot be read: %v", err))
		return false
	}
	l.order.SetEvent(d, ev)
	return true
}

// attempt makes one attempt, bounded by AttemptTimeout. A panic in the Sender is an attempt that failed.
func (l *lane) attempt(f flight) (out flight) {
	ctx, cancel := context.WithTimeout(l.attempts, AttemptTimeout)
	defer cancel()
	f.start = time.Now()
	defer func() {
		if p := recover(); p != nil {
			f.res = Result{Class: outbox.ClassInternal, Message: fmt.Sprintf("panic while sending: %v", p)}
		}
		f.end = time.Now()
		out = f
	}()
	f.res = l.sender.Send(ctx, f.req)
	return f
}

// landed takes the end of an attempt.
func (l *lane) landed(f flight) {
	outcome := Classify(f.res)
	if outcome != Delivered && f.res.Status == 0 && l.attempts.Err() != nil {
		outcome = Ours // cut off by us: it will be sent again under the same number
		l.order.Release(f.d)
		l.logAttempt(f, outcome.String(), 0)
		return
	}
	switch outcome {
	case Delivered:
		l.order.Deliver(f.d, f.end)
		l.hold.Reset()
		if l.state.deaths > 0 {
			l.state.deaths, l.stateDirty = 0, true
		}
		l.logAttempt(f, outcome.String(), 0)
	case Ours:
		l.order.Release(f.d)
		l.trouble(f.end, f.res.Message)
		l.logAttempt(f, outcome.String(), l.state.gate.Until.Sub(f.end))
	case Retry, Reject:
		l.hold.Reset()
		l.spend(f, outcome)
	}
}

// spend counts a failed attempt: the next one is due after the schedule's wait from now, or the delivery dies.
func (l *lane) spend(f flight, outcome Outcome) {
	spent := f.req.Attempt
	log := l.addToLog(f)
	ended := outcome.String()
	wait, more := l.schedule.after(spent)
	if outcome == Retry && more {
		l.order.Fail(f.d, f.end.Add(wait), log)
	} else {
		wait, ended = 0, "dead"
		l.die(f, spent, log)
	}
	if ra := min(f.res.RetryAfter, MaxRetryAfter); ra > 0 {
		l.setGate(Gate{Kind: GateRetryAfter, Until: f.end.Add(ra), Wait: ra, Since: f.end,
			Reason: fmt.Sprintf("the endpoint asked to wait %v (Retry-After)", ra)}, f.end)
		wait = max(wait, ra)
	}
	if outcome == Reject {
		l.setGate(Gate{Kind: GatePaused, Since: f.end,
			Reason: "the endpoint answered 410 Gone: it does not want events any more. Resume the webhook when it does"}, f.end)
	}
	l.logAttempt(f, ended, wait)
}

func (l *lane) setGate(g Gate, now time.Time) {
	l.state.gate = l.state.gate.close(g, now)
	l.stateDirty = true
}

func (l *lane) die(f flight, spent int, log []byte) {
	l.order.Kill(f.d, spent, reason(f.res), f.end, log)
	l.state.deaths++
	l.stateDirty = true
	l.log.LogAttrs(context.Background(), slog.LevelError, "dead letter",
		slog.String("subscription", string(l.id)), slog.Uint64("sequence", uint64(f.d.Seq)), slog.String("event_id", f.req.Event.Key),
		slog.String("event", f.req.Event.Name), slog.Int("attempts", spent), slog.String("reason", reason(f.res)), slog.String("error", f.res.Message))
}

// addToLog answers the delivery's encoded attempt log with this attempt.
func (l *lane) addToLog(f flight) []byte {
	log, err := outbox.DecodeLog(f.d.Log)
	if err != nil {
		// An unreadable log is no reason to stop delivering; what it held is lost anyway.
		l.log.Warn("attempt log unreadable, begun anew", "subscription", l.id, "sequence", f.d.Seq, "error", err)
	}
	return outbox.EncodeLog(log.Add(outbox.Attempt{
		N: f.req.Attempt, At: f.start, Took: f.end.Sub(f.start), Status: f.res.Status, Class: f.res.Class,
	}, f.res.Message, f.res.Excerpt))
}

// logAttempt writes the one line of an attempt. outcome is the Outcome's word, or "dead" when the delivery died of it. Debug when delivered at the first try, info otherwise.
func (l *lane) logAttempt(f flight, outcome string, nextIn time.Duration) {
	level := slog.LevelInfo
	if outcome == Delivered.String() && f.req.Attempt == 1 {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	l.log.LogAttrs(ctx, level, "delivery attempted",
		slog.String("event_id", f.req.Event.Key), slog.String("event", f.req.Event.Name), slog.String("subscription", string(l.id)),
		slog.Uint64("sequence", uint64(f.d.Seq)), slog.Int("attempt", f.req.Attempt), slog.Int("of", len(l.schedule)),
		slog.Int("replay", f.req.Replay), slog.String("outcome", outcome), slog.String("class", string(f.res.Class)),
		slog.Int("status", f.res.Status), slog.String("error", f.res.Message), slog.Duration("took", f.end.Sub(f.start)),
		slog.Duration("next_in", nextIn))
}

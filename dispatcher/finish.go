package dispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"waoutbox/outbox"
)

// finishAttempts takes the end of an attempt, and of all others that have ended by now.
func (l *lane) finishAttempts(a *attempt) {
	for {
		l.finish(a)
		select {
		case a = <-l.results:
		default:
			return
		}
	}
}

func (l *lane) finish(a *attempt) {
	switch {
	case a.unread != nil:
		l.scheduler.Release(a.d)
		if l.io.Err() == nil {
			l.hold(l.now(), fmt.Sprintf("the outbox cannot be read: %v", a.unread))
		}
		return
	case a.never != "":
		l.redrive.ended(a.d.Seq, true)
		l.scheduler.DeadLetter(a.d, a.d.Attempts(), a.never, l.now(), a.log)
		l.loses(a.d.Seq)
		l.ended(DeliveryEnd{Sub: l.id, Seq: a.d.Seq, Count: 1, Replay: a.req.Replay, Dead: true, Reason: a.never})
		l.log.Error("dead letter", "subscription", l.id, "sequence", a.d.Seq, "reason", a.never, "attempts", a.d.Attempts())
		return
	}
	outcome := Classify(a.res)
	if outcome != Delivered && a.res.Status == 0 && l.attempts.Err() != nil {
		l.scheduler.Release(a.d) // cut off by us: it will be sent again under the same number
		l.attempted(a, OutcomeNotAttempted, 0)
		return
	}
	if outcome != Delivered && l.outdatedAttempt(a) {
		l.scheduler.Release(a.d)
		l.attempted(a, OutcomeNotAttempted, 0)
		return
	}
	switch outcome {
	case Delivered:
		l.scheduler.Deliver(a.d, a.end)
		l.redrive.ended(a.d.Seq, false)
		l.endHolds()
		if l.state.deaths > 0 {
			l.log.Info("a delivery succeeded after dead letters", "subscription", l.id, "dead_letters_in_a_row", l.state.deaths)
		}
		l.recovered(a.end)
		l.leaseDelivered(a.end)
		l.over(a.end)
		l.throttle.Accepted(a.number, l.slots(), a.end)
		l.attempted(a, OutcomeDelivered, 0)
		l.ended(DeliveryEnd{Sub: l.id, Seq: a.d.Seq, Count: 1, Replay: a.req.Replay, Class: a.res.Class})
	case NotAttempted:
		l.scheduler.Release(a.d)
		l.hold(a.end, a.res.Message)
		l.attempted(a, OutcomeNotAttempted, l.state.gate.Until.Sub(a.end))
	case Retry, Reject:
		l.endHolds()
		if throttled(a.res) && !l.throttle.Costs(a.number, a.others) {
			l.scheduler.Release(a.d)
			l.leaseFailed(a)
			l.slowDown(a)
			l.attempted(a, OutcomeThrottled, max(0, l.state.gate.Until.Sub(a.end)))
			return
		}
		l.recordFailure(a, outcome)
	}
}

// recordFailure counts a failed attempt: the next one is due after the schedule's wait from now, or
// the delivery becomes a dead letter.
func (l *lane) recordFailure(a *attempt, outcome Outcome) {
	spent := a.req.Attempt
	log := l.addToLog(a)
	l.outage.Failed(spent)
	l.leaseFailed(a)
	ended := OutcomeRetry
	wait, more := l.waits().after(spent)
	switch {
	case outcome == Retry && more && !(l.leased() && refused(a.res)):
		l.scheduler.Fail(a.d, a.end.Add(wait), log)
	case l.leased() && !refused(a.res) && l.persists(log):
		wait = 0
		l.stay(a, log)
	default:
		wait, ended = 0, OutcomeDead
		l.deadLetter(a, spent, log)
	}
	wait = max(wait, l.slowDown(a))
	if outcome == Reject && !l.leased() {
		l.setGate(Gate{Kind: GatePaused, Since: a.end,
			Reason: "the endpoint answered 410 Gone: it does not want events any more. Resume the webhook when it does"}, a.end)
	}
	l.attempted(a, ended, wait)
	if ended == OutcomeDead {
		l.ended(DeliveryEnd{
			Sub: l.id, Seq: a.d.Seq, Count: 1, Replay: a.req.Replay, Dead: true, Reason: deadReason(a.res), Class: a.res.Class,
			Failing: l.state.failing(l.hook.HoldLimit()),
		})
	}
}

// slowDown closes the gate for as long as the endpoint asked for, and makes the lane narrow when it
// said that it gets too much: then there is a wait too when it has not said how long. It returns
// the wait, 0 for none.
func (l *lane) slowDown(a *attempt) time.Duration {
	asked := min(a.res.RetryAfter, MaxRetryAfter)
	own := time.Duration(0)
	if throttled(a.res) {
		own = l.throttle.Refused(a.number, a.end)
	}
	switch {
	case asked > 0:
		l.setGate(Gate{Kind: GateRetryAfter, Until: a.end.Add(asked), Wait: asked, Since: a.end,
			Reason: fmt.Sprintf("the endpoint asked to wait %s (Retry-After)", waitText(asked))}, a.end)
		return asked
	case own > 0:
		l.state.gate = l.state.gate.close(Gate{Kind: GateThrottled, Until: a.end.Add(own), Wait: own, Since: a.end}, a.end)
	}
	return own
}

func (l *lane) setGate(g Gate, now time.Time) {
	l.state.gate = l.state.gate.close(g, now)
	l.unstored = true
}

func (l *lane) deadLetter(a *attempt, spent int, log []byte) {
	l.redrive.ended(a.d.Seq, true)
	l.scheduler.DeadLetter(a.d, spent, deadReason(a.res), a.end, log)
	l.state, l.unstored = l.state.died(a, l.hook.HoldLimit()), true
	l.outage.Died(l.state.deaths, a.end)
	l.log.LogAttrs(context.Background(), slog.LevelError, "dead letter",
		slog.String("subscription", string(l.id)), slog.String("url", bareURL(l.hook.URL)), slog.Uint64("sequence", uint64(a.d.Seq)), slog.String("event_id", a.req.Event.Key),
		slog.String("event", a.req.Event.Name), slog.Int("attempts", spent), slog.String("reason", deadReason(a.res)), slog.String("error", a.res.Message))
}

// addToLog returns the delivery's encoded attempt log with this attempt.
func (l *lane) addToLog(a *attempt) []byte {
	log, err := outbox.DecodeLog(a.log)
	if err != nil {
		// An unreadable log is no reason to stop delivering; what it held is lost anyway.
		l.log.Warn("attempt log unreadable, begun anew", "subscription", l.id, "sequence", a.d.Seq, "error", err)
	}
	return outbox.EncodeLog(log.Add(outbox.Attempt{
		N: a.req.Attempt, At: a.start, Took: a.end.Sub(a.start), Status: a.res.Status, Class: a.res.Class,
	}, a.res.Message, a.res.Excerpt))
}

// attempted tells the observers and the log how an attempt ended.
func (l *lane) attempted(a *attempt, outcome string, nextIn time.Duration) {
	if len(l.observers) > 0 {
		end := AttemptEnd{
			Sub: l.id, Seq: a.d.Seq, Event: a.req.Event.Name, Replay: a.req.Replay, Attempt: a.req.Attempt,
			Result: a.res, Start: a.start, Took: a.end.Sub(a.start), Outcome: outcome,
		}
		l.observe(func(o Observer) { o.Attempted(end) })
	}
	l.logAttempt(a, outcome, nextIn)
}

// ended tells the observers how a delivery ended.
func (d deps) ended(e DeliveryEnd) { d.observe(func(o Observer) { o.Ended(e) }) }

// laneEnded tells whoever holds something for a subscription that its lane has ended.
func (d deps) laneEnded(id outbox.SubID) {
	if f, ok := d.sender.(forgetter); ok {
		f.Forget(id)
	}
	d.observe(func(o Observer) {
		if w, ok := o.(laneWatcher); ok {
			w.LaneEnded(id)
		}
	})
}

func (d deps) observe(tell func(Observer)) {
	for _, o := range d.observers {
		if err := guarded(func() error { tell(o); return nil }); err != nil {
			d.log.Error("observer of deliveries panicked", "error", err)
		}
	}
}

// logAttempt writes the one line of an attempt: debug when delivered at the first try, info when
// later. One that failed is a warning when it is the first of its kind, and then once a minute with
// the number of those between, which are debug. One that was not made, or that says nothing, is
// debug: what makes the lane wait has its own line (hold).
func (l *lane) logAttempt(a *attempt, outcome string, nextIn time.Duration) {
	level, repeated := slog.LevelInfo, 0
	switch {
	case outcome == OutcomeNotAttempted:
		level = slog.LevelDebug
	case outcome != OutcomeDelivered:
		level = slog.LevelDebug
		log, left := l.failures.Failed(fmt.Sprint(a.res.Class, a.res.Status), a.end)
		if log {
			level, repeated = slog.LevelWarn, left
		}
	case a.req.Attempt == 1:
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	l.log.LogAttrs(ctx, level, "delivery attempted",
		slog.String("event_id", a.req.Event.Key), slog.String("event", a.req.Event.Name), slog.String("subscription", string(l.id)),
		slog.String("url", bareURL(l.hook.URL)), slog.Uint64("sequence", uint64(a.d.Seq)), slog.Int("attempt", a.req.Attempt), slog.Int("of", len(l.waits())),
		slog.Int("replay", a.req.Replay), slog.String("outcome", outcome), slog.String("class", string(a.res.Class)),
		slog.Int("status", a.res.Status), slog.String("error", a.res.Message), slog.Duration("took", a.end.Sub(a.start).Round(100*time.Microsecond)),
		slog.Duration("next_in", nextIn.Round(time.Millisecond)), slog.Int("repeated", repeated))
}

// bareURL is a webhook's URL without its query, which may hold a token.
func bareURL(url string) string {
	bare, _, _ := strings.Cut(url, "?")
	return bare
}

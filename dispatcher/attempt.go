package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

const (
	// maxMessage bounds what is kept, logged and shown of an attempt's error, in bytes: with
	// outbox.MaxExcerpt and twenty attempts a quarter of outbox.MaxRecordLog.
	maxMessage = 1 << 10
	// maxClass bounds the word a dead letter is grouped by.
	maxClass = 64
	// idleAttempts is how long a goroutine that makes attempts waits for the next one.
	idleAttempts = time.Second
)

// attempt is one attempt from start to end. Its goroutine has it until it ends, then the lane.
type attempt struct {
	d      *scheduler.Delivery // the lane's: not touched by the attempt
	req    Request
	read   bool   // the event must be read again
	logged bool   // attempts before are on disk
	log    []byte // what is on disk of them

	number uint64 // among all of its lane
	others int    // that ran when it began

	unread     error  // why it was not made: something could not be read
	never      string // not made, and never will be: the reason
	res        Result
	start, end time.Time
}

// startAttempts starts every attempt that may start now.
func (l *lane) startAttempts(now time.Time) {
	slots := l.width()
	for l.working(now) && !l.awaitsSettlement(now) {
		if l.allowed(now).After(now) {
			if due, ok := l.scheduler.NextStart(slots); ok && !due.After(now) {
				l.throttle.Wait(now)
			}
			return
		}
		if _, full := l.ownFull(now); full {
			return
		}
		if l.gapFirst(now, slots) {
			return
		}
		d := l.scheduler.Start(now, slots)
		if d == nil && l.outage.Holding() && !now.Before(l.outage.ProbeAt()) {
			if d = l.scheduler.Probe(now); d != nil {
				l.outage.Begin(now)
			}
		}
		if d == nil {
			if l.scheduler.InFlight() == 0 {
				l.throttle.Rest()
			}
			return
		}
		l.rate.Spend(now)
		l.begun++
		l.lease.gapTried = false
		a := &attempt{d: d, logged: d.Retry(), read: d.Event() == nil}
		a.req = Request{Sub: l.id, Webhook: l.hook, Binding: l.binding, Attempt: d.Attempts() + 1, Replay: d.Replay()}
		a.req.Event.Seq = d.Seq
		if l.leased() {
			a.req.Watermark = l.state.lease.watermark(l.scheduler.Lowest())
		}
		a.number, a.others = l.throttle.Begin(now), l.scheduler.InFlight()-1
		if !a.read {
			a.req.Event = *d.Event()
		}
		select {
		case l.starts <- a:
		default:
			l.wg.Go(func() { l.makeAttempts(a) })
		}
	}
}

// mayStart reports whether an attempt could start now.
func (l *lane) mayStart(now time.Time, slots int) bool {
	if due, ok := l.scheduler.NextStart(slots); ok && !due.After(now) {
		return true
	}
	return l.outage.Holding() && !now.Before(l.outage.ProbeAt()) && l.scheduler.MayProbe(now)
}

// makeAttempts makes an attempt, and others that start while it has nothing to do: a goroutine
// whose stack has grown once is worth keeping for a moment.
func (l *lane) makeAttempts(a *attempt) {
	idle := time.NewTimer(idleAttempts)
	defer idle.Stop()
	for {
		l.attempt(a)
		idle.Reset(idleAttempts)
		select {
		case a = <-l.starts:
		case <-idle.C:
			return
		case <-l.stopped:
			return
		}
	}
}

// attempt makes one attempt and hands it back to the lane.
func (l *lane) attempt(a *attempt) {
	if a.logged || a.read {
		a.unread = guarded(func() error { return l.prepare(a) })
	}
	if a.unread == nil && a.never == "" {
		l.send(a)
	}
	l.results <- a
}

// prepare reads what a lane does not keep of a waiting delivery: the log of the attempts before,
// and its body.
func (l *lane) prepare(a *attempt) error {
	seq := a.req.Event.Seq
	if a.logged {
		r, err := l.src.RecordAt(l.io, l.id, seq)
		if err != nil && !errors.Is(err, outbox.ErrNotFound) {
			return err
		}
		a.log = r.Log
	}
	if !a.read {
		return nil
	}
	ev, err := l.src.Event(l.io, seq)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		a.never = ReasonExpired
		return nil
	case errors.Is(err, outbox.ErrCorrupt):
		a.never = ReasonCorrupt
		return nil
	}
	a.req.Event = ev
	return err
}

// guarded makes the error of a panic: nothing that runs beside a lane may end the process.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s", outbox.PanicText(p))
		}
	}()
	return f()
}

// send bounds one attempt by AttemptTimeout. A panic in the Sender is an attempt that failed.
func (l *lane) send(a *attempt) {
	ctx, cancel := context.WithTimeout(l.attempts, AttemptTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			a.res = Result{Class: outbox.ClassInternal, Message: "panic while sending: " + outbox.PanicText(p)}
		}
		a.end = l.now()
		a.res.Message = clampText(a.res.Message)
		a.res.Class = outbox.Class(clamp(string(a.res.Class), maxClass))
	}()
	l.sending.begin(a.req.Event.Seq)
	defer l.sending.end(a.req.Event.Seq)
	a.start = l.now()
	a.res = l.sender.Send(ctx, a.req)
}

// clampText bounds a text that may come from anywhere.
func clampText(s string) string { return clamp(s, maxMessage) }

func clamp(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const more = "…"
	return strings.ToValidUTF8(s[:limit-len(more)], "") + more
}

// waitText is a wait as people read it, to the second: 1 m 37 s.
func waitText(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	h, m, s := s/3600, s%3600/60, s%60
	var parts []string
	for _, p := range []struct {
		n    int64
		unit string
	}{{h, "h"}, {m, "m"}, {s, "s"}} {
		if p.n > 0 || p.unit == "s" && parts == nil {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	return strings.Join(parts, " ")
}

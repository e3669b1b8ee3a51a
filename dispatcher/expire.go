package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waoutbox/dispatcher/scheduler"
	"waoutbox/outbox"
)

// runGrows is how long an expired run takes in what expires next to it.
const runGrows = 24 * time.Hour

// Expire turns what is old and unfinished of a subscription into expired dead letters
// (ReasonExpired): deliveries of events that were created before before (nothing, if that is zero),
// where a replayed one waits since its replay, and all those below the sequence below. What has a
// record one by one, what is unread as one run, which holds no event any more. It returns how many,
// and more when it stopped early. Attempts in flight end first, in their own way, and nothing new
// is begun meanwhile; that nothing moves for quietLimit is an error. Where nothing is old, nothing
// is disturbed. It works in steps, each of which leaves a state from which calling again goes on. A
// removed subscription has nothing unfinished for long, and is left alone.
func (d *Dispatcher) Expire(ctx context.Context, id outbox.SubID, before time.Time, below outbox.Seq) (n int, more bool, err error) {
	res := d.do(ctx, id, func(ctx context.Context, o *operation) (res taskResult) {
		sub, err := o.lane.find(ctx, id)
		if err != nil || sub.Removed {
			return taskResult{err: err}
		}
		e := &expiry{op: o, before: before, below: below, now: d.now()}
		if there, err := e.look(ctx); err != nil || !there {
			return taskResult{more: e.more, err: err}
		}
		res.n, res.err = o.whileQuiet(ctx, e.run)
		res.more = e.more
		return res
	})
	if res.err != nil {
		return res.n, false, fmt.Errorf("expire deliveries of %s: %w", id, res.err)
	}
	return res.n, res.more, nil
}

// expiry is one Expire on its way.
type expiry struct {
	op     *operation
	before time.Time
	below  outbox.Seq
	now    time.Time
	more   bool

	waiting []outbox.Record // recorded and old
	cut     outbox.Seq      // what has a record below it is old
	rest    outbox.Seq      // what is unread below it is old
}

// look finds out what is old, and reports whether there is anything.
func (e *expiry) look(ctx context.Context) (bool, error) {
	l := e.op.lane
	var known []*scheduler.Delivery
	var next outbox.Seq
	if err := e.op.inLoop(func() { known, next = l.scheduler.Recorded(), l.scheduler.Next() }); err != nil {
		return false, err
	}
	lowest := next
	if i := slices.IndexFunc(known, func(d *scheduler.Delivery) bool { return d.Replay() == 0 }); i >= 0 {
		lowest = min(lowest, known[i].Seq)
	}
	if err := e.findCut(ctx, lowest, next); err != nil {
		return false, err
	}
	e.waiting = nil
	for _, d := range known {
		if d.Replay() == 0 && d.Seq >= e.cut {
			continue
		}
		r, err := l.src.RecordAt(ctx, l.id, d.Seq) // with its log, which the lane does not keep
		if errors.Is(err, outbox.ErrNotFound) {    // delivered meanwhile
			continue
		}
		if err != nil {
			return false, err
		}
		e.op.goesOn()
		if e.isOld(ctx, r) {
			e.waiting = append(e.waiting, r)
		}
	}
	if len(e.waiting) > 0 || e.rest <= next {
		return len(e.waiting) > 0, nil
	}
	if e.rest > next+scheduler.SkipEvents { // at least the cursor can move
		return true, nil
	}
	owed, err := l.src.CountOwed(ctx, l.id, next, e.rest-1)
	return owed.Count > 0, err
}

// findCut finds where what is old ends: from lowest on, and from the cursor on where what has a
// record below it is young.
func (e *expiry) findCut(ctx context.Context, lowest, next outbox.Seq) (err error) {
	e.cut, e.rest, e.more = 0, 0, false
	if !e.before.IsZero() {
		src := e.op.lane.src
		if e.cut, e.more, err = src.FirstSince(ctx, lowest, e.before); err != nil {
			return err
		}
		e.rest = e.cut
		if e.cut <= lowest && lowest < next {
			if e.rest, e.more, err = src.FirstSince(ctx, next, e.before); err != nil {
				return err
			}
		}
	}
	e.cut, e.rest = max(e.cut, e.below), max(e.rest, e.below)
	return nil
}

func (e *expiry) isOld(ctx context.Context, r outbox.Record) bool {
	switch {
	case r.State != outbox.Pending:
		return false
	case r.Seq < e.below:
		return true
	case r.Replay > 0: // due since it was replayed, or was tried after that
		return r.Due.Before(e.before) && !e.op.lane.createdSince(ctx, r.Seq, e.before)
	}
	return r.Seq < e.cut
}

// clockAhead is how far ahead of the clock a time is not believed.
const clockAhead = time.Hour

// createdSince reports whether an event was created at or after since: then nothing that happened
// to it was before, whatever its time says by a clock that was behind.
func (d deps) createdSince(ctx context.Context, seq outbox.Seq, since time.Time) bool {
	ev, err := d.src.Event(ctx, seq)
	if err != nil && !errors.Is(err, outbox.ErrCorrupt) {
		return false
	}
	h := ev.Head()
	return !h.Stanza().Before(since) || !h.Time.Before(since) && !h.Time.After(d.now().Add(clockAhead))
}

// run expires what is old now that nothing is in flight.
func (e *expiry) run(ctx context.Context) (n int, err error) {
	l := e.op.lane
	if _, err := e.look(ctx); err != nil { // what was in flight has ended since
		return 0, err
	}
	for len(e.waiting) > 0 {
		step := e.waiting[:min(len(e.waiting), outbox.MaxChange)]
		e.waiting = e.waiting[len(step):]
		c := outbox.Change{Sub: l.id}
		for _, r := range step {
			r.State, r.Reason, r.At, r.Due = outbox.Dead, ReasonExpired, e.now, time.Time{}
			c.Set = append(c.Set, r)
		}
		if err := e.op.commitLoss(ctx, c, c.Set, func(time.Time) {
			l.scheduler.SkipSeqs(c.Set)
			l.endedUnsent(c)
		}); err != nil {
			return n, err
		}
		n += len(step)
	}
	unread, err := e.unread(ctx)
	return n + unread, err
}

// unread makes an expired run of what is unread below the cut, or makes the one before it longer.
func (e *expiry) unread(ctx context.Context) (int, error) {
	l := e.op.lane
	var next outbox.Seq
	if err := e.op.inLoop(func() { next = l.scheduler.Next() }); err != nil || next >= e.rest {
		return 0, err
	}
	run, err := unreadRun(ctx, l.src, l.id, next, e.rest-1, ReasonExpired, e.now)
	if err != nil {
		return 0, err
	}
	c := run.change
	c.Next = e.rest // also past what is not owed
	if last := l.expired; run.count > 0 && last.next == next && e.now.Sub(last.run.At) < runGrows {
		r, err := l.src.RecordAt(ctx, l.id, last.run.KeySeq())
		if err == nil && r.Expired() && r.Seq == last.run.Seq && r.Last == last.run.Last && r.Count == last.run.Count {
			c.Set = join(r, c.Set[0]) // it is still there, and nothing lies between the two
		}
	}
	if err := e.op.commitLoss(ctx, c, run.change.Set, func(now time.Time) {
		l.scheduler.SkipTo(c.Next, now)
		l.endedUnsent(run.change)
		switch {
		case run.count > 0:
			l.expired = expiredRun{run: c.Set[len(c.Set)-1], next: c.Next}
		case l.expired.next == next:
			l.expired.next = c.Next
		}
	}); err != nil {
		return 0, err
	}
	return run.count, nil
}

// expiredRun is the last run that expiry made in a lane, and the cursor behind it.
type expiredRun struct {
	run  outbox.Record
	next outbox.Seq
}

// join returns what makes one run of two neighbours. It keeps the age of the first.
func join(a, b outbox.Record) []outbox.Record {
	both := outbox.Record{Seq: a.Seq, Last: b.KeySeq(), Count: max(1, a.Count) + max(1, b.Count), State: outbox.Dead, Reason: a.Reason, At: a.At}
	return []outbox.Record{{Seq: a.KeySeq(), State: outbox.Done}, both}
}

// ExpireDead lets go of the events of dead letters above after, in order, at most limit of them:
// they stay counted and listed, as expired, without their attempts, and cannot be replayed any
// more. It returns how many, and the sequence to go on after; 0 when there are no more. It works in
// steps, as PurgeAll does.
func (d *Dispatcher) ExpireDead(ctx context.Context, id outbox.SubID, after outbox.Seq, limit int) (n int, next outbox.Seq, err error) {
	next = after
	for n < limit {
		from, room := next, limit-n
		res := d.do(ctx, id, func(ctx context.Context, o *operation) (res taskResult) {
			res.n, res.next, res.more, res.err = expireDeadPage(ctx, o, from, room)
			return res
		})
		n += res.n
		if res.err != nil {
			return n, max(from, res.next), fmt.Errorf("expire dead letters of %s: %w", id, res.err)
		}
		next = res.next
		if !res.more {
			return n, 0, nil
		}
	}
	return n, next, nil
}

// expireDeadPage is one Change of ExpireDead.
func expireDeadPage(ctx context.Context, o *operation, after outbox.Seq, limit int) (n int, next outbox.Seq, more bool, err error) {
	l := o.lane
	const page = outbox.MaxChange / 2 // a run may become two
	records, err := l.src.Dead(ctx, l.id, after, page)
	if err != nil {
		return 0, after, false, err
	}
	c := outbox.Change{Sub: l.id}
	next = after
	for _, r := range records {
		if n >= limit {
			break
		}
		switch {
		case r.Expired():
		case r.Count > limit-n:
			parts, err := expireFirst(ctx, l.src, l.id, r, limit-n)
			if err != nil {
				return 0, after, false, err
			}
			c.Set = append(c.Set, parts...)
			n += max(1, parts[0].Count)
			next = parts[0].KeySeq()
			continue
		default:
			c.Set = append(c.Set, expiredLetter(r))
			n += max(1, r.Count)
		}
		next = r.KeySeq()
	}
	more = len(records) == page || next > after && n >= limit
	if len(c.Set) == 0 {
		return 0, next, more, nil
	}
	if err := o.commit(ctx, c, func(time.Time) {}); err != nil {
		return 0, after, false, err
	}
	return n, next, more, nil
}

func expiredLetter(r outbox.Record) outbox.Record {
	r.Reason, r.Log = ReasonExpired, nil
	return r
}

// expireFirst divides a run: about the first n of its letters expire, the rest stays.
func expireFirst(ctx context.Context, src Source, id outbox.SubID, run outbox.Record, n int) ([]outbox.Record, error) {
	first := outbox.OwedRange{}
	for at := run.Seq; at < run.Last && first.Count < n; {
		evs, next, err := src.Owed(ctx, id, at, run.Last-1, min(n-first.Count, outbox.MaxBatch))
		if err != nil {
			return nil, err
		}
		for _, ev := range evs {
			first.Add(ev.Seq)
		}
		if next <= at {
			break
		}
		at = next
	}
	rest := run.Count - first.Count
	if first.Count == 0 || rest < 1 {
		return []outbox.Record{expiredLetter(run)}, nil
	}
	e := deadLetterEdit{src: src, id: id}
	from, err := e.firstOwed(ctx, first.Last+1, run.Last)
	if err != nil {
		return nil, err
	}
	head, tail := expiredLetter(run), run
	head.Seq, head.Last, head.Count = first.First, first.Last, first.Count
	tail.Seq, tail.Count = from, rest
	for _, r := range []*outbox.Record{&head, &tail} {
		if r.Count == 1 {
			r.Seq, r.Last, r.Count = r.KeySeq(), 0, 0
		}
	}
	return []outbox.Record{head, tail}, nil
}

// PurgeOld discards the dead letters of a subscription, removed or not, that died before before,
// expired ones among them, and returns how many, and since when the oldest of the others is dead;
// zero when none is left. It works in steps, as PurgeAll does.
func (d *Dispatcher) PurgeOld(ctx context.Context, id outbox.SubID, before time.Time) (purged int, oldest time.Time, err error) {
	after := outbox.Seq(0)
	for more := true; more; {
		page, err := d.src.Dead(ctx, id, after, outbox.MaxChange)
		if err != nil {
			return purged, time.Time{}, fmt.Errorf("purge old dead letters of %s: %w", id, err)
		}
		var old []outbox.Record
		for _, r := range page {
			after = r.KeySeq()
			switch {
			case r.At.IsZero(): // it cannot be decoded
			case r.At.Before(before) && !d.createdSince(ctx, r.KeySeq(), before):
				old = append(old, r)
			case r.At.Before(before): // by a clock that was behind
				oldest = before
			case oldest.IsZero() || r.At.Before(oldest):
				oldest = r.At
			}
		}
		more = len(page) == outbox.MaxChange
		if len(old) == 0 {
			continue
		}
		n, err := d.purgeRecords(ctx, id, old, before)
		purged += n
		if err != nil {
			return purged, time.Time{}, fmt.Errorf("purge old dead letters of %s: %w", id, err)
		}
	}
	return purged, oldest, nil
}

// purgeRecords discards those of records that are still what they were.
func (d *Dispatcher) purgeRecords(ctx context.Context, id outbox.SubID, records []outbox.Record, before time.Time) (int, error) {
	res := d.do(ctx, id, func(ctx context.Context, o *operation) (res taskResult) {
		c := outbox.Change{Sub: id}
		n := 0
		for _, r := range records {
			now, err := o.lane.src.RecordAt(ctx, id, r.KeySeq())
			if err != nil || now.State != outbox.Dead || now.KeySeq() != r.KeySeq() || now.At.IsZero() || !now.At.Before(before) {
				continue // replayed, purged or divided meanwhile
			}
			c.Set = append(c.Set, outbox.Record{Seq: r.KeySeq(), State: outbox.Done})
			n += max(1, now.Count)
		}
		if len(c.Set) == 0 {
			return res
		}
		if res.err = o.commit(ctx, c, func(time.Time) {}); res.err == nil {
			res.n = n
		}
		return res
	})
	return res.n, res.err
}

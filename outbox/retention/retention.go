// Package retention decides what the outbox lets go of, and when: delivered events after a while,
// what waits for too long, dead letters that are old, and, where the file would become too large,
// whatever holds most. It does no I/O of its own: the engine and the dispatcher do what it decides.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"waoutbox/outbox"
)

// Engine is what retention needs of the outbox.
type Engine interface {
	// Trim removes delivered events created before before, oldest first, at most limit of them.
	Trim(ctx context.Context, before time.Time, limit int) (n int, more bool, err error)
	Stats(ctx context.Context) (outbox.Stats, error)
	// Events reads the log.
	Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error)
	// Newest returns the newest event kept, or outbox.ErrNotFound.
	Newest(ctx context.Context) (outbox.Event, error)
	// WithDead pages over the subscriptions that have dead records, removed or not.
	WithDead(ctx context.Context, after outbox.SubID, limit int) ([]outbox.Subscription, error)
	// DeadReasons counts the dead deliveries of a subscription by reason.
	DeadReasons(ctx context.Context, sub outbox.SubID) (map[string]int64, error)
	// ForgetSends removes a few of the sends that were settled before before.
	ForgetSends(ctx context.Context, before time.Time) (more bool, err error)
	// TrimAudit removes a few records of a kind that are older than before or more than keep.
	TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error)
	// LiveBytes is how many bytes of the file are in use.
	LiveBytes() int64
}

// Lanes is what retention needs of the dispatcher: deliveries have one writer.
type Lanes interface {
	// Expire turns unfinished deliveries of events created before before, and all below the
	// sequence below, into expired dead letters.
	Expire(ctx context.Context, id outbox.SubID, before time.Time, below outbox.Seq) (n int, more bool, err error)
	// ExpireDead lets go of the events of at most limit dead letters above after, and returns where
	// to go on, 0 at the end.
	ExpireDead(ctx context.Context, id outbox.SubID, after outbox.Seq, limit int) (n int, next outbox.Seq, err error)
	// PurgeOld discards dead letters that died before before, and returns since when the oldest
	// other one is dead.
	PurgeOld(ctx context.Context, id outbox.SubID, before time.Time) (purged int, oldest time.Time, err error)
}

// Policy is how long things are kept, and how much.
type Policy struct {
	Delivered time.Duration // events every webhook has got; 0: until then
	Pending   time.Duration // deliveries that wait
	Dead      time.Duration // dead letters
	// bytes the file may hold: appends are refused above. 0: no limit
	MaxBytes int64
	// the clock of the machine, which may jump; its monotonic part must not. nil: time.Now
	Now func() time.Time
}

const (
	// firstRound is how long after the start the first round comes, everyRound how often others do.
	firstRound = 10 * time.Second
	everyRound = time.Minute
	// everyDrain is how often delivered events are removed where none is to be kept.
	everyDrain = time.Second
	// laneTime is how long one webhook may keep the others waiting: what it has begun then goes on
	// without being waited for.
	laneTime = time.Minute
	// afterFailure is how long making room waits after it failed.
	afterFailure = time.Second
	// everySize is how often the size is looked at where there is much room.
	everySize = 10 * time.Second
	// slack is how far something may be over its time, as a part of that time and at most: so that
	// what goes, goes in some large steps and not in many small ones.
	slackPart = 24
	slackMost = time.Hour
	// standsStill is how many events behind a cursor is that should have moved by itself.
	standsStill = 4096
	// farAhead is so far ahead that everything was created before.
	farAhead = 100 * 365 * 24 * time.Hour
)

// slack is how late something of that age may go.
func slack(age time.Duration) time.Duration { return min(age/slackPart, slackMost) }

// Retention removes what the policy lets go. Make it with New.
type Retention struct {
	engine Engine
	lanes  Lanes
	policy Policy
	log    *slog.Logger

	// of the goroutine in Run
	clock     *clock
	was       string                      // what was last logged of the clock
	told      map[string]time.Time        // when a failure was last logged, by what failed
	rest      time.Time                   // until then no room is made, since it could not be
	purgeNext map[outbox.SubID]time.Time  // when a dead letter will be old; absent: not known
	expireAt  map[outbox.SubID]outbox.Seq // where letting go of dead letters goes on

	mu     sync.Mutex
	losses map[outbox.SubID]Loss
}

// New makes a Retention, which starts nothing. newest is the creation of the newest event before
// anything was appended by this process, zero if there is none: what it knows of the time. A nil
// log discards.
func New(e Engine, l Lanes, p Policy, newest time.Time, log *slog.Logger) *Retention {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	return &Retention{
		engine: e, lanes: hurried{l}, policy: p, log: log, clock: newClock(newest, p.Now()),
		told: map[string]time.Time{}, purgeNext: map[outbox.SubID]time.Time{}, expireAt: map[outbox.SubID]outbox.Seq{}, losses: map[outbox.SubID]Loss{},
	}
}

// Run removes what may go until ctx ends, and returns nil. It works in small steps, which wait for
// other writes. What fails is logged, and tried again in the next round.
func (r *Retention) Run(ctx context.Context) error {
	r.doubt(ctx)
	timer := time.NewTimer(min(firstRound, r.pace()))
	defer timer.Stop()
	next := r.policy.Now().Add(firstRound)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if !r.policy.Now().Before(r.rest) && !r.try(ctx, "make room", r.makeRoom) {
			r.rest = r.policy.Now().Add(afterFailure)
		}
		now := r.policy.Now()
		switch {
		case !now.Before(next):
			r.round(ctx)
			next = r.policy.Now().Add(everyRound)
		case r.policy.Delivered == 0:
			r.try(ctx, "remove delivered events", r.trim)
		}
		timer.Reset(max(0, min(next.Sub(r.policy.Now()), r.pace())))
	}
}

// doubt begins with the newest time that WhatsApp gave where the newest event says that it is much
// later: that one may have the time of a clock that was wrong, which the next start must not take
// for known.
func (r *Retention) doubt(ctx context.Context) {
	page, err := r.engine.Events(ctx, outbox.EventQuery{Backward: true, Heads: true})
	if err != nil {
		return // what else needs the log will say so
	}
	var stanza time.Time
	for _, e := range page.Events {
		if s := time.Unix(int64(e.Stamp), 0); e.Stamp > 0 && s.After(stanza) {
			stanza = s
		}
	}
	if !stanza.IsZero() && r.clock.known.Sub(stanza) > clockStep {
		r.clock = newClock(stanza, r.policy.Now())
	}
}

// pace is how long nothing needs to be looked at.
func (r *Retention) pace() time.Duration {
	pace := max(r.sizePace(), r.rest.Sub(r.policy.Now()))
	if r.policy.Delivered == 0 {
		pace = min(pace, everyDrain)
	}
	return pace
}

// try does one part of the work; what fails is for the next round. It reports whether it did.
func (r *Retention) try(ctx context.Context, what string, do func(context.Context) error) bool {
	err := do(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, outbox.ErrClosed) && r.tell(what) {
		r.log.Warn("retention cannot "+what+", it is tried again", "error", err)
	}
	return err == nil
}

// tell reports whether a failure is logged: once a minute, since some things are tried every
// second, and a log must not fill the disk.
func (r *Retention) tell(what string) bool {
	now := r.policy.Now()
	if at, ok := r.told[what]; ok && now.Sub(at) < everyRound {
		return false
	}
	r.told[what] = now
	return true
}

func (r *Retention) round(ctx context.Context) {
	r.try(ctx, "forget settled sends", r.forgetSends)
	r.try(ctx, "trim the audit trail", r.trimAudit)
	r.try(ctx, "remove delivered events", r.trim)
	r.try(ctx, "let deliveries expire", r.expire)
	r.try(ctx, "purge old dead letters", r.purge)
}

// now returns the time by which things are old; false when nobody can tell.
func (r *Retention) now(ctx context.Context) (time.Time, bool, error) {
	newest, err := r.engine.Newest(ctx)
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return time.Time{}, false, err
	}
	now := r.policy.Now()
	t, behind := r.clock.now(now, newest.Time)
	ahead, until, trial := r.clock.trial(now)
	state := ""
	switch {
	case behind:
		state = "the clock is behind the newest event: nothing is removed for its age until it is not"
	case trial:
		state = "the clock is ahead of what is known of the time: nothing is removed by the new time until it has been so for a day"
	}
	if state != r.was && state != "" {
		r.log.Warn(state, "newest_event", newest.Time, "ahead", ahead.Round(time.Second), "believed_at", until.Round(0))
	}
	r.was = state
	return t, !behind, nil
}

// trim removes delivered events that are old enough.
func (r *Retention) trim(ctx context.Context) error {
	if r.policy.Delivered == 0 { // whatever the clock says
		_, err := r.trimAll(ctx, r.policy.Now().Add(farAhead), nil)
		return err
	}
	now, known, err := r.now(ctx)
	if err != nil || !known {
		return err
	}
	n, err := r.trimAll(ctx, now.Add(-r.policy.Delivered), nil)
	if n > 0 {
		r.log.Debug("delivered events removed", "count", n)
	}
	return err
}

// trimAll removes delivered events created before before, step by step, until there is none or
// enough says so.
func (r *Retention) trimAll(ctx context.Context, before time.Time, enough func() bool) (total int, err error) {
	for more := true; more && (enough == nil || !enough()); {
		var n int
		if n, more, err = r.engine.Trim(ctx, before, outbox.MaxBatch); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// expire ends what has waited for too long.
func (r *Retention) expire(ctx context.Context) error {
	now, known, err := r.now(ctx)
	if err != nil || !known {
		return err
	}
	stats, err := r.engine.Stats(ctx)
	if err != nil || stats.CountsUnknown {
		return err
	}
	before := now.Add(-r.policy.Pending)
	var failed error
	for id, s := range stats.Subs {
		old := s.OldestPending.Before(before.Add(-slack(r.policy.Pending))) ||
			// its clock was wrong: others may be old
			s.OldestPending.After(r.policy.Now().Add(clockStep))
		switch {
		case s.Pending > 0 && !old:
			continue
		case s.Pending == 0:
			// nothing is owed, but its cursor stands still: it may be paused, and want little
			if s.Holds == 0 || stats.Last-s.Holds < standsStill {
				continue
			}
			// what is appended just now may be owed: it is younger than that
			if _, _, err := r.lanes.Expire(ctx, id, now.Add(-max(r.policy.Delivered, time.Hour)), 0); err != nil {
				failed = errors.Join(failed, err)
			}
			continue
		}
		total := 0
		for more := true; more; {
			var n int
			if n, more, err = r.lanes.Expire(ctx, id, before, 0); err != nil {
				failed = errors.Join(failed, err)
				break
			}
			more = more && n > 0
			total += n
		}
		if total > 0 {
			r.log.Error("deliveries waited for too long and expired", "subscription", id, "count", total, "after", r.policy.Pending)
		}
	}
	return failed
}

// purge discards dead letters that are old, also those of removed webhooks.
func (r *Retention) purge(ctx context.Context) error {
	now, known, err := r.now(ctx)
	if err != nil || !known {
		return err
	}
	before := now.Add(-r.policy.Dead)
	var failed error
	there := map[outbox.SubID]time.Time{}
	err = r.eachWithDead(ctx, func(id outbox.SubID) {
		if next, ok := r.purgeNext[id]; ok && now.Before(next) {
			there[id] = next
			return
		}
		n, oldest, err := r.lanes.PurgeOld(ctx, id, before)
		if n > 0 {
			r.log.Warn("old dead letters purged", "subscription", id, "count", n, "after", r.policy.Dead)
		}
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		default:
			// later ones die later; with none left the next one is young for as long
			if oldest.IsZero() {
				oldest = now
			}
			there[id] = oldest.Add(r.policy.Dead + slack(r.policy.Dead))
		}
	})
	r.purgeNext = there
	return errors.Join(failed, err)
}

// eachWithDead calls fn for every subscription that has dead letters.
func (r *Retention) eachWithDead(ctx context.Context, fn func(id outbox.SubID)) error {
	for after := outbox.SubID(""); ; {
		page, err := r.engine.WithDead(ctx, after, outbox.MaxBatch)
		if err != nil {
			return err
		}
		for _, s := range page {
			fn(s.ID)
			after = s.ID
		}
		if len(page) < outbox.MaxBatch || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// forgetSends removes what is known of own sends that were settled a day ago.
func (r *Retention) forgetSends(ctx context.Context) error {
	now, known, err := r.now(ctx)
	if err != nil || !known {
		return err
	}
	for more := true; more; {
		if more, err = r.engine.ForgetSends(ctx, now.Add(-outbox.SendKept)); err != nil {
			return err
		}
	}
	return nil
}

// trimAudit keeps the audit trail within its bounds. Where nobody knows the time, only the number
// of records bounds it.
func (r *Retention) trimAudit(ctx context.Context) error {
	now, known, err := r.now(ctx)
	if err != nil {
		return err
	}
	var before time.Time
	if known {
		before = now.Add(-outbox.AuditKept)
	}
	for _, kind := range outbox.AuditKinds() {
		for more := true; more; {
			if _, more, err = r.engine.TrimAudit(ctx, kind, before, kind.Most()); err != nil {
				return err
			}
		}
	}
	return nil
}

package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"waoutbox/outbox"
)

// Loss is what a webhook lost to make room.
type Loss struct {
	Webhook outbox.SubID
	Events  int64
	Since   time.Time // the first
	Last    time.Time
}

// lossShown is how long after the last one losses are told of.
const lossShown = 24 * time.Hour

// Losses returns what webhooks lost to make room, in this process and the last of it within a day,
// by webhook. Safe for concurrent use.
func (r *Retention) Losses() []Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.losses, func(_ outbox.SubID, l Loss) bool { return r.policy.Now().Sub(l.Last) > lossShown })
	var out []Loss
	for _, id := range slices.Sorted(maps.Keys(r.losses)) {
		out = append(out, r.losses[id])
	}
	return out
}

func (r *Retention) lost(id outbox.SubID, n int) {
	if n == 0 {
		return
	}
	r.log.Error("deliveries expired to make room in the outbox", "subscription", id, "count", n, "max_bytes", r.policy.MaxBytes)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.policy.Now()
	l, ok := r.losses[id]
	if !ok || now.Sub(l.Last) > lossShown {
		l = Loss{Webhook: id, Since: now}
	}
	l.Events += int64(n)
	l.Last = now
	r.losses[id] = l
}

// high is how many bytes in use are too many: appends are refused at MaxBytes, and room is made
// before. low is when there is room enough.
func (r *Retention) high() int64 { return r.policy.MaxBytes - margin(r.policy.MaxBytes) }
func (r *Retention) low() int64  { return r.policy.MaxBytes - 2*margin(r.policy.MaxBytes) }

// margin is a sixteenth, at most 64 MiB.
func margin(limit int64) int64 { return min(limit/16, 64<<20) }

// fastest is more bytes a second than appends can take.
const fastest = 64 << 20

// sizePace is how long the file cannot become too large.
func (r *Retention) sizePace() time.Duration {
	if r.policy.MaxBytes == 0 {
		return everyRound
	}
	left := max(0, r.high()-r.engine.LiveBytes())
	return min(max(time.Duration(left/(fastest/1000))*time.Millisecond, 20*time.Millisecond), everySize)
}

const (
	// yieldLeast and yieldMost are how many events one step lets go of.
	yieldLeast = outbox.MaxBatch
	yieldMost  = 16384
)

// makeRoom removes delivered events early when the file is nearly as large as it may be, and if
// that is not enough, lets the oldest part go of what holds most, again and again: a webhook that
// nobody looks after never keeps the others from getting theirs.
func (r *Retention) makeRoom(ctx context.Context) error {
	if r.policy.MaxBytes == 0 || r.engine.LiveBytes() < r.high() {
		return nil
	}
	enough := func() bool { return r.engine.LiveBytes() < r.low() }
	all := r.policy.Now().Add(farAhead)
	n, err := r.trimAll(ctx, all, enough)
	if n > 0 {
		r.log.Warn("delivered events removed early to make room in the outbox", "count", n, "max_bytes", r.policy.MaxBytes)
	}
	useless := map[holder]outbox.Seq{}
	for err == nil && !enough() {
		var v *victim
		if v, err = r.chooseVictim(ctx, useless); err != nil || v == nil {
			break
		}
		var lost, trimmed int
		if lost, err = r.yield(ctx, v); err != nil {
			useless[v.holder] = v.from
			if r.tell("yield " + string(v.id)) {
				r.log.Warn("a webhook cannot yield what it holds of the outbox", "subscription", v.id, "error", err)
			}
			err = ctx.Err()
			continue
		}
		r.lost(v.id, lost)
		trimmed, err = r.trimAll(ctx, all, enough)
		if lost == 0 && trimmed == 0 {
			useless[v.holder] = v.from
		}
	}
	if err == nil && r.engine.LiveBytes() >= r.high() {
		err = fmt.Errorf("%d bytes are in use and nothing is left that could go", r.engine.LiveBytes())
	}
	return err
}

// holder is what holds events: the unfinished deliveries of a subscription, or its dead letters.
type holder struct {
	id   outbox.SubID
	dead bool
}

// victim is the holder that yields next, and how much of it.
type victim struct {
	holder
	bytes  int64 // about what it holds
	from   outbox.Seq
	events int // to let go of
	last   outbox.Seq
}

// chooseVictim returns who holds most, nil when nobody holds anything. Unfinished deliveries hold
// everything from the first of them on, dead letters their events alone. useless are those that
// have not yielded, and from where on they hold events: above it nothing would be won by another
// loss.
func (r *Retention) chooseVictim(ctx context.Context, useless map[holder]outbox.Seq) (*victim, error) {
	stats, err := r.engine.Stats(ctx)
	if err != nil {
		return nil, err
	}
	if stats.CountsUnknown {
		return nil, errors.New("what holds most is not known: a part of the outbox cannot be read")
	}
	if stats.Events <= 0 {
		return nil, nil
	}
	live := r.engine.LiveBytes()
	each := max(1, live/stats.Events)
	step := int(min(max((live-r.low())/each, yieldLeast), yieldMost))
	held := stats.Last + 1
	for h, from := range useless {
		if !h.dead {
			held = min(held, from)
		}
	}
	var best *victim
	consider := func(v victim) {
		_, tried := useless[v.holder]
		switch {
		case v.bytes <= 0 || tried || !v.dead && v.from >= held:
		case best == nil, v.bytes > best.bytes, v.bytes == best.bytes && v.id < best.id:
			best = &v
		}
	}
	for id, s := range stats.Subs {
		if s.Holds > 0 {
			consider(victim{holder: holder{id: id}, bytes: int64(stats.Last-s.Holds+1) * each, from: s.Holds, events: step, last: stats.Last})
		}
	}
	err = r.eachWithDead(ctx, func(id outbox.SubID) {
		counts, err := r.engine.DeadReasons(ctx, id)
		if err != nil {
			return // gone meanwhile
		}
		n := int64(0)
		for reason, c := range counts {
			if reason != outbox.ReasonExpired {
				n += c
			}
		}
		consider(victim{holder: holder{id, true}, bytes: n * each, events: step})
	})
	return best, err
}

// yield lets go of the oldest part of what v holds.
func (r *Retention) yield(ctx context.Context, v *victim) (lost int, err error) {
	if !v.dead {
		below := min(v.from+outbox.Seq(v.events), v.last+1)
		lost, _, err = r.lanes.Expire(ctx, v.id, time.Time{}, below)
		return lost, err
	}
	lost, next, err := r.lanes.ExpireDead(ctx, v.id, r.expireAt[v.id], v.events)
	r.expireAt[v.id] = next // 0: from the beginning again, the next time
	return lost, err
}

package retention

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// A webhook that gets nothing yields before appends would be refused, the one that holds most
// first, and is told of; a healthy one loses nothing. While it cannot yield, nobody else loses
// anything, since nothing would be won.
//
// Mutation of room.go: a webhook loses its events although nothing is won by it.
func TestRoomIsMadeByWhoHoldsMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, id := range []outbox.SubID{"wh_dead", "wh_late", "wh_ok"} {
			r.subscribe(id)
		}
		p := days(3, 30, 30)
		p.MaxBytes = 1000 * small
		ret := New(r, r, p, time.Time{}, nil)
		made := 0
		fill := func(n int) {
			for range n {
				r.append(small)
				r.delivered("wh_ok")
				if made++; made%10 == 0 {
					if err := ret.makeRoom(t.Context()); err != nil {
						t.Fatal(err)
					}
					if live := r.LiveBytes(); live > p.MaxBytes {
						t.Fatalf("%d MiB after %d events", live/small, made)
					}
				}
			}
		}
		r.delivered("wh_late")
		fill(900)
		if len(ret.Losses()) != 0 {
			t.Fatalf("lost with room left: %+v", ret.Losses())
		}
		r.delivered("wh_late")
		fill(900)
		l := ret.Losses()
		if len(l) != 1 || l[0].Webhook != "wh_dead" || l[0].Events < 500 || l[0].Since.IsZero() {
			t.Fatalf("losses %+v", l)
		}
		if _, s := r.stats("wh_late"); s.Dead != 0 || s.Pending < 800 {
			t.Errorf("wh_late: %+v", s)
		}
		r.delivered("wh_late")
		r.fail["wh_dead"] = errors.New("no")
		if _, err := ret.trimAll(t.Context(), time.Now().Add(day), nil); err != nil {
			t.Fatal(err)
		}
		for r.LiveBytes() < p.MaxBytes {
			r.append(small)
			r.delivered("wh_ok")
		}
		if err := ret.makeRoom(t.Context()); err == nil || len(ret.Losses()) != 1 {
			t.Errorf("%v, losses %+v", err, ret.Losses())
		}
		delete(r.fail, "wh_dead")
		if err := ret.makeRoom(t.Context()); err != nil {
			t.Error(err)
		}
		if _, s := r.stats("wh_late"); s.Dead != 0 || s.Pending == 0 {
			t.Errorf("wh_late: %+v", s)
		}
		// only what holds as much as the other does is next
		fill(1500)
		if l := ret.Losses(); len(l) != 2 || l[1].Webhook != "wh_late" {
			t.Errorf("losses %+v", l)
		}
		if _, s := r.stats("wh_ok"); s.Dead != 0 || s.Pending != 0 {
			t.Errorf("wh_ok: %+v", s)
		}
		idle(2 * day)
		if l := ret.Losses(); len(l) != 0 {
			t.Errorf("losses of before yesterday: %+v", l)
		}
	})
}

// Dead letters, those of removed webhooks too, yield like others when they hold most; delivered
// events go first.
func TestRoomIsMadeByDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		p := days(3, 30, 30)
		p.MaxBytes = 1000 * small
		ret := New(r, r, p, time.Time{}, nil)
		var set []outbox.Record
		for range 800 {
			set = append(set, outbox.Record{Seq: r.append(small), State: outbox.Dead, Reason: "http", At: time.Now()})
		}
		for step := range slices.Chunk(set, outbox.MaxChange) {
			if err := r.Commit(t.Context(), outbox.Change{Sub: "wh_a", Next: step[len(step)-1].Seq + 1, Set: step}); err != nil {
				t.Fatal(err)
			}
		}
		for range 180 {
			r.append(small)
		}
		r.delivered("wh_a")
		if err := ret.makeRoom(t.Context()); err != nil || len(ret.Losses()) != 0 {
			t.Fatalf("%v, %+v; delivered events are enough", err, ret.Losses())
		}
		for range 200 {
			r.append(small)
			if err := ret.makeRoom(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s, err := r.Sub(t.Context(), "wh_a")
		if err != nil {
			t.Fatal(err)
		}
		if _, s := r.stats("wh_a"); s.Pending != 200 || s.DeadByReason[outbox.ReasonExpired] == 0 || s.DeadByReason["http"] == 0 {
			t.Errorf("%+v", s)
		}
		s.Removed, s.Epochs = true, append(s.Epochs, outbox.Epoch{})
		if _, err := r.PutSub(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r.delivered("wh_a")
		for range 900 {
			r.append(small)
			if err := ret.makeRoom(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// nobody is owed them, so it was enough to remove them early
		if counts, err := r.DeadReasons(t.Context(), "wh_a"); err != nil || counts["http"] == 0 {
			t.Errorf("%v, %v", counts, err)
		}
	})
}

// Where nothing is left that could go, that is said, once a minute, and looked at once a second. It
// was looked at and logged fifty times a second, as "what holds most is not known: a part of the
// outbox cannot be read", though all of it could be.
func TestNothingCanGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.base = small
		p := days(3, 30, 30)
		p.MaxBytes = small / 2
		stop := r.start(p, time.Time{})
		idle(time.Hour)
		stop()
		log := r.log.String()
		if n := strings.Count(log, "retention cannot make room"); n < 50 || n > 61 {
			t.Errorf("%d lines in an hour", n)
		}
		if !strings.Contains(log, "nothing is left that could go") || strings.Contains(log, "cannot be read") {
			t.Errorf("logged %.300s", log)
		}
	})
}

// stuckEngine removes nothing, as an engine does that does not know what a subscription is owed.
type stuckEngine struct {
	*rig
	tries int
}

func (s *stuckEngine) Trim(context.Context, time.Time, int) (int, bool, error) {
	s.tries++
	return 0, false, errors.New("nothing is removed")
}

// Where nothing can be removed, nothing expires in vain, and the log and the processor are left in
// peace. Before, it was tried, and logged, fifty times a second.
//
// Mutation of retention.go: where nothing can be removed, it is tried and logged fifty times a
// second.
func TestNoRoomCanBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.subscribe("wh_a")
		p := days(3, 30, 30)
		p.MaxBytes = 100 * small
		for range 99 {
			r.append(small)
		}
		e := &stuckEngine{rig: r}
		ctx, cancel := context.WithCancel(t.Context())
		ret := New(e, r, p, time.Time{}, slog.New(slog.NewTextHandler(&r.log, nil)))
		done := make(chan error, 1)
		go func() { done <- ret.Run(ctx) }()
		idle(10 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, s := r.stats("wh_a"); s.Pending != 99 || s.Dead != 0 || len(ret.Losses()) != 0 {
			t.Errorf("%+v, losses %+v", s, ret.Losses())
		}
		if n := strings.Count(r.log.String(), "\n"); n < 10 || n > 25 || e.tries < 300 || e.tries > 700 {
			t.Errorf("in ten minutes %d tries and %d lines of the log", e.tries, n)
		}
	})
}

package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// slowReads is an engine that is near but for its reads: each takes that long.
type slowReads struct {
	Source
	takes time.Duration

	mu      sync.Mutex
	running int // reads
	bytes   int // of bodies that were read
}

func (s *slowReads) Read(ctx context.Context, sub outbox.SubID, from outbox.Seq, maxBytes int) ([]outbox.Event, outbox.Seq, error) {
	s.add(1, 0)
	defer s.add(-1, 0)
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, from, ctx.Err()
	}
	evs, next, err := s.Source.Read(ctx, sub, from, maxBytes)
	for _, ev := range evs {
		s.add(0, len(ev.Body))
	}
	return evs, next, err
}

func (s *slowReads) add(running, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running += running
	s.bytes += bytes
}

func (s *slowReads) reading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running > 0
}

func (s *slowReads) read() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// readSlowly makes the reads of the rig's engine slow from now on.
func (r *rig) readSlowly(takes time.Duration) *slowReads {
	s := &slowReads{Source: r.opt.Source, takes: takes}
	r.opt.Source = s
	r.d = New(r.opt)
	return s
}

// TestALaneReadsAheadWhileItSends: reads of 50 ms, beside which it sends, and holds no more than it
// may. Before, each chunk that was read came after a gap of 50 ms in which nothing was sent.
//
// Mutation of fetch.go: it reads only when it has nothing to send any more.
func TestALaneReadsAheadWhileItSends(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		const events, size, took = 3000, 1000, 4 * time.Millisecond
		var source *slowReads
		var sent, most int
		var mu sync.Mutex
		r := newRig(t, func(ctx context.Context, q Request) Result {
			mu.Lock()
			most = max(most, source.read()-sent)
			sent += len(q.Event.Body)
			mu.Unlock()
			return after(took, ok)(ctx, q)
		})
		source = r.readSlowly(callTime)
		for i := range events {
			_, err := r.fake.Append(t.Context(), outbox.Event{
				Key: fmt.Sprint("evt_", i), Random: true, Name: "message.received", Chat: fmt.Sprint("chat ", i), Body: make([]byte, size),
			})
			r.must(err)
		}
		r.run()
		r.idle(time.Minute)
		all := r.end.all()
		if len(all) != events {
			t.Fatalf("sent %d of %d", len(all), events)
		}
		gaps := time.Duration(0)
		for i := 1; i < len(all); i++ {
			if gap := all[i].At - all[i-1].At; gap > took {
				gaps += gap - took
			}
		}
		if gaps > 2*callTime { // some, until it has found out how much is sent while it reads
			t.Errorf("nothing was sent for %v, where a read takes %v", gaps, callTime)
		}
		if most > 1<<20+readChunk {
			t.Errorf("%d bytes were read ahead", most)
		}
	})
}

// TestALaneWorksWhileItReads: a read that takes an hour delays nothing that is known: attempts come
// at their times, and whatever is asked of the lane is done at once.
//
// Mutation of fetch.go: a lane does nothing while it reads, which takes a while from an engine that
// is far away.
func TestALaneWorksWhileItReads(t *testing.T) {
	setup := func(t *testing.T) (r *rig, old []outbox.Seq) {
		r = newRig(t, fails)
		source := r.readSlowly(0)
		old = r.append("alice", "bob")
		r.run()
		r.idle(0)
		source.mu.Lock()
		source.takes = time.Hour
		source.mu.Unlock()
		r.append("carol") // ends the wait, and a read begins
		synctest.Wait()
		if !source.reading() {
			t.Fatal("no read is under way")
		}
		return r, old
	}
	begun := func(t *testing.T, what string, do func() error) {
		t.Helper()
		at := time.Now()
		if err := do(); err != nil || time.Since(at) > time.Second {
			t.Errorf("%s: %v after %v", what, err, time.Since(at))
		}
	}
	for name, test := range map[string]func(t *testing.T, r *rig, old []outbox.Seq){
		"retries": func(t *testing.T, r *rig, old []outbox.Seq) {
			r.idle(20 * time.Second)
			var at []time.Duration
			for _, s := range r.end.all() {
				if s.Seq == old[0] {
					at = append(at, s.At)
				}
			}
			if want := []time.Duration{0, 1e9, 4e9, 14e9}; !slices.Equal(at, want) {
				t.Errorf("attempts at %v, want %v", at, want)
			}
			r.idle(time.Hour)
			if got := r.end.of("carol"); len(got) != 4 {
				t.Errorf("what was read came %d times, want 4", len(got))
			}
		},
		"pause and resume": func(t *testing.T, r *rig, old []outbox.Seq) {
			begun(t, "pause", func() error { return r.d.Pause(t.Context(), subA, "for a while") })
			n := len(r.end.all())
			r.idle(2 * time.Hour) // the read ends meanwhile
			if got := len(r.end.all()); got != n || r.d.State(subA).Status != StatusPaused {
				t.Errorf("%d attempts while it was paused", got-n)
			}
			begun(t, "resume", func() error { return r.d.Resume(t.Context(), subA) })
			r.idle(time.Minute)
			if got := r.end.of("carol"); len(got) != 4 {
				t.Errorf("carol got %v", got)
			}
		},
		"another filter": func(t *testing.T, r *rig, old []outbox.Seq) {
			r.refilter(outbox.Filter{Events: []string{outbox.Any}, Chats: []string{"alice"}})
			begun(t, "sync", func() error { return r.d.Sync(t.Context(), subA) })
			r.append("carol") // is not owed any more, the one before is
			last := r.append("alice")
			r.idle(3 * time.Hour)
			if got := r.end.of("carol"); len(got) != 4 || got[0] != old[1]+1 {
				t.Errorf("carol got %v", got)
			}
			if got := r.end.of("alice"); len(got) != 8 || got[7] != last[0] {
				t.Errorf("alice got %v", got)
			}
		},
		"removal": func(t *testing.T, r *rig, old []outbox.Seq) {
			r.remove()
			begun(t, "sync", func() error { return r.d.Sync(t.Context(), subA) })
			if r.letters() != 3 || r.hasLane(subA) {
				t.Errorf("%d dead letters, want 3; a lane: %v", r.letters(), r.hasLane(subA))
			}
		},
		"expiry": func(t *testing.T, r *rig, old []outbox.Seq) {
			r.idle(20 * time.Second) // the first two are dead
			begun(t, "expire", func() error {
				n, _, err := r.d.Expire(t.Context(), subA, time.Now(), 0)
				if n != 1 {
					t.Errorf("%d expired", n)
				}
				return err
			})
			r.append("alice")
			r.idle(3 * time.Hour)
			if got := r.end.of("carol"); len(got) != 0 {
				t.Errorf("what had expired while it was read was sent: %v", got)
			}
			if got := r.end.of("alice"); len(got) != 8 {
				t.Errorf("alice got %v", got)
			}
		},
		"redelivery": func(t *testing.T, r *rig, old []outbox.Seq) {
			r.idle(20 * time.Second)
			begun(t, "redeliver", func() error {
				queued, missing, err := r.d.Redeliver(t.Context(), subA, append(old, old[1]+1))
				if queued != 2 || len(missing) != 0 {
					t.Errorf("queued %d, missing %v", queued, missing)
				}
				return err
			})
			r.idle(time.Minute)
			if got := r.end.of("alice"); len(got) != 8 {
				t.Errorf("alice got %v", got)
			}
			r.idle(2 * time.Hour)
			if got := r.end.of("carol"); len(got) != 4 {
				t.Errorf("carol got %v", got)
			}
		},
		"the end": func(t *testing.T, r *rig, old []outbox.Seq) {
			begun(t, "stop", func() error { r.stop(); return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T) {
				r, old := setup(t)
				test(t, r, old)
			})
		})
	}
}

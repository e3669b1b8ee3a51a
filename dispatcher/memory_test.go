package dispatcher

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

// The log is read again for each attempt, also after a restart and a replay.
func TestTheAttemptLogIsWholeThoughNoLaneKeepsIt(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		n := 0
		r := newRig(t, func(context.Context, Request) Result {
			n++
			return Result{Class: outbox.ClassHTTP, Status: 500 + n, Message: fmt.Sprint("no ", n), Excerpt: []byte(fmt.Sprint("body ", n))}
		})
		r.run()
		seqs := r.append("alice")
		r.idle(2 * time.Second) // attempts 1 and 2
		r.restart()
		r.idle(time.Minute) // 3 and 4
		_, _, err := r.d.Replay(t.Context(), subA, seqs)
		r.must(err)
		r.idle(2 * time.Second) // 5 and 6
		r.restart()
		r.idle(time.Minute) // 7 and 8
		dead := r.dead()
		if len(dead) != 1 {
			t.Fatalf("dead %+v", dead)
		}
		log, err := outbox.DecodeLog(dead[0].Log)
		r.must(err)
		var got []int
		for _, a := range log.Attempts {
			got = append(got, a.Status)
		}
		if fmt.Sprint(got) != "[501 502 503 504 505 506 507 508]" || log.Message != "no 8" || string(log.Excerpt) != "body 8" {
			t.Errorf("statuses %v, message %q, excerpt %q", got, log.Message, log.Excerpt)
		}
	})
}

// What cannot be read costs no attempt.
func TestALogThatCannotBeReadHoldsTheLane(t *testing.T) {
	for name, fault := range map[string]func() error{
		"error": func() error { return outbox.ErrClosed },
		"panic": func() error { panic("broken engine") },
	} {
		everywhere(t, func(t *testing.T) {
			r := newRig(t, fails)
			r.run()
			r.append("alice")
			r.fake.Hook(func(op string) error {
				if op == "RecordAt" && time.Since(r.end.start) < 20*time.Second {
					return fault()
				}
				return nil
			})
			r.idle(10 * time.Second)
			if s := r.d.State(subA); s.Status != StatusHeld || !strings.Contains(s.Reason, "cannot be read") || len(r.end.all()) != 1 {
				t.Errorf("%s: state %+v, sent %v", name, s, r.end.all())
			}
			r.idle(time.Minute)
			d := r.dead()
			if len(d) != 1 || d[0].Attempts != 4 {
				t.Fatalf("%s: dead %+v", name, d)
			}
			if log, err := outbox.DecodeLog(d[0].Log); err != nil || len(log.Attempts) != 4 {
				t.Errorf("%s: log %+v, %v", name, log, err)
			}
			r.stop()
		})
	}
}

// longFault is a panic of the runtime with a long text.
type longFault struct{}

func (longFault) RuntimeError() {}
func (longFault) Error() string { return strings.Repeat("ä", 10<<10) }

// Before: "sent 6 times, dead 0, next 1, state {… record 1 has a log above 16384 …}" after a
// minute: the lane was loaded again after each attempt.
//
// Mutation of attempt.go: a sender that fails in itself with a long text is tried for ever.
func TestAPanicWithALongTextIsDeadAfterFourAttempts(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, func(ctx context.Context, q Request) Result {
			if q.Event.Chat == "poison" {
				panic(longFault{})
			}
			return ok(ctx, q)
		}, logInto(&log))
		r.run()
		r.append("poison", "alice")
		r.idle(time.Minute)
		d := r.dead()
		if n := len(r.end.of("poison")); n != 4 || len(d) != 1 || d[0].Attempts != 4 || r.next() != 3 {
			t.Fatalf("sent %d times, dead %d, next %d, state %+v", n, len(d), r.next(), r.d.State(subA))
		}
		l, err := outbox.DecodeLog(d[0].Log)
		if err != nil || len(l.Message) > maxMessage || !strings.HasPrefix(l.Message, "panic while sending: ä") || !strings.HasSuffix(l.Message, "ä…") {
			t.Errorf("message of %d bytes, %v", len(l.Message), err)
		}
		if log.Len() > 5*4*maxMessage {
			t.Errorf("%d bytes were logged of it", log.Len())
		}
		for _, s := range []string{log.String(), r.d.State(subA).Reason} {
			if strings.Contains(s, "loaded again") || strings.Contains(s, "lane failed") {
				t.Errorf("the lane was loaded again: %s", s)
			}
		}
	})
}

// Whatever an endpoint does, what a lane writes of it fits: a Change that is too large would end
// its lane each time.
func TestTheLargestLogFitsItsRecord(t *testing.T) {
	log := outbox.Log{}
	for n := range 100 {
		log = log.Add(outbox.Attempt{N: n, Class: outbox.ClassHTTP}, clampText(strings.Repeat("x", 1<<20)), make([]byte, 1<<20))
	}
	if n := len(outbox.EncodeLog(log)); n > outbox.MaxRecordLog/2 {
		t.Errorf("a log of %d bytes, at most %d can be stored", n, outbox.MaxRecordLog)
	}
	if n := len(clamp(strings.Repeat("x", 1<<20), maxClass)); n > outbox.MaxField {
		t.Errorf("a reason of %d bytes", n)
	}
	if got := clamp("aäöü", 6); got != "aä…" || clamp("aäöü", 7) != "aäöü" {
		t.Errorf("got %q", got)
	}
}

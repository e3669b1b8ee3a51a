package outboxtest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

func TestSlowFakeConforms(t *testing.T) {
	RunSlow(t, func(testing.TB) Engine { return NewFake() })
}

// An operation that an engine gets later must be slow too.
func TestEveryOperationIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := reflect.ValueOf(NewSlow(NewFake(), SlowOptions{}))
		for m := range reflect.TypeFor[Engine]().Methods() {
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for i := 1; i < m.Type.NumIn(); i++ {
				if i < m.Type.NumIn()-1 || !m.Type.IsVariadic() {
					args = append(args, reflect.Zero(m.Type.In(i)))
				}
			}
			begin := time.Now()
			s.MethodByName(m.Name).Call(args)
			if took := time.Since(begin); took != 50*time.Millisecond {
				t.Errorf("%s of a slow engine took %v: it is missing in slow_operations.go", m.Name, took)
			}
		}
	})
}

// An uncertain write lands after its verdict, or never, and who reads what it writes waits for
// that.
func TestAnUncertainWriteEndsBeforeItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, fake := t.Context(), NewFake()
		slow := NewSlow(fake, SlowOptions{Every: 1})
		all := outbox.Subscription{ID: "wh_a", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}
		if _, err := fake.PutSub(ctx, all); err != nil {
			t.Fatal(err)
		}
		seqs, err := fake.Append(ctx, msg("a", "c"), msg("b", "c"), msg("c", "c"))
		if err != nil {
			t.Fatal(err)
		}
		for i, lands := range []bool{true, false, true} {
			begin := time.Now()
			c := outbox.Change{Sub: "wh_a", Next: seqs[i] + 1, Set: []outbox.Record{pendingRec(seqs[i])}}
			if err := slow.Commit(ctx, c); !errors.Is(err, outbox.ErrUnknown) {
				t.Fatalf("Commit = %v, want an unknown outcome", err)
			}
			c.Set[0].State = outbox.Dead // the caller's own
			if took := time.Since(begin); took != 50*time.Millisecond {
				t.Errorf("the verdict took %v", took)
			}
			if _, err := fake.RecordAt(ctx, "wh_a", seqs[i]); !errors.Is(err, outbox.ErrNotFound) {
				t.Errorf("write %d has landed before its time: %v", i, err)
			}
			if _, _, err := slow.Read(ctx, "wh_a", 1, 1); err != nil || time.Since(begin) != 100*time.Millisecond {
				t.Errorf("a read of the log waited %v, %v", time.Since(begin), err)
			}
			next, _, _, err := slow.Load(ctx, "wh_a")
			if took := time.Since(begin); took != 250*time.Millisecond {
				t.Errorf("Load returned %v after the write began, want it to wait for its end", took)
			}
			if err != nil || lands != (next == c.Next) {
				t.Errorf("Load after uncertain write %d: next %d, %v; it landed: %v", i, next, err, lands)
			}
			if r, err := fake.RecordAt(ctx, "wh_a", seqs[i]); lands && (err != nil || r.State != outbox.Pending) {
				t.Errorf("the record is %+v, %v", r, err)
			}
		}
	})
}

// A context withdraws a write in the first half of its time and never later.
func TestASlowWriteIsWithdrawnOnlyBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := NewSlow(NewFake(), SlowOptions{})
		for _, c := range []struct {
			patience time.Duration
			want     error
		}{{10 * time.Millisecond, context.DeadlineExceeded}, {40 * time.Millisecond, nil}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.patience)
			_, err := slow.Append(ctx, msg(c.patience.String(), "c"))
			cancel()
			if !errors.Is(err, c.want) {
				t.Errorf("an append whose caller leaves after %v: %v, want %v", c.patience, err, c.want)
			}
		}
		if st, err := slow.Stats(t.Context()); err != nil || st.Events != 1 {
			t.Errorf("%d events, %v; want the one that had begun", st.Events, err)
		}
	})
}

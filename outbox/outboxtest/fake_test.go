package outboxtest

import (
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Mutation of outbox/subscription.go: a filter matches by one address only.
// Mutation of outbox/event.go: events that were stored while the clock was behind are old as soon
// as it is set right.
func TestFakeConforms(t *testing.T) {
	Run(t, func(testing.TB) Engine { return NewFake() })
}

// The fake is used inside synctest bubbles: a waiter must count as durably blocked, and a hook's
// error must come back.
func TestFakeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFake()
		woke := false
		go func() {
			if err := f.Wait(t.Context(), 1); err == nil {
				woke = true
			}
		}()
		synctest.Wait()
		if woke {
			t.Fatal("Wait returned before there was an event")
		}
		if _, err := f.Append(t.Context(), msg("a", "c")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !woke {
			t.Fatal("Wait slept through an append")
		}
		boom := errors.New("boom")
		f.Hook(func(op string) error {
			if op == "Append" {
				return boom
			}
			return nil
		})
		if _, err := f.Append(t.Context(), msg("b", "c")); !errors.Is(err, boom) {
			t.Fatalf("Append = %v, want the hook's error", err)
		}
	})
}

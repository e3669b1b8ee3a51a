package store

import (
	"testing"
	"time"
)

// TestWithdrawalForgetsNobody: an operation that came while another one waited wakes nobody, since
// that one did. When the first is withdrawn at the moment at which the committer looks, and finds
// nothing left of it, somebody has to wake the committer for the second.
func TestWithdrawalForgetsNobody(t *testing.T) {
	q := queue{wake: make(chan struct{}, 1)}
	patient := func() *request { return &request{since: time.Now(), done: make(chan error, 1)} }
	first, second := patient(), patient()
	if woken, err := q.put(first); err != nil || !woken {
		t.Fatalf("the first operation is not the one that wakes the committer (%v)", err)
	}
	q.collect() // the committer looks, and sees the first alone
	if woken, err := q.put(second); err != nil || woken {
		t.Fatalf("the second operation wakes the committer again (%v)", err)
	}
	if !q.withdraw(first) {
		t.Fatal("what waits cannot be withdrawn")
	}
	select {
	case <-q.wake:
	default:
		t.Fatal("the committer sleeps, and an operation waits")
	}
	if _, wait := q.take(); wait <= 0 {
		t.Errorf("the committer waits for %v, and then nobody wakes it", wait)
	}
}

package pace

import (
	"testing"
	"time"
)

// TestALaneGrowsByOneWithEach2xx, up to its slots.
func TestALaneGrowsByOneWithEach2xx(t *testing.T) {
	th, now := NewThrottle(), time.Now()
	if got := th.Slots(4); got != 4 {
		t.Errorf("%d at once at first", got)
	}
	first, second := th.Begin(now), th.Begin(now)
	if wait := th.Refused(first, now); wait != time.Second || th.Slots(4) != 1 {
		t.Errorf("refused: waits %v, %d at once", wait, th.Slots(4))
	}
	if wait := th.Refused(second, now); wait != 0 {
		t.Errorf("the refusal of one that was sent before waits %v again", wait)
	}
	th.Accepted(second, 4, now)
	if th.Slots(4) != 1 {
		t.Error("it grows by a 2xx of what was sent before")
	}
	for _, want := range []int{2, 3, 4} {
		if th.Accepted(th.Begin(now), 4, now); th.Slots(4) != want {
			t.Errorf("%d at once, want %d", th.Slots(4), want)
		}
	}
	if th.width != 0 {
		t.Error("it is still narrow")
	}
	if wait := th.Refused(th.Begin(now), now); wait != time.Second {
		t.Errorf("after a 2xx it waits %v", wait)
	}
	if n := th.Begin(now); !th.Costs(n, 0) || th.Costs(n, 1) {
		t.Error("alone is who has nobody beside it")
	}
	if n := th.Begin(now); th.Begin(now) == n || th.Costs(n, 0) {
		t.Error("alone is who nobody joined")
	}
}

package recent

import (
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// Events are counted in their minute, and those of more than an hour ago no longer.
func TestArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Arrivals
		a.Appended(make([]outbox.Event, 3), 0)
		<-time.After(time.Minute)
		a.Appended(make([]outbox.Event, 2), 0)
		if got := a.Counts(time.Now()); len(got) != Minutes || got[Minutes-1] != 2 || got[Minutes-2] != 3 || got[0] != 0 {
			t.Errorf("after a minute: %v", got)
		}
		<-time.After(Minutes * time.Minute)
		a.Appended(make([]outbox.Event, 1), 0)
		if got := a.Counts(time.Now()); got[Minutes-1] != 1 || sum(got) != 1 {
			t.Errorf("after an hour: %v", got)
		}
	})
}

func sum(all []int64) (n int64) {
	for _, v := range all {
		n += v
	}
	return n
}

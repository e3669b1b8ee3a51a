package boltbox_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// arrivals keeps what an Observer of appends is told.
type arrivals struct {
	mu   sync.Mutex
	keys []string // of one append a word
}

func (a *arrivals) Appended(fresh []outbox.Event, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var keys []string
	for _, e := range fresh {
		keys = append(keys, fmt.Sprintf("%s@%d", e.Key, e.Seq))
	}
	if took <= 0 || took > time.Minute {
		keys = append(keys, took.String())
	}
	a.keys = append(a.keys, fmt.Sprint(keys))
}

// TestAnObserverIsToldOfEveryAppend: with what was not stored before, and of none that failed.
func TestAnObserverIsToldOfEveryAppend(t *testing.T) {
	told := &arrivals{}
	box := openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{Observer: told})
	event := func(n int) outbox.Event {
		return outbox.Event{Key: fmt.Sprintf("evt_%032d", n), Time: time.UnixMilli(1000), Name: "message.received", Chat: "1@lid", Body: []byte("{}")}
	}
	for _, evs := range [][]outbox.Event{{event(1)}, {event(1), event(2), event(3)}, {event(3)}} {
		if _, err := box.Append(t.Context(), evs...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := box.Append(t.Context(), outbox.Event{Key: "evt_x", Body: make([]byte, outbox.MaxBody+1)}); err == nil {
		t.Fatal("a body without end was taken")
	}
	one, two, three := event(1).Key, event(2).Key, event(3).Key
	if want := []string{"[" + one + "@1]", "[" + two + "@2 " + three + "@3]", "[]"}; !slices.Equal(told.keys, want) {
		t.Errorf("told of %q, want %q", told.keys, want)
	}
}

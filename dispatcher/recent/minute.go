package recent

import (
	"time"

	"waoutbox/dispatcher"
)

// minute counts one minute. Its place among the minutes is that of its time modulo their number.
type minute struct {
	at                      int64 // minutes since 1970
	delivered, failed, dead int64
	surprising              int64 // of the dead those that can make an alarm rise
	waiting                 int64
	known                   bool
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

func slot(minute int64) int64 { return (minute%Minutes + Minutes) % Minutes }

// within reports whether the minute belongs to the hour that ends at now. Minutes to come, of a
// clock that was set back, do not.
func (m *minute) within(now time.Time) bool {
	last := minuteOf(now)
	return m.at > last-Minutes && m.at <= last
}

// minute returns the minute of t. h.mu is held.
func (h *hook) minute(t time.Time) *minute {
	at := minuteOf(t)
	m := &h.minutes[slot(at)]
	if m.at != at {
		*m = minute{at: at}
	}
	return m
}

// RisingAt is how many dead letters within an hour make an alarm.
const RisingAt = 10

// Rising tells of dead letters that nobody asked for and no other alarm tells of. Counted are
// deliveries that became dead letters for the first time within the last hour, unless their user
// skipped them or removed the webhook. When a webhook is failing the count begins anew: that alarm
// tells of its dead letters, those before it included.
type Rising struct {
	Count int64
	Since time.Time // since when Count is at least RisingAt; zero when it is not
}

// rise counts dead letters of m, the minute of now. h.mu is held.
func (h *hook) rise(m *minute, e dispatcher.DeliveryEnd, now time.Time) {
	switch {
	case e.Failing:
		for i := range h.minutes {
			h.minutes[i].surprising = 0
		}
	case e.Replay > 0 || e.Reason == dispatcher.ReasonSkipped || e.Reason == dispatcher.ReasonUnregistered:
	default:
		m.surprising += int64(e.Count)
	}
	h.rising(now)
}

// rising returns how the alarm stands. h.mu is held.
func (h *hook) rising(now time.Time) Rising {
	count := int64(0)
	for i := range h.minutes {
		if h.minutes[i].within(now) {
			count += h.minutes[i].surprising
		}
	}
	switch {
	case count < RisingAt:
		h.risingSince = time.Time{}
	case h.risingSince.IsZero():
		h.risingSince = now
	}
	return Rising{Count: count, Since: h.risingSince}
}

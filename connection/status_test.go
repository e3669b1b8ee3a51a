package connection

import (
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// How long the link is down is counted by the time that goes by, and not by the clock. Before, the
// alarm for it came a day late when the clock was set back by a day.
func TestHowLongTheLinkIsDownIsNotOfTheClock(t *testing.T) {
	now := time.Now() // with the time that goes by
	s := newStatus(func() time.Time { return now })
	s.set(api.LinkConnecting, "")
	wall := now.Round(0)
	now = now.Add(2 * time.Minute)
	if got := s.read(); got.For != 2*time.Minute || !got.Since.Equal(wall.Truncate(time.Millisecond)) {
		t.Errorf("down for %v, since %v", got.For, got.Since)
	}
	if !strings.Contains(s.entered.String(), " m=") {
		t.Errorf("%v does not know the time that goes by", s.entered)
	}
}

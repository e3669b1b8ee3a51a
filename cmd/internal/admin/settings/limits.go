package settings

import (
	"math"
	"strings"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox/api"
)

const (
	// maxHoldAfter bounds the dead letters in a row after which a webhook is failing.
	maxHoldAfter = 10_000
	// minRate and maxRate bound the attempts a second.
	minRate, maxRate = 0.01, 10_000
	// maxAttempts and maxWait bound a schedule.
	maxAttempts = 10
	maxWait     = time.Hour
)

// CheckLimits refuses what would make a webhook's deliveries wait or fail in a way nobody wants.
func CheckLimits(in api.PutWebhook) error {
	if n := in.HoldAfter; n != nil && (*n < 0 || *n > maxHoldAfter) {
		return api.Errorf(api.CodeInvalidArguments, "hold-after %d: give a number of dead letters from 1 to %d, or 0 to never hold new events back", *n, maxHoldAfter).In("hold_after")
	}
	if n := in.MaxRate; n != nil && *n != 0 && (math.IsNaN(*n) || *n < minRate || *n > maxRate) {
		return api.Errorf(api.CodeInvalidArguments, "max-rate %v: give a number of requests a second from %v to %v, or 0 for no bound", *n, minRate, maxRate).In("max_rate")
	}
	if in.Schedule == nil {
		return nil
	}
	_, err := ParseSchedule(*in.Schedule)
	return err
}

// ParseSchedule reads the waits of a schedule; none is the default.
func ParseSchedule(text []string) ([]time.Duration, error) {
	if len(text) > maxAttempts {
		return nil, api.Errorf(api.CodeInvalidArguments, "schedule: %d attempts, the most is %d", len(text), maxAttempts).In("schedule")
	}
	var waits []time.Duration
	for i, s := range text {
		wait, err := time.ParseDuration(strings.TrimSpace(s))
		switch {
		case err != nil:
			return nil, api.Errorf(api.CodeInvalidArguments, "schedule: %q is no wait; write it like 500ms, 10s or 5m", s).In("schedule")
		case i == 0 && wait != 0:
			return nil, api.Errorf(api.CodeInvalidArguments, "schedule: the first attempt is made at once, so the first wait is 0s, not %s", s).In("schedule")
		case wait < 0:
			return nil, api.Errorf(api.CodeInvalidArguments, "schedule: a wait of %s; none is below 0s", s).In("schedule")
		case wait > maxWait:
			return nil, api.Errorf(api.CodeInvalidArguments, "schedule: a wait of %s; the longest is 1h", s).In("schedule")
		}
		waits = append(waits, wait)
	}
	return waits, nil
}

// ScheduleText returns the schedule in force as it is shown: the default for none.
func ScheduleText(waits dispatcher.Schedule) []string {
	if len(waits) == 0 {
		waits = dispatcher.DefaultSchedule()
	}
	text := make([]string, 0, len(waits))
	for _, w := range waits {
		text = append(text, ShortWait(w))
	}
	return text
}

// ShortWait renders a wait without its zero parts: 5m, not 5m0s.
func ShortWait(w time.Duration) string {
	s := w.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

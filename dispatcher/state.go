package dispatcher

import "time"

// Status of a lane. The words are those of outbox/api.
type Status string

const (
	StatusActive  Status = "active"
	StatusFailing Status = "failing"
	StatusHeld    Status = "held"
	StatusPaused  Status = "paused"
)

// LaneState is what status output shows of a lane.
type LaneState struct {
	Status     Status // "" when no lane runs for this subscription
	Reason     string
	Since      time.Time
	Until      time.Time // held: when it goes on by itself
	Deaths     int       // dead letters in a row without a 2xx
	Unfinished int       // deliveries read and not finished; 0 without a running lane
	InFlight   int       // attempts running; 0 without a running lane
	Full       bool      // the reader stands still: too many unfinished deliveries
}

// DecodeLaneState reads the lane bytes of Source.Load, for status output without a running lane.
func DecodeLaneState(lane []byte) (LaneState, error) {
	l, err := decodeLane(lane)
	if err != nil {
		return LaneState{}, err
	}
	return l.state(time.Now()), nil
}

func (l laneBytes) state(now time.Time) LaneState {
	s := LaneState{Status: StatusActive, Deaths: l.deaths}
	if l.gate.open(now) {
		return s
	}
	s.Status, s.Reason, s.Since, s.Until = StatusHeld, l.gate.Reason, l.gate.Since, l.gate.Until
	if l.gate.Kind == GatePaused {
		s.Status, s.Until = StatusPaused, time.Time{}
	}
	return s
}

package dispatcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"waoutbox/outbox"
)

// GateKind says why a lane waits. The numbers are stored: append only.
type GateKind uint8

const (
	GateOpen       GateKind = iota
	GateHeld                // our own trouble; until Until
	GateRetryAfter          // the endpoint asked for it; until Until
	GatePaused              // by its user or by a 410; until resumed
	GateThrottled           // the endpoint said that it gets too much; until Until, never stored
)

// Gate is why a lane starts no attempt. There is one per lane: a stronger kind replaces a weaker
// one, never the reverse.
type Gate struct {
	Kind   GateKind
	Until  time.Time     // GateHeld, GateRetryAfter, GateThrottled
	Wait   time.Duration // the whole wait, which bounds it after a restart with another clock
	Since  time.Time
	Reason string
}

// open reports whether attempts may start at now. An expired gate is open.
func (g Gate) open(now time.Time) bool {
	switch g.Kind {
	case GateOpen:
		return true
	case GatePaused:
		return false
	}
	return !now.Before(g.Until)
}

// close returns the gate after one more reason to wait: an unexpired wait is never shortened, and a
// pause stays.
func (g Gate) close(n Gate, now time.Time) Gate {
	if g.Kind == GatePaused && n.Kind != GatePaused {
		return g
	}
	if n.Kind != GatePaused && !g.open(now) && g.Until.After(n.Until) {
		return g
	}
	return n
}

// laneBytes is what a lane stores beside its cursor.
type laneBytes struct {
	gate   Gate // paused or retry-after; no other survives a restart
	deaths int  // dead letters in a row without a 2xx
	// since when there are so many of them that the webhook is failing, zero while it is not; and
	// what the last one died of
	failingSince time.Time
	lastError    string
	// when the first delivery died since the last 2xx, zero if none has, and whether so many have
	// that the webhook was failing
	down   time.Time
	failed bool
	// the outages whose letters are to be replayed; while there are none, until is when the last
	// delivery died since the last 2xx: later than the end of the outage, if the clock was set back
	redrive span
	lease   leaseBytes // of a lease, else zero
}

const (
	laneVersion  = 4 // of a lease
	laneOrdinary = 3 // of everything else
	// maxReason bounds a stored reason and a stored error, in bytes each.
	maxReason = 256
)

// encode renders the lane's state: version, kind, until (unix ns), wait (ns), since (unix ns),
// deaths, failing since (unix ns), down since (unix ns), failed (0 or 1), redrive from and until
// (unix ns), what a lease has, length of the reason, reason, last error. Version 3, written of
// everything but a lease, has nothing of a lease; version 2 has neither down nor failed nor
// redrive; version 1 ends with deaths and reason.
func (l laneBytes) encode() []byte {
	g := l.gate
	if g.Kind == GateHeld || g.Kind == GateThrottled {
		g = Gate{}
	}
	version := byte(laneOrdinary)
	if l.lease != (leaseBytes{}) {
		version = laneVersion
	}
	b := append(make([]byte, 0, laneHead+leaseSize+len(g.Reason)+len(l.lastError)), version, byte(g.Kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(g.Until)))
	b = binary.LittleEndian.AppendUint64(b, uint64(g.Wait))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(g.Since)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(l.deaths, 0), 1<<30)))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(l.failingSince)))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(l.down)))
	b = append(b, 0)
	if l.failed {
		b[len(b)-1] = 1
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(l.redrive.from)))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(l.redrive.until)))
	if version == laneVersion {
		b = l.lease.append(b)
	}
	reason := clamp(g.Reason, maxReason)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(reason)))
	b = append(b, reason...)
	return append(b, clamp(l.lastError, maxReason)...)
}

const (
	// laneHead1, laneHead2 and laneHead are the fixed part of encoded lane bytes, of versions 1, 2
	// and 3; a lease has leaseSize more.
	laneHead1 = 2 + 3*8 + 4
	laneHead2 = laneHead1 + 8 + 2
	laneHead  = laneHead2 + 8 + 1 + 2*8
)

// errLaneDamaged: the bytes are of a known version and make no sense.
var errLaneDamaged = errors.New("decode lane state: it is damaged")

// UnknownLaneError tells that what a lane keeps is of a version that this program does not know.
// Only Resume and SkipToNow take such a lane up, and begin it anew; without a running lane dead
// letters are changed all the same.
type UnknownLaneError struct {
	Sub     outbox.SubID // "" where only its bytes are known
	Version int
}

func (e *UnknownLaneError) Error() string {
	return fmt.Sprintf("its delivery state was written by a newer version of waoutbox (as version %d, and this program knows %d)", e.Version, laneVersion)
}

// state is what is shown of such a lane.
func (e *UnknownLaneError) state() LaneState {
	return LaneState{Status: StatusHeld, Reason: e.Error(), Unknown: true}
}

// decodeLane reads what encode wrote, in each of its versions. No bytes are an open gate. A
// version it does not know is refused rather than misread.
func decodeLane(b []byte) (laneBytes, error) {
	if len(b) == 0 {
		return laneBytes{}, nil
	}
	if b[0] > laneVersion {
		return laneBytes{}, &UnknownLaneError{Version: int(b[0])}
	}
	if b[0] == 0 || len(b) < laneHead1 || GateKind(b[1]) > GatePaused {
		return laneBytes{}, errLaneDamaged
	}
	n := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	l := laneBytes{
		gate:   Gate{Kind: GateKind(b[1]), Until: fromUnixNano(n(2)), Wait: time.Duration(n(10)), Since: fromUnixNano(n(18))},
		deaths: int(binary.LittleEndian.Uint32(b[26:])),
	}
	if b[0] == 1 {
		l.gate.Reason = string(b[laneHead1:])
		return l, nil
	}
	head := laneHead
	switch b[0] {
	case 2:
		head = laneHead2
	case laneVersion:
		head = laneHead + leaseSize
	}
	if len(b) < head {
		return laneBytes{}, errLaneDamaged
	}
	end := head + int(binary.LittleEndian.Uint16(b[head-2:]))
	if len(b) < end {
		return laneBytes{}, errLaneDamaged
	}
	l.failingSince = fromUnixNano(n(laneHead1))
	l.gate.Reason, l.lastError = string(b[head:end]), string(b[end:])
	if b[0] > 2 {
		const at = laneHead1 + 8
		l.down, l.failed = fromUnixNano(n(at)), b[at+8] != 0
		l.redrive = span{from: fromUnixNano(n(at + 9)), until: fromUnixNano(n(at + 17))}
	}
	if b[0] == laneVersion {
		l.lease = decodeLease(b[laneHead-2 : head-2])
	}
	return l, nil
}

// onLoad moves a stored wait onto the monotonic clock: clamp(until − now, 0, the wait itself).
func (g Gate) onLoad(now time.Time) Gate {
	if g.Kind == GateRetryAfter {
		g.Until = now.Add(min(max(0, g.Until.Sub(now)), min(g.Wait, MaxRetryAfter)))
	}
	return g
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromUnixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

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
	Status Status // "" when no lane runs because Run does not, or while the lane loads
	Reason string
	// held because of an UnknownLaneError: it does not go on by itself
	Unknown bool
	// since when Status holds; of an active lane that is Full since when it is, else zero
	Since      time.Time
	Until      time.Time // held, failing: when it goes on, or the next is tried; zero: not known
	Deaths     int       // dead letters in a row without a 2xx
	Failure    Failure   // why it is failing, whatever Status shows above it
	Unfinished int       // deliveries read and not finished; 0 without a running lane
	InFlight   int       // attempts running; 0 without a running lane
	Full       bool      // the reader stands still: too many unfinished deliveries
	FullSince  time.Time // since when it does, whatever Status shows; zero if it does not
	Redrive    Redrive
	Lease      LeaseState // of a lease, else zero
}

// Failure tells of a lane whose last deliveries all became dead letters. The zero value is none.
type Failure struct {
	Since     time.Time
	LastError string
}

// DecodeLaneState reads the lane bytes of Source.Load, for status output without a running lane.
func DecodeLaneState(lane []byte, hook outbox.Webhook) (LaneState, error) {
	l, err := decodeLane(lane)
	if unknown, ok := errors.AsType[*UnknownLaneError](err); ok {
		return unknown.state(), nil
	}
	if err != nil {
		return LaneState{}, err
	}
	s := l.state(time.Now(), hook.HoldLimit())
	if hook.Lease != nil {
		s.Lease = LeaseState{Active: s.Status == StatusActive, LastError: l.lease.failed, FailedSince: l.lease.since, Truncated: l.lease.truncated(), Lost: l.lease.lost}
	}
	return s, nil
}

// failing reports whether so many deliveries died in a row that new ones are held back, or one of a
// lease has spent its schedule. A limit of 0 never does.
func (l laneBytes) failing(limit int) bool { return l.lease.held || limit > 0 && l.deaths >= limit }

// died returns the state after one more dead letter.
func (l laneBytes) died(a *attempt, limit int) laneBytes {
	failing := l.failing(limit)
	l.deaths++
	l.lastError = a.lastError()
	if !failing && l.failing(limit) {
		l.failingSince = a.end
	}
	l.failed = l.failed || l.failing(limit)
	if l.down.IsZero() || a.end.Before(l.down) { // before: the clock was set back
		l.down = a.end
	}
	if l.redrive.empty() && a.end.After(l.redrive.until) {
		l.redrive.until = a.end
	}
	return l
}

// recovered returns the state after a 2xx at now: the letters of an outage are to be redriven when
// the webhook wants that. The gate stays.
func (l laneBytes) recovered(now time.Time, redrive bool) laneBytes {
	out, last := laneBytes{gate: l.gate, redrive: l.redrive, lease: l.lease.recovered()}, now
	if l.redrive.empty() {
		out.redrive, last = span{}, later(now, l.redrive.until)
	}
	if l.failed && redrive {
		out.redrive = out.redrive.with(span{from: l.down, until: last})
	}
	return out
}

// state shows a pause above all, then that the webhook fails, then any other wait.
func (l laneBytes) state(now time.Time, limit int) LaneState {
	s := LaneState{Status: StatusActive, Deaths: l.deaths}
	if l.failing(limit) {
		s.Failure = Failure{Since: l.failingSince, LastError: l.lastError}
		s.Status, s.Since = StatusFailing, l.failingSince
		s.Reason = fmt.Sprintf("%d deliveries in a row failed, the last one with: %s", l.deaths, l.lastError)
		if l.lease.held {
			s.Reason = fmt.Sprintf("a delivery spent its schedule, with: %s. It stays, and new events wait until one succeeds", l.lastError)
		}
	}
	switch {
	case l.gate.open(now) || l.gate.Kind == GateThrottled:
	case l.gate.Kind == GatePaused:
		s.Status, s.Reason, s.Since = StatusPaused, l.gate.Reason, l.gate.Since
	case s.Status == StatusFailing:
		s.Until = l.gate.Until
	default:
		s.Status, s.Reason, s.Since, s.Until = StatusHeld, l.gate.Reason, l.gate.Since, l.gate.Until
	}
	return s
}

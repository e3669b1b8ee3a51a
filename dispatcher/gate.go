package dispatcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// GateKind says why a lane waits. The numbers are stored: append only.
type GateKind uint8

const (
	GateOpen       GateKind = iota
	GateHeld                // our own trouble; until Until
	GateRetryAfter          // the endpoint asked for it; until Until
	GatePaused              // by its user or by a 410; until resumed
)

// Gate is why a lane starts no attempt. There is one per lane: a stronger kind replaces a weaker one, never the reverse.
type Gate struct {
	Kind   GateKind
	Until  time.Time     // GateHeld, GateRetryAfter
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

// close answers the gate after one more reason to wait: an unexpired wait is never shortened, and a pause stays.
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
	gate   Gate // paused or retry-after; a hold does not survive a restart
	deaths int  // dead letters in a row without a 2xx
}

const (
	laneVersion = 1
	// maxReason bounds a stored reason, in bytes.
	maxReason = 256
)

// encode renders the lane's state: version, kind, until (unix ns), wait (ns), since (unix ns), deaths, reason.
func (l laneBytes) encode() []byte {
	g := l.gate
	if g.Kind == GateHeld {
		g = Gate{}
	}
	b := append(make([]byte, 0, 32+len(g.Reason)), laneVersion, byte(g.Kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(g.Until)))
	b = binary.LittleEndian.AppendUint64(b, uint64(g.Wait))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(g.Since)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(l.deaths, 0), 1<<30)))
	return append(b, g.Reason[:min(len(g.Reason), maxReason)]...)
}

// laneHead is the fixed part of encoded lane bytes.
const laneHead = 2 + 3*8 + 4

// decodeLane reads what encode wrote. No bytes are an open gate. A version it does not know is refused rather than misread.
func decodeLane(b []byte) (laneBytes, error) {
	if len(b) == 0 {
		return laneBytes{}, nil
	}
	if b[0] != laneVersion {
		return laneBytes{}, fmt.Errorf("decode lane state: version %d is not known to this program (it knows %d): use the version that wrote it", b[0], laneVersion)
	}
	if len(b) < laneHead || GateKind(b[1]) > GatePaused {
		return laneBytes{}, errors.New("decode lane state: it is damaged")
	}
	n := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	return laneBytes{
		gate: Gate{
			Kind: GateKind(b[1]), Until: fromUnixNano(n(2)), Wait: time.Duration(n(10)), Since: fromUnixNano(n(18)),
			Reason: string(b[laneHead:]),
		},
		deaths: int(binary.LittleEndian.Uint32(b[26:])),
	}, nil
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

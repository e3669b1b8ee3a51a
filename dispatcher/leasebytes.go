package dispatcher

import (
	"encoding/binary"
	"time"

	"waoutbox/outbox"
)

// leaseBytes is what the lane of a lease stores beside what every lane does.
type leaseBytes struct {
	// a delivery has spent its schedule on what passes, and none has succeeded since; failed is
	// outbox.LeaseError of the last such attempt, since when the first attempt failed
	held   bool
	failed string
	since  time.Time
	// events below lost were lost, 0 for none; told: a refresh has said so since. from is the first
	// of them, 0 once that was told or the receiver has taken a gap envelope; gap: one is to be
	// sent
	lost, from outbox.Seq
	told, gap  bool
	// when the last messages of the account itself were delivered, unix ns, oldest first
	own [outbox.OwnLimit]int64
}

// leaseSize is the size of encoded leaseBytes: held and gap, failed, since, lost, from, own.
const leaseSize = 1 + 1 + 8 + 8 + 8 + 8*outbox.OwnLimit

const (
	leaseHeld = 1 << iota
	leaseGap
	leaseTold
)

// leaseErrors are the words of outbox.LeaseError by what is stored of them, which only grows.
func leaseErrors() []string {
	return []string{"", outbox.LeaseErrorRefused, outbox.LeaseErrorTimeout, outbox.LeaseErrorTLS, outbox.LeaseErrorHTTP4xx, outbox.LeaseErrorHTTP5xx}
}

func (l leaseBytes) append(b []byte) []byte {
	flags, word := byte(0), byte(0)
	if l.held {
		flags |= leaseHeld
	}
	if l.gap {
		flags |= leaseGap
	}
	if l.told {
		flags |= leaseTold
	}
	for i, w := range leaseErrors() {
		if w == l.failed {
			word = byte(i)
		}
	}
	b = binary.LittleEndian.AppendUint64(append(b, flags, word), uint64(unixNano(l.since)))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.lost))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.from))
	for _, at := range l.own {
		b = binary.LittleEndian.AppendUint64(b, uint64(at))
	}
	return b
}

// decodeLease reads leaseSize bytes.
func decodeLease(b []byte) leaseBytes {
	n := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	l := leaseBytes{held: b[0]&leaseHeld != 0, gap: b[0]&leaseGap != 0, told: b[0]&leaseTold != 0, since: fromUnixNano(int64(n(2))), lost: outbox.Seq(n(10)), from: outbox.Seq(n(18))}
	if words := leaseErrors(); int(b[1]) < len(words) {
		l.failed = words[b[1]]
	}
	for i := range l.own {
		l.own[i] = int64(n(26 + 8*i))
	}
	return l
}

// recovered is what is left after a delivery, or when the lane is to begin anew.
func (l leaseBytes) recovered() leaseBytes {
	l.held, l.failed, l.since = false, "", time.Time{}
	return l
}

// withLost notes that events were lost, the first and the last of which are these.
func (l leaseBytes) withLost(first, last outbox.Seq) leaseBytes {
	if l.from == 0 || first < l.from {
		l.from = first
	}
	l.lost, l.told, l.gap = max(l.lost, last+1), false, true
	return l
}

// toldLost notes that the client was told that events below seq are lost.
func (l leaseBytes) toldLost(seq outbox.Seq) leaseBytes {
	if l.lost <= seq {
		l.told, l.from, l.gap = true, 0, false
	}
	return l
}

// truncated reports whether something was lost that no refresh has told.
func (l leaseBytes) truncated() bool { return l.lost > 0 && !l.told }

// gapTold notes that the receiver has responded to a gap envelope for what is lost below seq, and
// whether it took it.
func (l leaseBytes) gapTold(seq outbox.Seq, taken bool) leaseBytes {
	if l.lost <= seq {
		if l.gap = false; taken {
			l.from = 0
		}
	}
	return l
}

// watermark is where whoever has a request goes on after a lapse: lowest is the lowest sequence
// that is not finished. It passes nothing that was lost before the client knows.
func (l leaseBytes) watermark(lowest outbox.Seq) outbox.Seq {
	if l.from > 0 {
		return min(lowest, l.from)
	}
	return lowest
}

// ownDelivered notes that a message of the account itself was delivered.
func (l leaseBytes) ownDelivered(now time.Time) leaseBytes {
	copy(l.own[:], l.own[1:])
	l.own[len(l.own)-1] = now.UnixNano()
	return l
}

// ownWithin counts the messages of the account itself that were delivered within OwnWindow, and
// returns how long the first of them stays one of these. What a clock that was set back made of the
// future does not count.
func (l leaseBytes) ownWithin(now time.Time) (n int, more time.Duration) {
	for _, at := range l.own {
		age := time.Duration(now.UnixNano() - at)
		if at == 0 || age < 0 || age >= outbox.OwnWindow {
			continue
		}
		if n++; more == 0 {
			more = outbox.OwnWindow - age
		}
	}
	return n, more
}

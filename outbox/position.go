package outbox

import (
	"encoding/base64"
	"encoding/binary"
)

// positionVersion begins every position.
const positionVersion = 1

// Position returns the place before a sequence of a log (EventPage.State) as those get it who read
// on from it: all below next is behind them. It knows no filter.
func Position(state string, next Seq) string {
	raw := binary.BigEndian.AppendUint64([]byte{positionVersion}, uint64(next))
	return base64.RawURLEncoding.EncodeToString(append(raw, state...))
}

// ParsePosition returns the sequence that a position of this log is before; false of any other.
func ParsePosition(position, state string) (next Seq, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(position)
	if err != nil || len(raw) < 9 || raw[0] != positionVersion || string(raw[9:]) != state {
		return 0, false
	}
	next = Seq(binary.BigEndian.Uint64(raw[1:9]))
	return next, next > 0
}

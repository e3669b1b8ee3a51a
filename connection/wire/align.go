package wire

import "encoding/binary"

// lengthSize is the size of the length before each frame of WhatsApp's protocol.
const lengthSize = 3

// aligner changes a server's websocket frames so that each message holds whole frames of WhatsApp's
// protocol. The library puts one together from several messages at the wrong offset, which damages
// it, or makes it panic where nothing recovers. Other frames pass as they are, and so does
// everything from a frame on that no server of WhatsApp's would send.
type aligner struct {
	in      []byte // received, not yet a whole websocket frame
	message []byte // of a message whose fragments are still coming
	rest    []byte // of a frame of WhatsApp's protocol that goes on in the next message
	foreign bool   // from here on nothing is looked at
}

// The bits of a websocket frame's first two bytes.
const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0f
	maskBit = 0x80
)

// opBinary and opContinuation are the opcodes of what is looked at.
const (
	opContinuation = 0
	opBinary       = 2
	opControl      = 8 // this and higher ones
)

// feed takes what was received and appends what may be handed out to out.
func (a *aligner) feed(out, data []byte) []byte {
	a.in = append(a.in, data...)
	for !a.foreign {
		header, size, ok := a.frame()
		if !ok {
			return out
		}
		if a.foreign {
			break
		}
		raw := a.in[:header+size]
		out = a.take(out, raw, raw[header:])
		a.in = a.in[header+size:]
	}
	out = append(out, a.in...)
	a.in = nil
	return out
}

// frame returns how long the first frame's header and payload are; false while it is not whole.
func (a *aligner) frame() (header, size int, ok bool) {
	if len(a.in) < 2 {
		return 0, 0, false
	}
	header, size = 2, int(a.in[1]&^maskBit)
	switch size {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	if len(a.in) < header {
		return 0, 0, false
	}
	length := uint64(size)
	switch header {
	case 4:
		length = uint64(binary.BigEndian.Uint16(a.in[2:]))
	case 10:
		length = binary.BigEndian.Uint64(a.in[2:])
	}
	if a.in[0]&rsvBits != 0 || a.in[1]&maskBit != 0 || length > 1<<25 || a.in[0]&opBits == 1 {
		a.foreign = true
		return 0, 0, true
	}
	return header, int(length), uint64(len(a.in)-header) >= length
}

// take handles one whole websocket frame.
func (a *aligner) take(out, raw, payload []byte) []byte {
	fin, op := raw[0]&finBit != 0, raw[0]&opBits
	if op >= opControl {
		return append(out, raw...)
	}
	if fin && op == opBinary && len(a.message) == 0 && len(a.rest) == 0 && whole(payload) == len(payload) {
		return append(out, raw...) // nearly all
	}
	a.message = append(a.message, payload...)
	if !fin {
		return out
	}
	a.rest = append(a.rest, a.message...)
	a.message = nil
	n := whole(a.rest)
	if n == 0 {
		return out
	}
	out = append(out, finBit|opBinary)
	switch {
	case n < 126:
		out = append(out, byte(n))
	case n <= 0xffff:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	out = append(out, a.rest[:n]...)
	a.rest = append([]byte(nil), a.rest[n:]...)
	return out
}

// whole returns how many of the bytes are whole frames of WhatsApp's protocol.
func whole(b []byte) (n int) {
	for len(b)-n >= lengthSize {
		size := lengthSize + (int(b[n])<<16 | int(b[n+1])<<8 | int(b[n+2]))
		if len(b)-n < size {
			break
		}
		n += size
	}
	return n
}

package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// wsFrame is a server's websocket frame.
func wsFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// messages are the payloads of the binary messages and the control frames in b, as a client sees
// them.
func messages(t *testing.T, b []byte) (data, control [][]byte) {
	t.Helper()
	a := aligner{in: b}
	for len(a.in) > 0 {
		header, size, ok := a.frame()
		if !ok || a.foreign || a.in[0]&finBit == 0 {
			t.Fatalf("%x is no whole message", a.in)
		}
		payload := a.in[header : header+size]
		if a.in[0]&opBits == opBinary {
			data = append(data, payload)
		} else {
			control = append(control, payload)
		}
		a.in = a.in[header+size:]
	}
	return data, control
}

// However a server cuts its frames into messages and fragments, and the network those into pieces,
// the client gets the same bytes in whole frames.
func TestAligned(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var stream []byte
		for range 1 + r.IntN(6) {
			frame := make([]byte, []int{0, 1, 2, 3, 120, 130, 1000, 70000}[r.IntN(8)])
			for i := range frame {
				frame[i] = byte(r.Uint32())
			}
			stream = append(append(stream, byte(len(frame)>>16), byte(len(frame)>>8), byte(len(frame))), frame...)
		}
		var sent []byte
		pings := 0
		for rest := stream; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 1+r.IntN(80000)))
			message := rest[:n]
			rest = rest[n:]
			op := byte(opBinary)
			for r.IntN(3) == 0 && len(message) > 1 { // a fragment
				k := 1 + r.IntN(len(message)-1)
				sent = append(sent, wsFrame(op, message[:k])...)
				message, op = message[k:], opContinuation
				if r.IntN(2) == 0 {
					sent = append(sent, wsFrame(finBit|9, []byte("ping"))...)
					pings++
				}
			}
			sent = append(sent, wsFrame(finBit|op, message)...)
		}
		var a aligner
		var out []byte
		for rest := sent; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 4096))
			out = a.feed(out, rest[:n])
			rest = rest[n:]
		}
		data, control := messages(t, out)
		var got []byte
		for _, m := range data {
			if whole(m) != len(m) {
				t.Fatalf("seed %d: a message of %d bytes ends within a frame", seed, len(m))
			}
			got = append(got, m...)
		}
		if !bytes.Equal(got, stream) || len(control) != pings {
			t.Fatalf("seed %d: %d bytes of %d, %d pings of %d", seed, len(got), len(stream), len(control), pings)
		}
	}
}

// What is none of it passes unchanged.
func TestForeignFramesPass(t *testing.T) {
	for _, sent := range [][]byte{
		wsFrame(finBit|1, []byte("text")), wsFrame(finBit|0x40|opBinary, []byte{0, 0, 9}), {finBit | opBinary, maskBit | 1, 1, 2, 3, 4, 5},
		{finBit | opBinary, 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 1},
	} {
		var a aligner
		if out := a.feed(nil, append(bytes.Clone(sent), "more"...)); !bytes.Equal(out, append(bytes.Clone(sent), "more"...)) {
			t.Errorf("%x became %x", sent, out)
		}
	}
}

package outbox

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"
)

// mended is b with the checksums that its fields ask for, so that what a fuzzer makes is looked at
// and not refused for its checksum alone. key is what the decoders read it under.
func mended(name string, b []byte) []byte {
	b = bytes.Clone(b)
	at := len(b) - sumSize
	if at < 2 {
		return b
	}
	put := func(at int, sum uint32) { binary.LittleEndian.PutUint32(b[at:], sum) }
	switch name {
	case "record":
		put(at, checkSum(b[:at], []byte("a"), seqBytes(1<<40)))
	case "sub", "cursor", "send", "audit":
		put(at, checkSum(b[:at], []byte("a")))
	case "event":
		r := newEventReader(b)
		if r.layout != eventChecked || r.err != nil {
			return b
		}
		r.head()
		for range 3 {
			r.bytes()
		}
		end := len(b) - len(r.b)
		if r.err != nil || end+sumSize > len(b) {
			return b
		}
		put(1+1+8+4, checkSum(b[end+sumSize:]))
		put(end, checkSum(b[:end], seqBytes(1)))
	}
	return b
}

// older layouts of every kind, and records that say more than they hold.
func oddSamples() (out [][]byte) {
	for b := range olderEvents() {
		out = append(out, []byte(b))
	}
	for _, name := range []string{"record", "send", "sub"} {
		out = append(out, older(samples()[name]))
	}
	huge := binary.AppendUvarint(nil, 1<<40)
	return append(out,
		// a log of very many attempts, as many epochs, a lane of that size, a record cut off
		append([]byte{codecPlain}, huge...),
		append([]byte{subChecked, flagChecked, 0}, append(huge, 0, 0)...),
		append([]byte{codecChecked, flagChecked, 0, 0, 0, 0}, huge...),
		append([]byte{codecChecked, flagChecked | 1, 0, 0, 0, 0}, huge...),
	)
}

// FuzzDecode: no bytes make a decoder panic or take much more memory than they have, and what it
// does decode it also writes so that it is read the same.
func FuzzDecode(f *testing.F) {
	for _, b := range samples() {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	for _, b := range oddSamples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, decode := range decoders() {
			for _, in := range [][]byte{b, mended(name, b)} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				once, err := decode(in)
				runtime.ReadMemStats(&after)
				// a string of a list: a byte in the record, a slice header in memory
				if used := after.TotalAlloc - before.TotalAlloc; used > uint64(200*len(in)+64<<10) {
					t.Errorf("%s: %d bytes took %d bytes of memory", name, len(in), used)
				}
				if err != nil {
					continue
				}
				if twice, err := decode(once); err != nil || !bytes.Equal(once, twice) {
					t.Errorf("%s: %x is read and written as %x, then as %x, %v", name, in, once, twice, err)
				}
			}
		}
	})
}

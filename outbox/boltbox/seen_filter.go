package boltbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// hashSize is how much of the SHA-256 of a key stands for it.
const hashSize = 12

// keyHash stands for the key of an event.
type keyHash [hashSize]byte

func hashKey(key string) keyHash {
	sum := sha256.Sum256([]byte(key))
	return keyHash(sum[:hashSize])
}

// head is the beginning of the hash as a number, which is ordered as the hashes are.
func (h *keyHash) head() uint64 { return binary.BigEndian.Uint64(h[:]) }

// below reports whether h is lower than other.
func (h keyHash) below(other keyHash) bool {
	if a, b := h.head(), other.head(); a != b {
		return a < b
	}
	return binary.BigEndian.Uint32(h[8:]) < binary.BigEndian.Uint32(other[8:])
}

const (
	seenLine       = 64 // bytes: what a processor reads from memory at once
	seenFilterBits = 14 // for each key
	seenFilterSets = 7  // bits of its line that a key sets
)

// seenFilter tells which keys are surely not among those it was made of. It is cut into lines of
// which a key uses one, so that a look costs one access to memory. About one key in five
// hundred that is not there is taken for one that may be.
type seenFilter []byte

func newSeenFilter(entries []seenEntry) seenFilter {
	f := make(seenFilter, (len(entries)*seenFilterBits+seenLine*8-1)/(seenLine*8)*seenLine)
	for _, e := range entries {
		line, x := f.place(e.hash)
		for range seenFilterSets {
			line[x>>3&(seenLine-1)] |= 1 << (x & 7)
			x >>= 9
		}
	}
	return f
}

// seenFilterOfAll holds every key.
func seenFilterOfAll() []byte {
	f := make([]byte, seenLine)
	for i := range f {
		f[i] = 0xff
	}
	return f
}

func (f seenFilter) mayHold(h keyHash) bool {
	if len(f) == 0 {
		return false
	}
	line, x := f.place(h)
	for range seenFilterSets {
		if line[x>>3&(seenLine-1)]&(1<<(x&7)) == 0 {
			return false
		}
		x >>= 9
	}
	return true
}

// place returns the line of a key, and its bits in it, nine binary digits each.
func (f seenFilter) place(h keyHash) (line []byte, x uint64) {
	n := uint64(binary.BigEndian.Uint32(h[8:])) * uint64(len(f)/seenLine) >> 32
	x = h.head() * 0x9E3779B97F4A7C15
	return f[n*seenLine:][:seenLine], x ^ x>>32
}

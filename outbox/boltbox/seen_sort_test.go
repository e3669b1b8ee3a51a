package boltbox

import (
	"math/rand/v2"
	"slices"
	"testing"

	"waoutbox/outbox"
)

// Sorted pieces become what sorting all of them gives, however many there are, some of them empty,
// and with hashes that several have.
func TestMergeSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var spare []seenEntry
	for range 2000 {
		var all []seenEntry
		var ends []int
		for range r.IntN(10) {
			var piece []seenEntry
			for range r.IntN(30) {
				e := seenEntry{seq: 1 + outbox.Seq(r.IntN(1000))}
				e.hash[0], e.hash[hashSize-1] = byte(r.IntN(4)), byte(r.IntN(8))
				piece = append(piece, e)
			}
			all = append(all, sortSeen(piece)...)
			ends = append(ends, len(all))
		}
		want := sortSeen(slices.Clone(all))
		var got []seenEntry
		got, spare = mergeSeen(all, spare, ends)
		if got = onceSeen(got); !slices.Equal(got, want) {
			t.Fatalf("merged to %v, want %v", got, want)
		}
	}
}

package scheduler

import (
	"math/rand/v2"
	"testing"
)

// The table against a map, growing and shrinking, with chats that come and go.
//
// Mutation of table.go: a chat is lost when another one leaves the table.
func TestTableIsAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, chats := range []uint64{3, 100, 5000} {
		var table table
		want := map[uint64]*Delivery{}
		for step := range 60_000 {
			chat := rnd.Uint64N(chats) << 32 // as bad as hashes can be
			if adding := step/15_000%2 == 0; adding == (rnd.IntN(10) < 8) {
				d := &Delivery{chat: chat}
				table.put(d)
				want[chat] = d
			} else {
				table.remove(chat)
				delete(want, chat)
			}
			if chat = rnd.Uint64N(chats) << 32; table.get(chat) != want[chat] || table.used != len(want) {
				t.Fatalf("%d chats, step %d: got %v, want %v; %d used, want %d", chats, step, table.get(chat), want[chat], table.used, len(want))
			}
		}
		for chat, d := range want {
			if table.get(chat) != d {
				t.Fatalf("%d chats: %d is lost", chats, chat)
			}
			table.remove(chat)
		}
		if table.used != 0 || len(table.slots) > 2*roomy {
			t.Errorf("%d chats: %d used of %d slots after all were removed", chats, table.used, len(table.slots))
		}
	}
}

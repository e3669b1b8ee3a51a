package scheduler

import "hash/maphash"

// table has at most one delivery of each chat. It is a hash table with open addressing and linear
// probing, at most three quarters full, which finds a chat in the delivery itself: a map keeps
// every key and twice the room, and there may be 16,384 chats in each of many lanes. The zero value
// is empty.
type table struct {
	slots []*Delivery // a power of two, or none
	used  int
	seed  maphash.Seed
}

// leastSlots is the smallest table that is not empty.
const leastSlots = 16

// home is where the search for a chat begins. A chat is a hash already, but one that senders can
// choose: the seed keeps them from filling one place.
func (t *table) home(chat uint64) int {
	return int(maphash.Comparable(t.seed, chat) & uint64(len(t.slots)-1))
}

// find returns where chat is, or the free place where it would be. There is one.
func (t *table) find(chat uint64) int {
	i := t.home(chat)
	for t.slots[i] != nil && t.slots[i].chat != chat {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

// get returns what the table has of a chat, nil if nothing.
func (t *table) get(chat uint64) *Delivery {
	if t.used == 0 {
		return nil
	}
	return t.slots[t.find(chat)]
}

// put makes d what the table has of its chat.
func (t *table) put(d *Delivery) {
	if t.get(d.chat) == nil {
		if t.used++; 4*t.used > 3*len(t.slots) {
			t.resize(max(leastSlots, 2*len(t.slots)))
		}
	}
	t.slots[t.find(d.chat)] = d
}

// remove takes a chat out, if it is there: what lies behind it and would no longer be found moves
// up.
func (t *table) remove(chat uint64) {
	if t.get(chat) == nil {
		return
	}
	mask := len(t.slots) - 1
	free := t.find(chat)
	t.slots[free] = nil
	t.used--
	for i := (free + 1) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		// It stays where it is if its search begins behind the free place.
		if fromHome := (i - t.home(t.slots[i].chat)) & mask; fromHome >= (i-free)&mask {
			t.slots[free], t.slots[i] = t.slots[i], nil
			free = i
		}
	}
	if len(t.slots) > roomy && t.used < len(t.slots)/8 {
		t.resize(len(t.slots) / 2)
	}
}

func (t *table) resize(n int) {
	old := t.slots
	t.slots = make([]*Delivery, n)
	if len(old) == 0 {
		t.seed = maphash.MakeSeed()
	}
	for _, d := range old {
		if d != nil {
			t.slots[t.find(d.chat)] = d
		}
	}
}

package wasim

import (
	"fmt"
	"sync"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

func numbered(i int) waBinary.Node {
	return waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": fmt.Sprint(i), "from": types.NewJID("1", types.HiddenUserServer)}}
}

func pushed(o *outbox, n int) []ackKey {
	var list []ackKey
	for i := range n {
		st := &stanza{key: keyOf(numbered(i)), node: numbered(i)}
		o.push(st)
		list = append(list, st.key)
	}
	return list
}

// taken takes everything the outbox hands out now.
func taken(o *outbox) (ids []string) {
	for st := o.take(defaultWindow); st != nil; st = o.take(defaultWindow) {
		ids = append(ids, st.key.id)
	}
	return ids
}

func TestOutboxKeepsOrderWithinTheWindow(t *testing.T) {
	var o outbox
	o.init()
	list := pushed(&o, 10_000)
	next := 0
	for next < len(list) {
		got := taken(&o)
		if len(got) == 0 || o.inflight > defaultWindow {
			t.Fatalf("took %d with %d in flight", len(got), o.inflight)
		}
		for _, id := range got {
			if id != fmt.Sprint(next) {
				t.Fatalf("took %s, want %d", id, next)
			}
			next++
		}
		for i := len(got) - 1; i >= 0; i-- { // acknowledged in any order
			if o.remove(list[next-1-i]) == nil {
				t.Fatalf("stanza %d was not there", next-1-i)
			}
		}
	}
	if o.all.Len() != 0 || o.inflight != 0 || len(o.byKey) != 0 {
		t.Errorf("left over: %d stanzas, %d in flight, %d keys", o.all.Len(), o.inflight, len(o.byKey))
	}
}

func TestOutboxRewindsToTheUnacknowledged(t *testing.T) {
	var o outbox
	o.init()
	list := pushed(&o, 5)
	taken(&o)
	o.remove(list[0])
	o.remove(list[3])
	o.rewind()
	o.remove(list[1]) // acknowledged late, before it was sent again
	o.markBacklog()
	pushed(&o, 1) // the same id as an earlier one: a stanza of its own
	if got := fmt.Sprint(taken(&o)); got != "[2 4 0]" {
		t.Errorf("took %s after the reconnect, want [2 4 0]", got)
	}
	if o.inflight != 3 || !o.backlogSent() {
		t.Errorf("%d in flight, backlog sent %v", o.inflight, o.backlogSent())
	}
}

func TestOutboxResendsAheadOfTheRest(t *testing.T) {
	var o outbox
	o.init()
	list := pushed(&o, defaultWindow+2)
	taken(&o)
	again := numbered(7)
	again.Attrs["again"] = "yes"
	if !o.resend(list[7], again) {
		t.Fatal("stanza 7 is not there")
	}
	if st := o.take(defaultWindow); st == nil || st.key != list[7] || st.node.Attrs["again"] != "yes" {
		t.Errorf("took %+v, want 7 once more although the window is full", st)
	}
	o.resend(list[8], numbered(8))
	o.remove(list[8])
	o.remove(list[9])
	if got := fmt.Sprint(taken(&o)); got != fmt.Sprintf("[%d %d]", defaultWindow, defaultWindow+1) {
		t.Errorf("took %s: a stanza acknowledged meanwhile must not be sent again", got)
	}
	if o.resend(list[8], numbered(8)) {
		t.Error("an acknowledged stanza was sent again")
	}
}

func TestConcurrentSendersAllArrive(t *testing.T) {
	_, a, c := linked(t)
	contacts := []*Contact{a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")}
	g := a.NewGroup("Team", contacts...)
	ctx := testContext(t)
	const senders, each = 8, 20
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			who := contacts[i%2]
			for j := range each {
				var err error
				if i%4 < 2 {
					_, err = who.SendText(ctx, fmt.Sprintf("%d/%d", i, j))
				} else {
					_, err = who.SendGroupText(ctx, g, fmt.Sprintf("%d/%d", i, j))
				}
				if err != nil {
					t.Errorf("send %d/%d: %v", i, j, err)
				}
			}
		})
	}
	wg.Wait()
	must(t, a.WaitDrained(ctx))
	next := make(map[int]int)
	for _, got := range c.texts() {
		var i, j int
		if _, err := fmt.Sscanf(got, "%d/%d", &i, &j); err != nil || j != next[i] {
			t.Fatalf("%q came when number %d of sender %d was due", got, next[i], i)
		}
		next[i]++
	}
	for i := range senders {
		if next[i] != each {
			t.Errorf("%d messages of sender %d arrived, want %d", next[i], i, each)
		}
	}
}

package guard

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

func newOrder() *Order {
	o := NewOrder()
	for _, tag := range []string{"message", "receipt", "iq"} {
		o.handle(tag)
	}
	return o
}

// In whatever order the library hands stanzas over, and however many at a time, they are handled in
// the order in which they came; what is of an earlier connection waits for nothing.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrder()
		old := &waBinary.Node{Tag: "message"}
		o.Arrived(old)
		o.Arrived(&waBinary.Node{Tag: "success"})
		var nodes []*waBinary.Node
		for i := range 500 {
			nodes = append(nodes, &waBinary.Node{Tag: []string{"message", "receipt"}[i%2]})
			o.Arrived(nodes[i])
			o.Arrived(&waBinary.Node{Tag: "iq"}) // not waited for
			o.Arrived(&waBinary.Node{Tag: "notification"})
		}
		var got []int
		handedOver := rand.Perm(len(nodes))
		for k, i := range handedOver {
			handle := func() {
				<-time.After(time.Millisecond)
				got = append(got, i)
			}
			if k%3 == 0 {
				go o.run(nodes[i], handle)
			} else {
				o.run(nodes[i], handle)
			}
		}
		synctest.Wait()
		<-time.After(time.Second)
		ran := false
		o.run(old, func() { ran = true })
		if !ran || len(got) != len(nodes) || !slices.IsSorted(got) || len(o.conn.waiting)+len(o.conn.ready) != 0 {
			t.Errorf("handled %v of %d; the earlier one: %v", got, len(nodes), ran)
		}
	})
}

// A stanza that nobody handles holds the others up for a while only.
func TestOrderWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, began := newOrder(), time.Now()
		lost, next, last := &waBinary.Node{Tag: "message"}, &waBinary.Node{Tag: "message"}, &waBinary.Node{Tag: "receipt"}
		for _, n := range []*waBinary.Node{lost, next, last} {
			o.Arrived(n)
		}
		var after []time.Duration
		for _, n := range []*waBinary.Node{last, next} {
			o.run(n, func() { after = append(after, time.Since(began)) })
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if !slices.Equal(after, []time.Duration{orderLimit, orderLimit}) {
			t.Errorf("handled after %v, want both after %v", after, orderLimit)
		}
	})
}

// One whose handling hangs holds the others up for a while only, and disturbs nothing when it ends.
func TestOrderUnderAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, hang := newOrder(), make(chan struct{})
		var nodes []*waBinary.Node
		for range 4 {
			nodes = append(nodes, &waBinary.Node{Tag: "message"})
			o.Arrived(nodes[len(nodes)-1])
		}
		var got []int
		run := func(i int) { o.run(nodes[i], func() { got = append(got, i) }) }
		go o.run(nodes[0], func() { <-hang })
		synctest.Wait()
		run(1)
		<-time.After(hangLimit)
		if len(got) != 0 {
			t.Errorf("handled %v beside the one that hangs", got)
		}
		run(2)
		close(hang)
		synctest.Wait()
		run(3)
		if !slices.Equal(got, []int{1, 2, 3}) || o.conn.runner != nil {
			t.Errorf("handled %v", got)
		}
	})
}

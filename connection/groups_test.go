package connection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
)

// grouping is a bench whose messages are passed, and whose appends wait until they are let go.
type grouping struct {
	*bench
	appends chan error // one for each: what becomes of it
	// what becomes of an append, when it may; waits for appends if nil
	outcome func(evs []outbox.Event) error
	stored  []*waBinary.Node

	mu    sync.Mutex
	acked []string
}

func newGrouping() *grouping {
	g := &grouping{bench: newBench(), appends: make(chan error)}
	g.ingest.pass = func(*waBinary.Node) func() { return func() {} }
	g.ingest.committed = func(n *waBinary.Node) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.stored = append(g.stored, n)
	}
	g.ingest.appender = waitingAppender{g}
	return g
}

// waitingAppender waits without holding a lock.
type waitingAppender struct{ g *grouping }

func (w waitingAppender) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	outcome := w.g.outcome
	if outcome == nil {
		outcome = func([]outbox.Event) error { return <-w.g.appends }
	}
	err := outcome(evs)
	if err != nil {
		w.g.out.mu.Lock()
		defer w.g.out.mu.Unlock()
		w.g.out.calls++
		return nil, err
	}
	return w.g.out.Append(ctx, evs...)
}

func (w waitingAppender) ByKey(ctx context.Context, key string) (outbox.Seq, error) {
	return w.g.out.ByKey(ctx, key)
}

// come has an event handled, and returns when that waits for the disk or is over.
func (g *grouping) come(id string, evt any) {
	from := g.from
	go func() {
		if g.handle(evt, &waBinary.Node{Tag: "message"}, from) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.acked = append(g.acked, id)
		}
	}()
	synctest.Wait()
}

// let has the append that waits end, if one does.
func (g *grouping) let(err error) {
	select {
	case g.appends <- err:
	case <-time.After(time.Second):
	}
}

func (g *grouping) want(t *testing.T, keys string, calls, acked int) {
	t.Helper()
	synctest.Wait()
	if g.out.keys() != keys || g.out.calls != calls || len(g.acked) != acked {
		t.Errorf("%q in %d appends, %d acknowledged %v; want %q in %d and %d", g.out.keys(), g.out.calls, len(g.acked), g.acked, keys, calls, acked)
	}
}

// What comes while an append runs shares the next one; an event of another kind waits for both.
//
// Mutation of groups.go: a message is acknowledged before its group is stored.
func TestMessagesShareAnAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrouping()
		for _, id := range []string{"a", "b", "c"} {
			g.come(id, message(id))
		}
		g.come("d", unreadable("d"))
		g.let(nil)
		synctest.Wait()
		if len(g.acked) != 1 || len(g.stored) != 1 {
			t.Errorf("acknowledged %v", g.acked)
		}
		g.let(nil)
		g.let(nil)
		g.want(t, "a b c d", 3, 4)
	})
}

// A group is bounded in bytes: what is too much for it waits for the next one.
func TestAGroupIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrouping()
		g.tr = translateBy(func(evt any) ([]outbox.Event, error) {
			evs, err := byID(evt)
			evs[0].Body = bytes.Repeat([]byte("x"), groupBytes/2)
			return evs, err
		})
		most := 0
		g.outcome = func(evs []outbox.Event) error {
			size := 0
			for _, ev := range evs {
				size += len(ev.Body)
			}
			most = max(most, size)
			return <-g.appends
		}
		for _, id := range []string{"a", "b", "c", "d"} {
			g.come(id, message(id))
		}
		for range 4 {
			g.let(nil)
			synctest.Wait()
		}
		g.want(t, "a b c d", 3, 4)
		if most > groupBytes {
			t.Errorf("an append of %d bytes, want at most %d", most, groupBytes)
		}
	})
}

// A group that is refused is refused whole, with all that comes after it, until a new connection.
//
// Mutation of groups.go: it is acknowledged before its decryption is committed.
// Mutation of groups.go: the group after a refused one is stored.
// Mutation of groups.go: a refused append is acknowledged all the same.
func TestARefusedGroupHoldsWhatFollows(t *testing.T) {
	for name, refused := range map[string]func(g *grouping) func(){
		"the outbox": func(g *grouping) func() {
			return func() { g.let(outbox.ErrFull) }
		},
		"the device store": func(g *grouping) func() {
			commit := g.commit
			g.ingest.commit = func() func() error { return func() error { return errors.New("the disk is full") } }
			return func() { g.let(nil); synctest.Wait(); g.ingest.commit = commit }
		},
		"a panic": func(g *grouping) func() {
			g.outcome = func([]outbox.Event) error { <-g.appends; panic("bug") }
			return func() { g.let(nil); synctest.Wait(); g.outcome = nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGrouping()
				refuse := refused(g)
				for i := range 4 {
					id := fmt.Sprintf("a%d", i)
					g.come(id, message(id))
				}
				g.come("r", &events.Receipt{Type: types.ReceiptTypeRetry, MessageIDs: []string{"x"}})
				refuse()
				g.come("b", message("b"))
				synctest.Wait()
				if len(g.acked) != 0 || g.resets.Load() != 1 {
					t.Errorf("acknowledged %v; the connection was cut %d times", g.acked, g.resets.Load())
				}
				before := g.out.calls
				stored := g.out.keys() // by the outbox, when it was the other that refused
				g.reconnect()
				g.come("a0", message("a0"))
				g.come("b", message("b"))
				g.let(nil)
				g.let(nil)
				if stored != "" {
					stored += " "
				}
				g.want(t, stored+"a0 b", before+2, 2)
			})
		})
	}
}

// Whoever does not wait for others in a group finds them stored.
func TestNothingOvertakesAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrouping()
		g.come("a", message("a"))
		g.come("b", message("b"))
		go g.appendOwn(outbox.Event{Key: "own", Random: true, Body: []byte("{}")})
		synctest.Wait()
		own := message("c")
		own.Info.IsFromMe = true // may settle a send
		g.come("c", own)
		for range 4 {
			g.let(nil)
		}
		g.want(t, "a b own c", 4, 3)
	})
}

// A group whose content is too large for the outbox goes one by one.
func TestAGroupThatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrouping()
		first := true
		g.outcome = func(evs []outbox.Event) error {
			if first {
				first = false
				return <-g.appends
			}
			if len(evs) > 1 {
				return outbox.ErrTooLarge
			}
			return nil
		}
		for _, id := range []string{"a", "b", "c"} {
			g.come(id, message(id))
		}
		g.let(nil)
		g.want(t, "a b c", 4, 3)
	})
}

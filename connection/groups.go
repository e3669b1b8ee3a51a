package connection

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

// groupBytes is how much the bodies of a group have together, unless a single message has more: an
// append of a megabyte still fits an outbox that is nearly full, and holds nobody else up for long.
const groupBytes = 1 << 20

// group is messages whose events are stored in one append, in order, while what follows is read.
type group struct {
	evs  []outbox.Event
	size int // of their bodies, in bytes
	from *source
	done chan struct{} // closed when it is over
	err  error         // set before done is closed: nothing of it is acknowledged
}

// groups has at most one group being stored, and one that takes what comes meanwhile: where nothing
// waits a message is stored at once, and the more wait the more share a commit.
type groups struct {
	mu   sync.Mutex
	next *group // takes messages; nil: none came
	busy *group // is being stored; nil: none
}

// await returns once nothing waits. The caller lets nothing come.
func (g *groups) await() {
	for {
		g.mu.Lock()
		last := g.next
		if last == nil {
			last = g.busy
		}
		g.mu.Unlock()
		if last == nil {
			return
		}
		<-last.done
	}
}

// awaitFor is await for at most limit.
func (g *groups) awaitFor(limit time.Duration) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		g.await()
	}()
	select {
	case <-over:
	case <-time.After(limit):
	}
}

// take makes the next group the one that is being stored, and returns it; nil: none came.
func (g *groups) take() *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy, g.next = g.next, nil
	return g.busy
}

// groupable reports whether nothing but its append stands between an event and its acknowledgement.
func groupable(evt any, h translate.Handling) bool {
	m, ok := evt.(*events.Message)
	return ok && h.Ack == translate.AckByHandler && !h.Link && !m.Info.IsFromMe && m.SourceWebMsg == nil
}

// storeGrouped has the events of a message stored with those of others, and lets the next one be
// read. It returns what waits for that and tells whether the message may be acknowledged; nil where
// the message is to be stored by itself. The caller holds the lock.
func (in *ingest) storeGrouped(evs []outbox.Event, stanza *waBinary.Node, from *source) (waits func() bool) {
	if len(evs) == 0 || len(evs) > outbox.MaxBatch/2 {
		return nil
	}
	inOrder := in.pass(stanza)
	if inOrder == nil {
		return nil
	}
	g := in.join(evs, from)
	return func() bool {
		<-g.done
		inOrder()
		if g.err != nil {
			return false
		}
		in.committed(stanza)
		return true
	}
}

// join puts events into the next group.
func (in *ingest) join(evs []outbox.Event, from *source) *group {
	gs := &in.groups
	gs.mu.Lock()
	size := 0
	for _, ev := range evs {
		size += len(ev.Body)
	}
	if n := gs.next; n != nil && (n.from != from || len(n.evs)+len(evs) > outbox.MaxBatch || n.size+size > groupBytes) {
		gs.mu.Unlock()
		gs.await()
		gs.mu.Lock()
	}
	defer gs.mu.Unlock()
	if gs.next == nil {
		gs.next = &group{from: from, done: make(chan struct{})}
		if gs.busy == nil {
			gs.busy = gs.next // until it is taken
			go in.storeGroups()
		}
	}
	gs.next.evs = append(gs.next.evs, evs...)
	gs.next.size += size
	return gs.next
}

// storeGroups stores one group after the other, until none is left.
func (in *ingest) storeGroups() {
	for g := in.groups.take(); g != nil; {
		g.err = in.storeGroup(g)
		ended := g
		g = in.groups.take()
		close(ended.done)
	}
}

// storeGroup stores a group, and commits what its messages were decrypted with beside it. What it
// refuses comes again on a new connection, with all that follows.
func (in *ingest) storeGroup(g *group) (err error) {
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("ingest panicked", "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %s", outbox.PanicText(p))
			in.refuse(err, g.from)
		}
	}()
	if g.from.stopped.Load() {
		return errors.New("an event before was refused")
	}
	committed := in.commit()
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if err := in.appendWhole(ctx, g.evs); err != nil {
		in.refuse(err, g.from)
		return err
	}
	in.appendWorked()
	if err := committed(); err != nil {
		g.from.stopped.Store(true) // the device store has the connection made again
		return err
	}
	return nil
}

// storeByHandler stores the events of one that is acknowledged if the handler says so.
func (in *ingest) storeByHandler(ctx context.Context, evs []outbox.Event, evt any, from *source) (safe bool) {
	if len(evs) == 0 {
		return true
	}
	in.groups.await()
	if from.stopped.Load() {
		return false
	}
	in.commit() // beside the append
	err := in.settle(ctx, evt)
	if err == nil {
		err = in.append(ctx, evs)
	}
	if err != nil {
		in.refuse(err, from)
		return false
	}
	return true
}

package connection

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/decryptions"
	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// fullDisk is a device store whose transactions of messages cannot be committed while it is full.
type fullDisk struct {
	Device
	full    atomic.Bool
	refused atomic.Int64 // commits
}

func (d *fullDisk) Current(ctx context.Context) (*store.Device, error) {
	dev, err := d.Device.Current(ctx)
	if err == nil {
		dev.EventBuffer = fullBuffer{dev.EventBuffer, d}
	}
	return dev, err
}

type fullBuffer struct {
	store.EventBuffer
	d *fullDisk
}

func (b fullBuffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		if b.d.full.Load() { // all is written, and nothing stays
			b.d.refused.Add(1)
			return errors.New("commit: the disk is full")
		}
		return nil
	})
}

// A message is decrypted and stored, and its decryption cannot be committed: it is not
// acknowledged, whether the library makes an event of it or not, and arrives once when the disk has
// room again.
func TestNothingIsAcknowledgedBeforeItsDecryptionIsCommitted(t *testing.T) {
	r := newMissedRig(t)
	before := len(r.events())
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	disk := &fullDisk{Device: r.o.Device}
	r.o.Device = disk
	r.run()
	r.waitState(api.LinkConnected)
	ctx := bounded(t)
	must(t, r.acc.WaitDrained(ctx))
	for i, send := range []func() (string, error){
		func() (string, error) { return r.bob.SendText(ctx, "read") },
		func() (string, error) { return r.bob.SendAs(ctx, nil, wasim.Form{Plain: refused(t, "unread")}) },
	} {
		disk.refused.Store(0)
		disk.full.Store(true)
		acked := len(r.acc.Acked())
		id, err := send()
		must(t, err)
		eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmSessionStore) })
		eventually(t, "second time, on a new connection", func() bool { return disk.refused.Load() >= 2 })
		if n := len(r.acc.Acked()) - acked; n != 0 {
			t.Errorf("message %d: %d acknowledgements before it was committed", i, n)
		}
		disk.full.Store(false)
		must(t, r.acc.WaitDrained(ctx))
		eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmSessionStore) })
		if n := len(r.of(id)); n != 1 {
			t.Errorf("message %d is in %d events, want 1: %v", i, n, bodies(r.events()[before:]))
		}
		r.waitState(api.LinkConnected)
	}
	for i := range 3 { // the session is whole
		text := fmt.Sprintf("after %d", i)
		id, err := r.bob.SendText(ctx, text)
		must(t, err)
		must(t, r.acc.WaitDrained(ctx))
		if n := len(r.of(id)); n != 1 {
			t.Errorf("%s is in %d events, want 1", text, n)
		}
	}
}

// What the library acknowledges without asking the handler finds the connection cut.
//
// Mutation of decrypted.go: a message is acknowledged before its decryption is committed.
func TestTheConnectionIsCutBeforeAnEarlyAcknowledgement(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { r.dev.Close() })
	ctx := bounded(t)
	dev, err := r.dev.Current(ctx)
	must(t, err)
	cuts := 0
	s := new(session)
	s.from.Store(&source{cut: func() { cuts++ }})
	b := decryptions.NewBuffer(decryptions.Stores{Events: brokenDisk{dev.EventBuffer}}, time.Hour, nil)
	r.decrypted.Store(b)
	w := committedFirst{r.arrivals, r.Client, s}
	ack := &waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"id": "1", "class": "message"}}
	w.Sending(ack)
	must(t, b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		return b.PutBufferedEvent(ctx, [32]byte{1}, []byte("text"), time.Time{})
	}))
	if cuts != 0 {
		t.Error("cut before anything failed")
	}
	for i, n := range []*waBinary.Node{ack, {Tag: "receipt", Attrs: waBinary.Attrs{"id": "1"}}} {
		if w.Sending(n); cuts != i+1 {
			t.Errorf("<%s> would be sent: %d cuts, want %d", n.Tag, cuts, i+1)
		}
	}
	w.Sending(&waBinary.Node{Tag: "iq"})
	w.Received(&waBinary.Node{Tag: "success"})
	w.Sending(ack)
	if cuts != 2 {
		t.Errorf("%d cuts; a question, and a new connection, are not cut", cuts)
	}
}

// brokenDisk commits nothing.
type brokenDisk struct{ store.EventBuffer }

func (brokenDisk) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return errors.Join(fn(ctx), errors.New("commit: the disk is full"))
}

// What a session whose messages are refused leaves without an event is not stored by the one that
// follows it: it would overtake them. Before, it did when the library went on with what it had
// received after the next session was there.
//
// Mutation of decrypted.go: and by what a session that has ended finds, once the next one is there.
func TestAnEndedSessionStoresNothing(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { r.dev.Close() })
	r.in.muted = false
	cuts := 0
	ended, next := new(session), &source{push: func(any) {}, cut: func() { t.Error("the next session's connection was cut") }}
	from := &source{cut: func() { cuts++ }}
	from.stopped.Store(true)
	ended.from.Store(from)
	r.source.Store(next)
	bob := types.NewJID("204813927440123", types.HiddenUserServer)
	w := committedFirst{r.arrivals, r.Client, ended}
	w.Received(tagged("message", waBinary.Attrs{"id": "A", "from": bob, "t": "1735689600"}, []waBinary.Node{tag("enc", waBinary.Attrs{"v": "2", "type": "new"}, []byte{1})}))
	w.Sending(tagged("ack", waBinary.Attrs{"id": "A", "class": "message", "to": bob}, nil))
	if n := len(r.events()); n != 0 || cuts != 1 {
		t.Errorf("%d events, %d cuts; want none, and the session's connection cut", n, cuts)
	}
}

func tagged(name string, attrs waBinary.Attrs, content any) *waBinary.Node {
	n := tag(name, attrs, content)
	return &n
}

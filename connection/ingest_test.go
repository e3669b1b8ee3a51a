package connection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/stanzas"
	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

// appender is an outbox whose refusals a test chooses.
type appender struct {
	mu      sync.Mutex
	stored  []outbox.Event
	calls   int
	refusal func(evs []outbox.Event) error // nil takes everything
}

func (a *appender) Append(_ context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.refusal != nil {
		if err := a.refusal(evs); err != nil {
			return nil, err
		}
	}
	a.stored = append(a.stored, evs...)
	return make([]outbox.Seq, len(evs)), nil
}

func (a *appender) keys() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var keys []string
	for _, e := range a.stored {
		keys = append(keys, e.Key)
	}
	return strings.Join(keys, " ")
}

// scriptedTranslator is the real translator with translations of a test's own.
type scriptedTranslator struct {
	*translate.Translator
	script func(evt any) ([]outbox.Event, error)
}

func (s scriptedTranslator) Translate(_ context.Context, evt any) ([]outbox.Event, error) {
	return s.script(evt)
}

func translateBy(script func(evt any) ([]outbox.Event, error)) scriptedTranslator {
	self := translate.Self{PN: types.NewJID("15550100999", types.DefaultUserServer)}
	return scriptedTranslator{translate.New(func() translate.Self { return self }, noAlt{}, time.Now), script}
}

// byID translates a message to an event whose key is its id.
func byID(evt any) ([]outbox.Event, error) {
	switch e := evt.(type) {
	case *events.Message:
		return one(outbox.Event{Key: e.Info.ID, Name: translate.MessageReceived, Body: []byte("{}")}), nil
	case *events.UndecryptableMessage:
		return one(outbox.Event{Key: e.Info.ID, Name: translate.MessageReceived, Body: []byte("{}")}), nil
	case *events.Connected, *events.Disconnected:
		return one(outbox.Event{Key: fmt.Sprintf("%T", evt), Name: translate.ConnectionUpdate, Random: true, Body: []byte("{}")}), nil
	}
	return nil, nil
}

// ByKey knows nothing.
func (*appender) ByKey(context.Context, string) (outbox.Seq, error) { return 0, outbox.ErrNotFound }

type bench struct {
	*ingest
	out    *appender
	from   *source
	posted []any
	cuts   atomic.Int32 // the end of all acknowledging
	resets atomic.Int32 // of the connection
}

func newBench() *bench {
	b := &bench{out: &appender{}}
	b.ingest = &ingest{
		log: testLog(), tr: translateBy(byID),
		settle: func(context.Context, any) error { return nil }, appender: b.out, alarms: newAlarms(time.Now), timings: defaultTimings(),
		pass:   func(*waBinary.Node) func() { return nil },
		commit: func() func() error { return func() error { return nil } },
		lock:   make(chan struct{}, 1), stopping: make(chan struct{}), endAcks: func() { b.cuts.Add(1) },
	}
	b.reconnect()
	return b
}

// reconnect starts a new client of the library.
func (b *bench) reconnect() {
	b.from = &source{push: func(p any) { b.posted = append(b.posted, p) }, cut: func() { b.resets.Add(1) }}
}

func (b *bench) take(evt any) bool { return b.handle(evt, nil, b.from) }

func (b *bench) signalled() (n int) {
	for _, p := range b.posted {
		if _, ok := p.(appendRefused); ok {
			n++
		}
	}
	return n
}

func (b *bench) alarmed(code string) bool {
	for _, a := range b.alarms.list() {
		if a.Code == code {
			return true
		}
	}
	return false
}

func message(id string) *events.Message {
	return &events.Message{Info: types.MessageInfo{ID: id}}
}

func unreadable(id string) *events.UndecryptableMessage {
	return &events.UndecryptableMessage{Info: types.MessageInfo{ID: id}}
}

// Mutation of groups.go: the handler says yes and the event is on its way.
// Mutation of ingest.go: a refused message is overtaken by the next one of its chat: sequences
// still rise, the order of sending is lost.
func TestAcknowledgesOnlyAfterTheAppend(t *testing.T) {
	b := newBench()
	if !b.take(message("a")) || b.out.keys() != "a" {
		t.Fatalf("stored %q", b.out.keys())
	}
	b.out.refusal = func([]outbox.Event) error { return outbox.ErrFull }
	if b.take(message("b")) {
		t.Error("a refused event was acknowledged")
	}
	if b.signalled() != 1 || !b.alarmed(alarmRefused) {
		t.Errorf("posted %v, alarms %v", b.posted, b.alarms.list())
	}
	b.out.refusal = nil
	if b.take(message("c")) {
		t.Error("an event after a refused one was taken on the same connection: the order would break")
	}
	old := b.from
	b.reconnect()
	if b.handle(message("c"), nil, old) {
		t.Error("a handler the old connection still ran overtook what comes again")
	}
	for _, id := range []string{"b", "c"} {
		if !b.take(message(id)) {
			t.Errorf("%s refused on a new connection", id)
		}
	}
	if b.out.keys() != "a b c" || b.alarmed(alarmRefused) {
		t.Errorf("stored %q, alarms %v", b.out.keys(), b.alarms.list())
	}
}

// An append whose outcome stays unknown is repeated a few times, and is no success: WhatsApp must
// send the event again.
//
// Mutation of ingest.go: an append of unknown outcome counts as stored.
func TestAnUnknownOutcomeIsNotSuccess(t *testing.T) {
	b := newBench()
	b.out.refusal = func([]outbox.Event) error { return fmt.Errorf("append: %w", outbox.ErrUnknown) }
	if b.take(message("a")) {
		t.Error("acknowledged though nobody knows whether it is on disk")
	}
	if b.out.calls != unknownTries || b.signalled() != 1 || !b.alarmed(alarmRefused) {
		t.Errorf("%d appends, posted %v, alarms %v", b.out.calls, b.posted, b.alarms.list())
	}
}

// A message that could not be read, because the session store failed, comes again on a new
// connection: what follows it on the old one must not overtake it.
//
// Mutation of ingest.go: a message that could not be read is overtaken by the next one.
func TestNothingOvertakesAMessageThatCouldNotBeRead(t *testing.T) {
	b := newBench()
	b.stopSource(b.from)
	if b.take(message("b")) || b.out.calls != 0 {
		t.Error("a later message was taken on the same connection")
	}
	if b.signalled() == 0 {
		t.Error("the connection is not made again")
	}
	b.reconnect()
	for _, id := range []string{"a", "b"} {
		if !b.take(message(id)) {
			t.Errorf("%s refused on a new connection", id)
		}
	}
	if b.out.keys() != "a b" {
		t.Errorf("stored %q", b.out.keys())
	}
}

// Nor must what the library acknowledges whatever becomes of it: the connection is cut before.
//
// Mutation of ingest.go: it is overtaken by what the library acknowledges whatever the handler
// returns.
func TestNothingAcknowledgedAnywayOvertakes(t *testing.T) {
	b := newBench()
	found := []stanzas.Found{{Event: unreadable("d"), Lost: "a message could not be read"}}
	stanza := &waBinary.Node{Tag: "message"}
	b.stopSource(b.from)
	for n, take := range []func(){
		func() {
			if b.take(unreadable("b")) {
				t.Error("a placeholder was taken")
			}
		},
		func() {
			if b.take(&events.Receipt{Type: types.ReceiptTypeRetry, MessageIDs: []string{"c"}}) {
				t.Error("a receipt was taken")
			}
		},
		func() { b.storeMissed(stanza, found, b.from) },
	} {
		if take(); b.out.calls != 0 || b.resets.Load() != int32(n+1) {
			t.Errorf("%d: %d appends, the connection was cut %d times", n, b.out.calls, b.resets.Load())
		}
	}
	b.reconnect()
	b.take(message("a"))
	b.take(unreadable("b"))
	b.storeMissed(stanza, found, b.from)
	if b.out.keys() != "a b d" {
		t.Errorf("stored %q", b.out.keys())
	}
}

// Mutation of ingest.go: the library takes a panic for success.
func TestPanicIsNotSuccess(t *testing.T) {
	b := newBench()
	b.out.refusal = func([]outbox.Event) error { panic("bug") }
	if b.take(message("a")) {
		t.Fatal("a panic counted as success")
	}
	b.out.refusal = nil
	b.reconnect()
	if !b.take(message("a")) || b.signalled() != 1 {
		t.Error("the event was not taken when it came again")
	}
}

func TestEventsOfTheLinkWaitForRoom(t *testing.T) {
	b := newBench()
	b.out.refusal = func([]outbox.Event) error { return outbox.ErrFull }
	for range maxBuffered + 10 {
		if !b.take(&events.Connected{}) {
			t.Fatal("nobody sends a link event again: refusing it is of no use")
		}
	}
	if len(b.buffered) != maxBuffered || !b.alarmed(alarmLost) {
		t.Errorf("%d buffered, alarms %v", len(b.buffered), b.alarms.list())
	}
	b.out.refusal = nil
	if !b.take(message("a")) {
		t.Fatal("refused although there is room")
	}
	if n := len(b.out.stored); n != maxBuffered+1 || b.out.stored[n-1].Key != "a" || b.out.calls < 2 {
		t.Errorf("%d stored, the last is %s: what waited comes first", n, b.out.stored[n-1].Key)
	}
	if b.take(&events.Disconnected{}); len(b.buffered) != 0 {
		t.Errorf("%d still buffered", len(b.buffered))
	}
}

func TestRetriesWhereTheLibraryAcknowledgesAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		fails := 5
		b.out.refusal = func([]outbox.Event) error {
			if fails--; fails >= 0 {
				return outbox.ErrFull
			}
			return nil
		}
		if !b.take(unreadable("a")) || b.out.keys() != "a" {
			t.Fatalf("stored %q", b.out.keys())
		}
		b.out.refusal = func([]outbox.Event) error { return outbox.ErrFull }
		began := time.Now()
		if b.take(unreadable("b")) {
			t.Error("claims to have stored what was refused")
		}
		if took := time.Since(began); took < 10*time.Second || took > 30*time.Second {
			t.Errorf("retried for %v", took)
		}
		if len(b.buffered) != 1 || !b.alarmed(alarmRefused) {
			t.Errorf("buffered %v, alarms %v", b.buffered, b.alarms.list())
		}
		b.out.refusal = nil
		b.reconnect()
		if !b.take(message("c")) || b.out.keys() != "a b c" {
			t.Errorf("stored %q", b.out.keys())
		}
	})
}

// At the stop acknowledging must end before a retry gives up, or WhatsApp forgets the event.
//
// Mutation of ingest.go: a retry gives up at the stop while the library can still acknowledge.
func TestStopEndsAcknowledgingBeforeRetriesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.out.refusal = func([]outbox.Event) error { return outbox.ErrFull }
		ended := make(chan bool, 1)
		go func() {
			ok := b.take(unreadable("a"))
			if b.cuts.Load() == 0 {
				t.Error("gave up while the library could still acknowledge")
			}
			ended <- ok
		}()
		synctest.Wait()
		b.close(5 * time.Second)
		if <-ended {
			t.Error("claims to have stored what was refused")
		}
		if b.take(message("b")) {
			t.Error("took an event after the stop")
		}
	})
}

func TestTooLargeNeverLoops(t *testing.T) {
	b := newBench()
	b.out.refusal = func(evs []outbox.Event) error {
		for _, e := range evs {
			if e.Key == "never" || (e.Key == "big" && !strings.Contains(string(e.Body), "too_large")) {
				return fmt.Errorf("append: %w", outbox.ErrTooLarge)
			}
		}
		return nil
	}
	for _, id := range []string{"big", "never", "small"} {
		if !b.take(message(id)) {
			t.Errorf("%s is refused for ever", id)
		}
	}
	if b.out.keys() != "big small" || !b.alarmed(alarmUntranslated) {
		t.Errorf("stored %q, alarms %v", b.out.keys(), b.alarms.list())
	}
}

func TestUnknownOutcomeIsRepeatedFirst(t *testing.T) {
	b := newBench()
	unknown := 2
	b.out.refusal = func([]outbox.Event) error {
		if unknown--; unknown >= 0 {
			return outbox.ErrUnknown
		}
		return nil
	}
	if !b.take(message("a")) || b.out.calls != 3 {
		t.Errorf("%d appends", b.out.calls)
	}
}

// Mutation of ingest.go: what cannot be translated is not stored at all.
func TestUntranslatableBecomesAPlaceholder(t *testing.T) {
	b := newBench()
	b.tr = translateBy(func(any) ([]outbox.Event, error) { return nil, errors.New("bug") })
	bob := types.NewJID("204813927440123", types.HiddenUserServer)
	msg := message("3EB0A")
	msg.Info.Chat, msg.Info.Sender, msg.Info.Timestamp = bob, bob, time.Unix(1735689600, 0)
	group := types.NewJID("120363025846172094", types.GroupServer)
	for _, evt := range []any{msg, &events.GroupInfo{JID: group}, &events.Receipt{MessageSource: types.MessageSource{Chat: bob}}, &events.Connected{}, &events.AppState{}} {
		if !b.take(evt) {
			t.Errorf("%T would come again for ever", evt)
		}
	}
	want := []struct{ name, chat string }{{translate.MessageReceived, bob.String()}, {translate.GroupUpdate, group.String()}, {translate.MessageUpdate, bob.String()}, {translate.ConnectionUpdate, translate.ConnectionChat}}
	if len(b.out.stored) != len(want) || !b.alarmed(alarmUntranslated) {
		t.Fatalf("%d stored, alarms %v", len(b.out.stored), b.alarms.list())
	}
	for i, w := range want {
		if e := b.out.stored[i]; e.Name != w.name || e.Chat != w.chat {
			t.Errorf("placeholder %d is %s in %s, want %s in %s", i, e.Name, e.Chat, w.name, w.chat)
		}
	}
	if e := b.out.stored[0]; e.Random || !strings.Contains(string(e.Body), `"id":"3EB0A"`) || e.Stamp != 1735689600 {
		t.Errorf("the message's placeholder does not keep its identity: %s", e.Body)
	}
}

type noAlt struct{}

func (noAlt) AltJID(context.Context, types.JID) types.JID { return types.JID{} }

func TestOneEventAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		var inside, most atomic.Int32
		b.tr = translateBy(func(evt any) ([]outbox.Event, error) {
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-time.After(time.Millisecond) // whoever else can come in does so meanwhile
			inside.Add(-1)
			return byID(evt)
		})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() { b.handle(message(fmt.Sprint(i)), nil, &source{push: func(any) {}}) })
		}
		wg.Wait()
		if most.Load() != 1 || len(b.out.stored) != 50 {
			t.Errorf("%d events at once, %d stored", most.Load(), len(b.out.stored))
		}
	})
}

// Secrets of a pairing are neither stored nor logged by ingest, even where it fails, and nothing is
// stored while nobody is linked.
func TestMutedAndSecretEvents(t *testing.T) {
	b := newBench()
	var log bytes.Buffer
	b.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.tr = translateBy(func(evt any) ([]outbox.Event, error) {
		if _, ok := evt.(*events.PairError); ok {
			return nil, errors.New("bug")
		}
		return one(outbox.Event{Key: fmt.Sprintf("%T", evt)}), nil
	})
	b.take(&events.QR{Codes: []string{"secret"}})
	b.take(&events.RotateADVSecret{OldSecret: "secret", NewSecret: "secret"})
	b.setMuted(true)
	b.take(&events.Disconnected{})
	if b.out.calls != 0 {
		t.Errorf("stored %q", b.out.keys())
	}
	b.setMuted(false)
	b.take(&events.Disconnected{})
	if b.out.calls != 1 {
		t.Errorf("%d appends after linking", b.out.calls)
	}
	b.take(&events.PairError{BusinessName: "secret"}) // the failure is logged, the event is not
	if !strings.Contains(log.String(), "could not be translated") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log is\n%s", log.String())
	}
}

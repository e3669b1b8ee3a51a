package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
)

// appender is an outbox whose refusals a test chooses.
type appender struct {
	mu     sync.Mutex
	stored []outbox.Event
	calls  int
	answer func(evs []outbox.Event) error // nil takes everything
}

func (a *appender) Append(_ context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.answer != nil {
		if err := a.answer(evs); err != nil {
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

// named translates events to one event with the key its function gives.
type translateFunc func(evt any) ([]outbox.Event, error)

func (f translateFunc) Translate(_ context.Context, evt any) ([]outbox.Event, error) { return f(evt) }

// byID translates a message to an event whose key is its id.
func byID(evt any) ([]outbox.Event, error) {
	switch e := evt.(type) {
	case *events.Message:
		return one(outbox.Event{Key: e.Info.ID, Name: MessageReceived, Body: []byte("{}")}), nil
	case *events.UndecryptableMessage:
		return one(outbox.Event{Key: e.Info.ID, Name: MessageReceived, Body: []byte("{}")}), nil
	case *events.Connected, *events.Disconnected:
		return one(outbox.Event{Key: fmt.Sprintf("%T", evt), Name: ConnectionUpdate, Random: true, Body: []byte("{}")}), nil
	}
	return nil, nil
}

type bench struct {
	*ingest
	out    *appender
	from   *origin
	posted []any
	cuts   atomic.Int32
}

func newBench() *bench {
	b := &bench{out: &appender{}}
	b.ingest = &ingest{
		log: testLog(), tr: translateFunc(byID), fallback: func(any) (outbox.Event, bool) { return outbox.Event{}, false },
		proofs: func(context.Context, *events.Receipt) error { return nil }, appender: b.out, alarms: newAlarms(time.Now), pace: defaultPace(),
		gate: make(chan struct{}, 1), stopping: make(chan struct{}), cut: func() { b.cuts.Add(1) },
	}
	b.fresh()
	return b
}

// fresh starts a new client of the library.
func (b *bench) fresh() { b.from = &origin{post: func(p any) { b.posted = append(b.posted, p) }} }

func (b *bench) take1(evt any) bool { return b.handle(evt, b.from) }

func (b *bench) signalled() (n int) {
	for _, p := range b.posted {
		if _, ok := p.(refused); ok {
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

func TestAnswersYesOnlyAfterTheAppend(t *testing.T) {
	b := newBench()
	if !b.take1(message("a")) || b.out.keys() != "a" {
		t.Fatalf("stored %q", b.out.keys())
	}
	b.out.answer = func([]outbox.Event) error { return outbox.ErrFull }
	if b.take1(message("b")) {
		t.Error("a refused event was acknowledged")
	}
	if b.signalled() != 1 || !b.alarmed(alarmRefused) {
		t.Errorf("posted %v, alarms %v", b.posted, b.alarms.list())
	}
	b.out.answer = nil
	if b.take1(message("c")) {
		t.Error("an event after a refused one was taken on the same connection: the order would break")
	}
	old := b.from
	b.fresh()
	if b.handle(message("c"), old) {
		t.Error("a handler the old connection still ran overtook what comes again")
	}
	for _, id := range []string{"b", "c"} {
		if !b.take1(message(id)) {
			t.Errorf("%s refused on a new connection", id)
		}
	}
	if b.out.keys() != "a b c" || b.alarmed(alarmRefused) {
		t.Errorf("stored %q, alarms %v", b.out.keys(), b.alarms.list())
	}
}

func TestPanicIsNotSuccess(t *testing.T) {
	b := newBench()
	b.out.answer = func([]outbox.Event) error { panic("bug") }
	if b.take1(message("a")) {
		t.Fatal("a panic counted as success")
	}
	b.out.answer = nil
	b.fresh()
	if !b.take1(message("a")) || b.signalled() != 1 {
		t.Error("the event was not taken when it came again")
	}
}

func TestEventsOfTheLinkWaitForRoom(t *testing.T) {
	b := newBench()
	b.out.answer = func([]outbox.Event) error { return outbox.ErrFull }
	for range maxKept + 10 {
		if !b.take1(&events.Connected{}) {
			t.Fatal("nobody sends a link event again: refusing it is of no use")
		}
	}
	if len(b.kept) != maxKept || !b.alarmed(alarmLost) {
		t.Errorf("%d kept, alarms %v", len(b.kept), b.alarms.list())
	}
	b.out.answer = nil
	if !b.take1(message("a")) {
		t.Fatal("refused although there is room")
	}
	if n := len(b.out.stored); n != maxKept+1 || b.out.stored[n-1].Key != "a" || b.out.calls < 2 {
		t.Errorf("%d stored, the last is %s: what waited comes first", n, b.out.stored[n-1].Key)
	}
	if b.take1(&events.Disconnected{}); len(b.kept) != 0 {
		t.Errorf("%d still kept", len(b.kept))
	}
}

func TestInsistsWhereTheAnswerIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		fails := 5
		b.out.answer = func([]outbox.Event) error {
			if fails--; fails >= 0 {
				return outbox.ErrFull
			}
			return nil
		}
		if !b.take1(unreadable("a")) || b.out.keys() != "a" {
			t.Fatalf("stored %q", b.out.keys())
		}
		b.out.answer = func([]outbox.Event) error { return outbox.ErrFull }
		began := time.Now()
		if b.take1(unreadable("b")) {
			t.Error("claims to have stored what was refused")
		}
		if took := time.Since(began); took < 10*time.Second || took > 30*time.Second {
			t.Errorf("insisted for %v", took)
		}
		if len(b.kept) != 1 || !b.alarmed(alarmRefused) {
			t.Errorf("kept %v, alarms %v", b.kept, b.alarms.list())
		}
		b.out.answer = nil
		b.fresh()
		if !b.take1(message("c")) || b.out.keys() != "a b c" {
			t.Errorf("stored %q", b.out.keys())
		}
	})
}

// At the stop acknowledging must end before a retry gives up, or WhatsApp forgets the event.
func TestStopEndsAcknowledgingBeforeRetriesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.out.answer = func([]outbox.Event) error { return outbox.ErrFull }
		answered := make(chan bool, 1)
		go func() {
			ok := b.take1(unreadable("a"))
			if b.cuts.Load() == 0 {
				t.Error("gave up while the library could still acknowledge")
			}
			answered <- ok
		}()
		synctest.Wait()
		b.close(5 * time.Second)
		if <-answered {
			t.Error("claims to have stored what was refused")
		}
		if b.take1(message("b")) {
			t.Error("took an event after the stop")
		}
	})
}

func TestTooLargeNeverLoops(t *testing.T) {
	b := newBench()
	b.out.answer = func(evs []outbox.Event) error {
		for _, e := range evs {
			if e.Key == "never" || (e.Key == "big" && !strings.Contains(string(e.Body), "too_large")) {
				return fmt.Errorf("append: %w", outbox.ErrTooLarge)
			}
		}
		return nil
	}
	for _, id := range []string{"big", "never", "small"} {
		if !b.take1(message(id)) {
			t.Errorf("%s is refused for ever", id)
		}
	}
	if b.out.keys() != "big small" || !b.alarmed(alarmUntranslate) {
		t.Errorf("stored %q, alarms %v", b.out.keys(), b.alarms.list())
	}
}

func TestUnknownOutcomeIsRepeatedFirst(t *testing.T) {
	b := newBench()
	unknown := 2
	b.out.answer = func([]outbox.Event) error {
		if unknown--; unknown >= 0 {
			return outbox.ErrUnknown
		}
		return nil
	}
	if !b.take1(message("a")) || b.out.calls != 3 {
		t.Errorf("%d appends", b.out.calls)
	}
}

func TestUntranslatableBecomesAStub(t *testing.T) {
	tr := NewTranslator(func() Self { return Self{PN: types.NewJID("15550100999", types.DefaultUserServer)} }, noAlt{}, time.Now)
	b := newBench()
	b.tr = translateFunc(func(any) ([]outbox.Event, error) { return nil, errors.New("bug") })
	b.fallback = tr.stub
	bob := types.NewJID("204813927440123", types.HiddenUserServer)
	msg := message("3EB0A")
	msg.Info.Chat, msg.Info.Sender, msg.Info.Timestamp = bob, bob, time.Unix(1735689600, 0)
	group := types.NewJID("120363025846172094", types.GroupServer)
	for _, evt := range []any{msg, &events.GroupInfo{JID: group}, &events.Receipt{MessageSource: types.MessageSource{Chat: bob}}, &events.Connected{}, &events.AppState{}} {
		if !b.take1(evt) {
			t.Errorf("%T would come again for ever", evt)
		}
	}
	want := []struct{ name, chat string }{{MessageReceived, bob.String()}, {GroupUpdate, group.String()}, {MessageUpdate, bob.String()}, {ConnectionUpdate, connectionChat}}
	if len(b.out.stored) != len(want) || !b.alarmed(alarmUntranslate) {
		t.Fatalf("%d stored, alarms %v", len(b.out.stored), b.alarms.list())
	}
	for i, w := range want {
		if e := b.out.stored[i]; e.Name != w.name || e.Chat != w.chat {
			t.Errorf("stub %d is %s in %s, want %s in %s", i, e.Name, e.Chat, w.name, w.chat)
		}
	}
	if e := b.out.stored[0]; e.Random || !strings.Contains(string(e.Body), `"id":"3EB0A"`) || e.Stamp != 1735689600 {
		t.Errorf("the message's stub does not keep its identity: %s", e.Body)
	}
}

type noAlt struct{}

func (noAlt) AltJID(context.Context, types.JID) types.JID { return types.JID{} }

func TestOneEventAtATime(t *testing.T) {
	b := newBench()
	var mu sync.Mutex
	inside, most := 0, 0
	b.tr = translateFunc(func(evt any) ([]outbox.Event, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		mu.Unlock()
		evs, err := byID(evt)
		mu.Lock()
		inside--
		mu.Unlock()
		return evs, err
	})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { b.handle(message(fmt.Sprint(i)), &origin{post: func(any) {}}) })
	}
	wg.Wait()
	if most != 1 || len(b.out.stored) != 50 {
		t.Errorf("%d events at once, %d stored", most, len(b.out.stored))
	}
}

// Secrets of a pairing are neither stored nor logged by ingest, and nothing is stored while nobody is linked.
func TestQuietAndSecretEvents(t *testing.T) {
	b := newBench()
	b.tr = translateFunc(func(evt any) ([]outbox.Event, error) {
		return one(outbox.Event{Key: fmt.Sprintf("%T", evt)}), nil
	})
	b.take1(&events.QR{Codes: []string{"secret"}})
	b.take1(&events.RotateADVSecret{})
	b.hush(true)
	b.take1(&events.Disconnected{})
	if b.out.calls != 0 {
		t.Errorf("stored %q", b.out.keys())
	}
	b.hush(false)
	b.take1(&events.Disconnected{})
	if b.out.calls != 1 {
		t.Errorf("%d appends after linking", b.out.calls)
	}
}

package translate

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wajson/wajsontest"
	"waoutbox/outbox"
)

// checkTranslation translates a message twice and says what no message may
// bring about: an error, a body that is not canonical or too large, an alarm
// that it could not be read, a changed message, or two ids for one event.
func checkTranslation(t *testing.T, info types.MessageInfo, m *waE2E.Message) (bodies [][]byte) {
	t.Helper()
	f := newFixture(WithSecrets(func() Secrets { return vault{} }))
	evt := arrived(info, m)
	before := proto.Clone(evt.RawMessage)
	first := f.must(t, evt)
	second := f.must(t, evt)
	if len(first) > 2 || len(first) != len(second) {
		t.Fatalf("%d and %d events", len(first), len(second))
	}
	for i, ev := range first {
		if ev.Key != second[i].Key && info.ID != "" || !bytes.Equal(ev.Body, second[i].Body) {
			t.Errorf("translated twice:\n%s %s\n%s %s", ev.Key, ev.Body, second[i].Key, second[i].Body)
		}
		if len(ev.Body) > outbox.MaxBody || !eventIDPattern.MatchString(ev.Key) || ev.Chat == "" {
			t.Errorf("event %q in %q of %d bytes", ev.Key, ev.Chat, len(ev.Body))
		}
		if err := wajsontest.Canonical(ev.Body); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, ev.Body)
	}
	if !proto.Equal(before, evt.RawMessage) {
		t.Error("the library's message was changed")
	}
	for _, a := range *f.alarms {
		// of a kind that is newer than this program, too
		if a.Code != "message_too_large" && !strings.Contains(a.Message, "this version does not know") {
			t.Errorf("alarm %+v", a)
		}
	}
	return bodies
}

// randomInfo is a message from somewhere, with hostile text where the sender
// chooses it.
func randomInfo(rnd *rand.Rand) types.MessageInfo {
	info := direct(1, "13")
	if rnd.IntN(2) == 0 {
		info = inGroup(1, "13")
	}
	info.ID, info.PushName, info.IsFromMe = wajsontest.String(rnd), wajsontest.String(rnd), rnd.IntN(4) == 0
	return info
}

func TestRandomMessages(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	var bodies [][]byte
	for range 400 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 6)
		if rnd.IntN(4) == 0 { // what random filling rarely hits
			m.ProtocolMessage = &waE2E.ProtocolMessage{}
			wajsontest.Fill(rnd, m.ProtocolMessage.ProtoReflect(), 4)
			m.ProtocolMessage.Type = []*waE2E.ProtocolMessage_Type{waE2E.ProtocolMessage_REVOKE.Enum(), waE2E.ProtocolMessage_MESSAGE_EDIT.Enum()}[rnd.IntN(2)]
			if rnd.IntN(2) == 0 {
				m = &waE2E.Message{MessageContextInfo: deviceInfo(), EditedMessage: wrap(m)}
			}
		}
		bodies = append(bodies, checkTranslation(t, randomInfo(rnd), m)...)
	}
	if len(bodies) < 320 {
		t.Errorf("only %d bodies came out", len(bodies))
	}
	wajsontest.Node(t, bodies)
}

// FuzzTranslate feeds any bytes a sender could encrypt.
func FuzzTranslate(f *testing.F) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for range 20 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 4)
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, wajsontest.String(rnd), rnd.IntN(2) == 0)
	}
	for _, m := range goldenMessages() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "id", false)
	}
	f.Fuzz(func(t *testing.T, b []byte, id string, fromMe bool) {
		m := &waE2E.Message{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		info := inGroup(1, "13")
		info.ID, info.PushName, info.IsFromMe = id, id, fromMe
		checkTranslation(t, info, m)
	})
}

func TestTranslatorIsSafeForConcurrentUse(t *testing.T) {
	f := newFixture()
	f.Translator.now = func() time.Time { return created(0) } // the step clock is for one goroutine
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, r := range f.table() {
				if _, err := f.Translate(t.Context(), reflect.New(r.typ().Elem()).Interface()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkTranslateText(b *testing.B) {
	f := newFixture()
	evt := arrived(direct(1, "13"), goldenMessages()["message.received-text"])
	b.ReportAllocs()
	for b.Loop() {
		f.must(b, evt)
	}
}

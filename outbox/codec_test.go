package outbox

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func at(sec int64) time.Time { return time.Unix(sec, 123_456_789).UTC() }

func sampleLog() Log {
	return Log{
		Attempts: []Attempt{
			{N: 1, At: at(1_700_000_000), Took: 12 * time.Millisecond, Status: 503, Class: ClassHTTP},
			{N: 2, At: at(1_700_000_001), Took: 10 * time.Second, Class: ClassTimeout},
		},
		Message: "no answer within 10 s",
		Excerpt: []byte("upstream connect error"),
	}
}

func TestLogRoundTrip(t *testing.T) {
	for _, l := range []Log{{}, sampleLog(), {Message: "m"}} {
		got, err := DecodeLog(EncodeLog(l))
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("log came back as %+v, %v; want %+v", got, err, l)
		}
	}
	if got, err := DecodeLog(nil); err != nil || !reflect.DeepEqual(got, Log{}) {
		t.Errorf("no bytes gave %+v, %v", got, err)
	}
	empty := len(EncodeLog(Log{}))
	if n := len(EncodeLog(Log{Attempts: make([]Attempt, 5)})) - empty; n != 5*24 {
		t.Errorf("five attempts take %d bytes, want 24 each", n)
	}
	for _, c := range []Class{"", ClassOK, ClassHTTP, ClassRedirect, ClassTimeout, ClassRefused, ClassReset, ClassDNS, ClassTLS, ClassNetwork, ClassInternal, ClassAddress, ClassLocal} {
		if got, _ := DecodeLog(EncodeLog(Log{Attempts: []Attempt{{Class: c}}})); got.Attempts[0].Class != c {
			t.Errorf("class %q came back as %q", c, got.Attempts[0].Class)
		}
	}
	if got, err := DecodeLog(EncodeLog(Log{Attempts: []Attempt{{Class: "from the future"}}})); err != nil || got.Attempts[0].Class != "unknown" {
		t.Errorf("a class of a newer version came back as %+v, %v", got, err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, r := range []Record{
		{Seq: 7, State: Pending},
		{Seq: 1 << 63, State: Pending, Attempts: 3, Due: at(1_800_000_000), Order: 1<<64 - 1, Replay: 2, Reason: "http", Log: EncodeLog(sampleLog())},
		{Seq: 7, State: Dead, Attempts: 4, Reason: "timeout", At: at(1_700_000_100)},
		{Seq: 1, Last: 900, Count: 512, State: Dead, Reason: "unregistered", At: at(1_700_000_100)},
	} {
		b := EncodeRecord("a", r)
		got, err := DecodeRecord("a", r.KeySeq(), b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("record came back as %+v, %v; want %+v", got, err, r)
		}
		count, span, err := DecodeRecordHead("a", r.KeySeq(), b)
		if want := max(r.Count, 1); err != nil || count != uint64(want) || (span > 0) != r.IsRun() {
			t.Errorf("head of %+v: count %d, span %d, %v", r, count, span, err)
		}
	}
}

func TestEventRoundTrip(t *testing.T) {
	for _, e := range []Event{
		{Seq: 1, Key: "evt_1"},
		{Seq: 9, Key: "evt_9", Stamp: 1<<32 - 1, Random: true, Time: at(1_700_000_000), Name: "message.received", Chat: "c@lid", ChatAlt: "5@s.whatsapp.net", Account: "1@s.whatsapp.net", Message: "3EB0", Body: []byte(`{"event":"x"}`)},
	} {
		b := EncodeEvent(e)
		got, err := DecodeEvent(e.Seq, b)
		if len(got.Body) == 0 {
			got.Body = nil
		}
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("event came back as %+v, %v; want %+v", got, err, e)
		}
		late := e
		late.Seq = 0
		stamped := EncodeEvent(late)
		if SetEventSeq(stamped, len(e.Body), e.Seq); !bytes.Equal(stamped, b) {
			t.Errorf("an event that got its sequence later is %x, want %x", stamped, b)
		}
		if !bytes.HasSuffix(b, e.Body) {
			t.Error("the body is not the tail of the record")
		}
		if h, err := DecodeEventHead(e.Seq, b); err != nil || h != e.Head() {
			t.Errorf("head %+v, %v", h, err)
		}
	}
}

func TestSubscriptionCursorSendRoundTrip(t *testing.T) {
	s := Subscription{ID: "wh_a", Config: []byte("conf"), Removed: true, Epochs: []Epoch{
		{From: 1, Filter: Filter{Events: []string{"a", "b"}, Chats: []string{"c"}, NotChats: []string{"d", "e"}, Kinds: []string{KindGroup}}}, {From: 1 << 40}}}
	if got, err := DecodeSubscription("wh_a", EncodeSubscription(s)); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("subscription came back as %+v, %v", got, err)
	}
	c := Cursor{Next: 1 << 50, Pending: 3, Dead: 1 << 33, Runs: 1, Lane: []byte("lane")}
	if got, err := DecodeCursor("wh_a", EncodeCursor("wh_a", c)); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("cursor came back as %+v, %v", got, err)
	}
	d := Send{MessageID: "3EB0", Chat: "c", IdempotencyKey: "k", Content: []byte("x"), State: SendSent, CreatedAt: at(1), SettledAt: at(2), Result: []byte("r")}
	if got, err := DecodeSend("3EB0", EncodeSend(d)); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("send came back as %+v, %v", got, err)
	}
}

// decoders are all of them, as functions of the bytes alone that return what they decoded, encoded
// again.
func decoders() map[string]func([]byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"log": func(b []byte) ([]byte, error) { l, err := DecodeLog(b); return EncodeLog(l), err },
		"record": func(b []byte) ([]byte, error) {
			r, err := DecodeRecord("a", 1<<40, b)
			return EncodeRecord("a", r), err
		},
		"event":              func(b []byte) ([]byte, error) { e, err := DecodeEvent(1, b); return EncodeEvent(e), err },
		"event of a message": func(b []byte) ([]byte, error) { e, err := DecodeEvent(1, b); return EncodeEvent(e), err },
		"sub": func(b []byte) ([]byte, error) {
			s, err := DecodeSubscription("a", b)
			return EncodeSubscription(s), err
		},
		"cursor": func(b []byte) ([]byte, error) { c, err := DecodeCursor("a", b); return EncodeCursor("a", c), err },
		"send":   func(b []byte) ([]byte, error) { s, err := DecodeSend("a", b); return EncodeSend(s), err },
		"audit": func(b []byte) ([]byte, error) {
			body, err := DecodeAudit([]byte("a"), b)
			return EncodeAudit([]byte("a"), Audit{Body: body}), err
		},
		"removed": func(b []byte) ([]byte, error) {
			s, c, err := DecodeRemoved("a", b)
			return EncodeRemoved(s, c), err
		},
	}
}

func samples() map[string][]byte {
	return map[string][]byte{
		"log":                EncodeLog(sampleLog()),
		"record":             EncodeRecord("a", Record{Seq: 1, Last: 1 << 40, Count: 9, State: Dead, Due: at(1), Reason: "r", Log: []byte("l")}),
		"event":              EncodeEvent(Event{Seq: 1, Key: "k", Name: "n", Chat: "c", Account: "a", Time: at(1)}),
		"event of a message": EncodeEvent(Event{Seq: 1, Key: "k", Name: "n", Chat: "c", ChatAlt: "d", Account: "a", Message: "m", Random: true, Time: at(1), Body: []byte("body")}),
		"sub": EncodeSubscription(Subscription{ID: "a", Config: []byte("c"), Epochs: []Epoch{
			{From: 3, Filter: Filter{Events: []string{"e"}, Chats: []string{"c"}, NotChats: []string{"n"}, Kinds: []string{"group"}}}, {From: 300}}}),
		"cursor": EncodeCursor("a", Cursor{Next: 5, Lane: []byte("l")}),
		"removed": EncodeRemoved(Subscription{ID: "a", Removed: true, Config: []byte("c"), Epochs: []Epoch{{From: 3, Filter: Filter{Events: []string{"e"}}}, {From: 9}}},
			Cursor{Next: 9, Dead: 2, Lane: []byte("lane")}),
		"audit": EncodeAudit([]byte("a"), Audit{Body: []byte(`{"caller":"cli"}`)}),
		"send":  EncodeSend(Send{MessageID: "a", Chat: "c", IdempotencyKey: "k", Content: []byte("x"), Result: []byte("r"), CreatedAt: at(1)}),
	}
}

// A record that was cut off, prolonged, or written by another version is an error and never a wrong
// record.
func TestDecodersRefuseDamage(t *testing.T) {
	for name, decode := range decoders() {
		b := samples()[name]
		if again, err := decode(b); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%s: the sample comes back as %x, %v; want %x", name, again, err, b)
		}
		for n := range b {
			if n == 0 && name == "log" {
				continue // no bytes are an empty log
			}
			if _, err := decode(b[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes was decoded", name, n, len(b))
			}
		}
		if _, err := decode(append(bytes.Clone(b), 0)); err == nil {
			t.Errorf("%s with a byte too many was decoded", name)
		}
		unknown := b[0] + 1
		b[0] = unknown
		if _, err := decode(b); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("version %d", unknown)) {
			t.Errorf("%s of version %d: %v", name, unknown, err)
		}
	}
	if _, err := DecodeRecord("a", 1, EncodeRecord("a", Record{Seq: 1, State: 9})); err == nil {
		t.Error("a record in a state that does not exist was decoded")
	}
	run := older(EncodeRecord("a", Record{Seq: 1, Last: 10, Count: 2, State: Dead}))
	if _, err := DecodeRecord("a", 5, run); err == nil {
		t.Error("a run that starts below the first sequence was decoded")
	}
	if _, _, err := DecodeRecordHead("a", 5, run); err == nil {
		t.Error("the head of a run that starts below the first sequence was decoded")
	}
}

// olderEvents are events as earlier versions of the program wrote them, with what they say.
func olderEvents() map[string]Event {
	const head = "\x00\x40\xe2\x01\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01n\x01c\x01a\x01k"
	e := Event{Seq: 1, Stamp: 7, Time: time.Unix(0, 123_456).UTC(), Name: "n", Chat: "c", Account: "a", Key: "k", Body: []byte("{}")}
	m := e
	m.Message = "m"
	return map[string]Event{"\x01" + head + "{}": e, "\x02" + head + "\x01m{}": m}
}

// older makes a record of the layout codecChecked one of codecPlain.
func older(b []byte) []byte {
	b = bytes.Clone(b[:len(b)-sumSize])
	b[0], b[1] = codecPlain, b[1]&^flagChecked
	return b
}

func TestOlderLayoutsAreRead(t *testing.T) {
	r := Record{Seq: 1, Last: 900, Count: 512, State: Dead, Attempts: 3, Due: at(5), Order: 9, Replay: 2, Reason: "unregistered", At: at(1_700_000_100), Log: []byte("l")}
	if got, err := DecodeRecord("a", 900, older(EncodeRecord("a", r))); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("record of version 1 is read as %+v, %v", got, err)
	}
	if count, span, err := DecodeRecordHead("a", 900, older(EncodeRecord("a", r))); err != nil || count != 512 || span != 899 {
		t.Errorf("head of a record of version 1: %d, %d, %v", count, span, err)
	}
	d := Send{MessageID: "3EB0", Chat: "c", IdempotencyKey: "k", Content: []byte("x"), State: SendSent, CreatedAt: at(1), SettledAt: at(2), Result: []byte("r")}
	if got, err := DecodeSend("3EB0", older(EncodeSend(d))); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("send of version 1 is read as %+v, %v", got, err)
	}
	c := Cursor{Next: 1 << 50, Pending: 3, Dead: 1 << 33, Runs: 1, Lane: []byte("lane")}
	plain := older(EncodeCursor("a", c)) // has no second byte
	plain = append(plain[:1:1], plain[2:]...)
	if got, err := DecodeCursor("a", plain); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("cursor of version 1 is read as %+v, %v", got, err)
	}
	for b, want := range olderEvents() {
		if got, err := DecodeEvent(1, []byte(b)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("event of version %d is read as %+v, %v", b[0], got, err)
		}
		if h, err := DecodeEventHead(1, []byte(b)); err != nil || h != want.Head() {
			t.Errorf("head of an event of version %d: %+v, %v", b[0], h, err)
		}
	}
	want := Subscription{ID: "a", Removed: true, Config: []byte("conf"), Epochs: []Epoch{{From: 300, Filter: Filter{Events: []string{"e"}, Chats: []string{"c"}}}, {From: 301}}}
	got, err := DecodeSubscription("a", []byte("\x01\x01\x04conf\x02\xac\x02\x01\x01e\x01\x01c\xad\x02\x00\x00"))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("subscription of version 1 is read as %+v, %v", got, err)
	}
}

// A record in which one byte is another one, or that lies under another key, is an error: whatever
// the byte and whatever it became. Before there were checksums, an event with a changed letter was
// delivered.
//
// Mutation of codec_event.go: a damaged body is delivered, since its checksum is not looked at.
// Mutation of codec_event.go: damage to the version byte turns off the checks.
// Mutation of codec_reader.go: a damaged record is taken for a sound one.
func TestEveryDamagedByteIsFound(t *testing.T) {
	elsewhere := map[string]func([]byte) error{
		"event":                      func(b []byte) error { _, err := DecodeEvent(2, b); return err },
		"sub":                        func(b []byte) error { _, err := DecodeSubscription("b", b); return err },
		"record":                     func(b []byte) error { _, err := DecodeRecord("b", 1<<40, b); return err },
		"record of another sequence": func(b []byte) error { _, err := DecodeRecord("a", 1<<40+1, b); return err },
		"cursor":                     func(b []byte) error { _, err := DecodeCursor("b", b); return err },
		"send":                       func(b []byte) error { _, err := DecodeSend("b", b); return err },
		"audit":                      func(b []byte) error { _, err := DecodeAudit([]byte("b"), b); return err },
		"removed":                    func(b []byte) error { _, _, err := DecodeRemoved("b", b); return err },
	}
	for name, decode := range decoders() {
		b := samples()[name]
		if name == "log" {
			continue // it is part of a record
		}
		for i := range b {
			was := b[i]
			for x := 1; x < 256; x++ {
				b[i] = was ^ byte(x)
				if _, err := decode(b); err == nil {
					t.Errorf("%s with byte %d changed from %#x to %#x was decoded", name, i, was, b[i])
				}
			}
			b[i] = was
		}
	}
	for what, decode := range elsewhere {
		kind, _, _ := strings.Cut(what, " ")
		if decode(samples()[kind]) == nil {
			t.Errorf("%s was decoded under another key", what)
		}
	}
	// the head is checked by itself, and without the body
	b := samples()["event of a message"]
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 0x10
		_, err := DecodeEventHead(1, damaged)
		if inBody := i >= len(b)-len("body"); inBody != (err == nil) {
			t.Errorf("head of an event with byte %d of %d changed: %v", i, len(b), err)
		}
	}
}

package outbox

import (
	"bytes"
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
		b := EncodeRecord(r)
		got, err := DecodeRecord(r.KeySeq(), b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("record came back as %+v, %v; want %+v", got, err, r)
		}
		count, span, err := DecodeRecordHead(b)
		if want := max(r.Count, 1); err != nil || count != uint64(want) || (span > 0) != r.IsRun() {
			t.Errorf("head of %+v: count %d, span %d, %v", r, count, span, err)
		}
	}
}

func TestEventRoundTrip(t *testing.T) {
	for _, e := range []Event{
		{Seq: 1, Key: "evt_1"},
		{Seq: 9, Key: "evt_9", Stamp: 1<<32 - 1, Random: true, Time: at(1_700_000_000), Name: "message.received", Chat: "c@lid", Account: "1@s.whatsapp.net", Body: []byte(`{"event":"x"}`)},
	} {
		b := EncodeEvent(e)
		got, err := DecodeEvent(e.Seq, b)
		if len(got.Body) == 0 {
			got.Body = nil
		}
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("event came back as %+v, %v; want %+v", got, err, e)
		}
		if !bytes.HasSuffix(b, e.Body) {
			t.Error("the body is not the tail of the record")
		}
		if h, err := DecodeEventHead(e.Seq, b); err != nil || h != (EventHead{e.Time, e.Name, e.Chat}) {
			t.Errorf("head %+v, %v", h, err)
		}
	}
}

func TestSubscriptionCursorSendRoundTrip(t *testing.T) {
	s := Subscription{ID: "wh_a", Config: []byte("conf"), Removed: true, Epochs: []Epoch{
		{From: 1, Filter: Filter{Events: []string{"a", "b"}, Chats: []string{"c"}}}, {From: 1 << 40}}}
	if got, err := DecodeSubscription("wh_a", EncodeSubscription(s)); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("subscription came back as %+v, %v", got, err)
	}
	c := Cursor{Next: 1 << 50, Pending: 3, Dead: 1 << 33, Runs: 1, Lane: []byte("lane")}
	if got, err := DecodeCursor(EncodeCursor(c)); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("cursor came back as %+v, %v", got, err)
	}
	d := Send{MessageID: "3EB0", Chat: "c", IdempotencyKey: "k", Content: []byte("x"), State: SendSent, CreatedAt: at(1), SettledAt: at(2), Result: []byte("r")}
	if got, err := DecodeSend("3EB0", EncodeSend(d)); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("send came back as %+v, %v", got, err)
	}
}

// decoders are all of them, as functions of the bytes alone that answer what they decoded, encoded again.
func decoders() map[string]func([]byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"log":    func(b []byte) ([]byte, error) { l, err := DecodeLog(b); return EncodeLog(l), err },
		"record": func(b []byte) ([]byte, error) { r, err := DecodeRecord(1<<40, b); return EncodeRecord(r), err },
		"event":  func(b []byte) ([]byte, error) { e, err := DecodeEvent(1, b); return EncodeEvent(e), err },
		"sub": func(b []byte) ([]byte, error) {
			s, err := DecodeSubscription("a", b)
			return EncodeSubscription(s), err
		},
		"cursor": func(b []byte) ([]byte, error) { c, err := DecodeCursor(b); return EncodeCursor(c), err },
		"send":   func(b []byte) ([]byte, error) { s, err := DecodeSend("a", b); return EncodeSend(s), err },
	}
}

func samples() map[string][]byte {
	return map[string][]byte{
		"log":    EncodeLog(sampleLog()),
		"record": EncodeRecord(Record{Seq: 1, Last: 1 << 40, Count: 9, State: Dead, Due: at(1), Reason: "r", Log: []byte("l")}),
		"event":  EncodeEvent(Event{Key: "k", Name: "n", Chat: "c", Account: "a", Time: at(1)}),
		"sub":    EncodeSubscription(Subscription{Config: []byte("c"), Epochs: []Epoch{{From: 300, Filter: Filter{Events: []string{"e"}, Chats: []string{"c"}}}}}),
		"cursor": EncodeCursor(Cursor{Next: 5, Lane: []byte("l")}),
		"send":   EncodeSend(Send{Chat: "c", IdempotencyKey: "k", Content: []byte("x"), Result: []byte("r"), CreatedAt: at(1)}),
	}
}

// A record that was cut off, prolonged, or written by another version is an error and never a wrong record.
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
		if _, err := decode(append(bytes.Clone(b), 0)); err == nil && name != "event" { // an event ends with its body
			t.Errorf("%s with a byte too many was decoded", name)
		}
		b[0] = 2
		if _, err := decode(b); err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s of version 2: %v", name, err)
		}
	}
	if _, err := DecodeRecord(1, EncodeRecord(Record{Seq: 1, State: 9})); err == nil {
		t.Error("a record in a state that does not exist was decoded")
	}
	if _, err := DecodeRecord(5, EncodeRecord(Record{Seq: 1, Last: 10, Count: 2, State: Dead})); err == nil {
		t.Error("a run that starts below the first sequence was decoded")
	}
}

// FuzzDecode: no bytes make a decoder panic, and what it does decode it also writes so that it is read the same.
func FuzzDecode(f *testing.F) {
	for _, b := range samples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, decode := range decoders() {
			once, err := decode(b)
			if err != nil {
				continue
			}
			if twice, err := decode(once); err != nil || !bytes.Equal(once, twice) {
				t.Errorf("%s: %x is read and written as %x, then as %x, %v", name, b, once, twice, err)
			}
		}
	})
}

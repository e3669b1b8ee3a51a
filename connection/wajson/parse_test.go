package wajson_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wajson/wajsontest"
)

// What was rendered is read back: rendered again it is the same, byte for byte.
func TestParseReadsWhatIsRendered(t *testing.T) {
	r := renderer(t)
	rnd := rand.New(rand.NewPCG(8, 8))
	for range 500 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 4)
		want := r.Message(m)
		got := &waE2E.Message{}
		if err := r.Parse(want, got); err != nil {
			t.Fatalf("%v: %s", err, want)
		}
		if again := r.Message(got); !bytes.Equal(again, want) {
			t.Fatalf("rendered %s, read back %s", want, again)
		}
	}
	m := &waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(math.Inf(-1)), SpeedInMps: proto.Float32(1.4)}, ImageMessage: &waE2E.ImageMessage{FileLength: proto.Uint64(math.MaxUint64), MediaKey: []byte{0xfb, 0xff}}}
	got := &waE2E.Message{}
	if err := r.Parse(r.Message(m), got); err != nil || !proto.Equal(got, m) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Fields of another version are passed over, and a value of another type is an error that does not
// show it.
func TestParseOfOtherBodies(t *testing.T) {
	r := renderer(t)
	got := &waE2E.Message{}
	if err := r.Parse([]byte(`{"conversation":"x","newerThanThis":{"a":1},"imageMessage":null}`), got); err != nil || got.GetConversation() != "x" || got.ImageMessage != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for _, body := range []string{
		`[]`, `{`, `{"conversation":7}`, `{"imageMessage":"secret"}`, `{"imageMessage":{"mediaKey":"secret!"}}`, `{"imageMessage":{"height":-1}}`,
		`{"imageMessage":{"fileLength":"secret"}}`, `{"protocolMessage":{"type":"SECRET"}}`, `{"extendedTextMessage":{"contextInfo":{"mentionedJid":{}}}}`,
		strings.Repeat(`{"ephemeralMessage":{"message":`, 60) + `{}` + strings.Repeat(`}}`, 60),
	} {
		if err := r.Parse([]byte(body), &waE2E.Message{}); err == nil || strings.Contains(strings.ToLower(err.Error()), "secret") {
			t.Errorf("%.80s: got %v", body, err)
		}
	}
}

package wajson_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"waoutbox/connection/wajson/wajsontest"
)

// FuzzParse: whatever JSON stands in a body, it is read as a message or refused without naming
// values; what is read is rendered so that it is read the same.
func FuzzParse(f *testing.F) {
	rnd := rand.New(rand.NewPCG(17, 18))
	r := renderer(f)
	for range 10 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 4)
		f.Add([]byte(r.Message(m)))
	}
	for _, seed := range []string{`{"conversation":1}`, `{"imageMessage":{"width":-1}}`, `{"imageMessage":{"mediaKey":"!"}}`, `{"messageContextInfo":[]}`, strings.Repeat(`{"viewOnceMessage":{"message":`, 60), `{"conversation":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &waE2E.Message{}
		if err := r.Parse(raw, m); err != nil {
			if !strings.HasPrefix(err.Error(), "wajson: ") {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		once := r.Message(m)
		again := &waE2E.Message{}
		if err := r.Parse(once, again); err != nil {
			t.Fatalf("%q is rendered as %s: %v", raw, once, err)
		}
		if twice := r.Message(again); !bytes.Equal(once, twice) {
			t.Errorf("%q is rendered as\n%s and that as\n%s", raw, once, twice)
		}
	})
}

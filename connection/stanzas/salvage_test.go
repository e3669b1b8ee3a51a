package stanzas

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

func marshalled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func field(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

// TestSalvageKeepsWhatCanBeRead: of a message that is refused, every field but the damaged ones is
// there, at any depth.
func TestSalvageKeepsWhatCanBeRead(t *testing.T) {
	text := &waE2E.ExtendedTextMessage{Text: proto.String("the text"), Title: proto.String("the title")}
	said := &waE2E.Message{Conversation: proto.String("hi")}
	for name, c := range map[string]struct {
		b    []byte
		want *waE2E.Message
	}{
		"whole":                    {marshalled(t, said), said},
		"lacks required fields":    {field(6, append(marshalled(t, text), field(36, nil)...)), &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: text.Text, Title: text.Title, EndCardTiles: []*waE2E.VideoEndCard{{}}}}},
		"damaged in the middle":    {append(append(marshalled(t, said), field(3, []byte{0xff, 0xff})...), field(6, marshalled(t, text))...), &waE2E.Message{Conversation: said.Conversation, ImageMessage: &waE2E.ImageMessage{}, ExtendedTextMessage: text}},
		"damaged in a field":       {field(6, append(marshalled(t, text), field(17, []byte{0xff})...)), &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: text.Text, Title: text.Title, ContextInfo: &waE2E.ContextInfo{}}}},
		"cut off":                  {append(marshalled(t, said), 0x32, 0x7f), said},
		"no message at all":        {[]byte{0xff, 0xff, 0xff}, &waE2E.Message{}},
		"the same field once more": {append(field(6, append(marshalled(t, text), field(36, nil)...)), marshalled(t, said)...), &waE2E.Message{Conversation: said.Conversation, ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: text.Text, Title: text.Title, EndCardTiles: []*waE2E.VideoEndCard{{}}}}},
	} {
		m := &waE2E.Message{}
		salvage(c.b, m.ProtoReflect(), 0)
		if !proto.Equal(m, c.want) {
			t.Errorf("%s: %v, want %v", name, m, c.want)
		}
	}
}

// FuzzSalvage: any bytes at all, and what comes out is a message.
func FuzzSalvage(f *testing.F) {
	f.Add(field(6, field(36, nil)))
	f.Add(bytes.Repeat([]byte{0x3a, 0x02}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &waE2E.Message{}
		salvage(b, m.ProtoReflect(), 0)
		whole := &waE2E.Message{}
		if proto.Unmarshal(b, whole) == nil && !proto.Equal(m, whole) {
			t.Errorf("%v, want %v", m, whole)
		}
	})
}

func TestUnpadded(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		version  int
		ok       bool
	}{
		"padded":         {"ab\x02\x02", "ab", 2, true},
		"nothing else":   {"\x01", "", 2, true},
		"not padded":     {"abc", "", 2, false},
		"cut":            {"a\x02", "", 2, false},
		"empty":          {"", "", 2, false},
		"another number": {"ab\x01", "ab", 7, true},
		"version 3":      {"abc", "abc", 3, true},
		"zero":           {"ab\x00", "ab\x00", 2, true}, // as the library has it
	} {
		got, ok := unpadded([]byte(c.in), c.version)
		if ok != c.ok || ok && string(got) != c.want {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

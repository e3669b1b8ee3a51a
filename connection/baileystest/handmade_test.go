package baileystest

import (
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// handmade are plaintexts that went wrong somewhere, or that random filling does not hit: what a
// sender may write, whatever its own program would.
func handmade(t *testing.T) map[string][]byte {
	t.Helper()
	of := func(m *waE2E.Message) []byte {
		b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
		must(t, err)
		return b
	}
	text := func(s string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(s)} }
	key := func(id string) *waCommon.MessageKey {
		return &waCommon.MessageKey{RemoteJID: proto.String(me.LID.String()), FromMe: proto.Bool(true), ID: proto.String(id)}
	}
	protocol := func(p *waE2E.ProtocolMessage) []byte { return of(&waE2E.Message{ProtocolMessage: p}) }
	wrap := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	nested := text("deep inside")
	for range 30 {
		nested = &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{ContextInfo: &waE2E.ContextInfo{QuotedMessage: nested}}}
	}
	field := func(n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
	}
	number := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
	}
	const extendedText, location, audio = 6, 5, 8
	return map[string][]byte{
		"end card tiles without what they need": field(extendedText, append(field(1, []byte("the text")), field(36, nil)...)),
		"text cut within a character":           of(text("a\xf0\x9f\x99")),
		"text with half a surrogate":            of(text("\xed\xa0\x80 \xc3( \xfe\xff \xf8\x88\x80\x80\x80")),
		"text of control characters":            of(text("\x00\x01\x1f\x7f\u0080\u2028\u2029\ufeff\"\\/<&>")),
		"empty text":                            of(text("")),
		"revoke":                                protocol(&waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key("3A1")}),
		"revoke without a key":                  protocol(&waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum()}),
		"edit without a key":                    protocol(&waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("new")}),
		"edit in its wrapper": of(&waE2E.Message{EditedMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key("3A1"), EditedMessage: text("new"), TimestampMS: proto.Int64(math.MaxInt64),
		}})}),
		"sealed edit that cannot be opened": of(&waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
			TargetMessageKey: key("3A1"), EncPayload: []byte{1}, EncIV: []byte{2}, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum(),
		}}),
		"reaction in a wrapper": of(&waE2E.Message{EphemeralMessage: wrap(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key("3A1"), Text: proto.String("👍")}})}),
		"reaction removed":      of(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key("3A1"), Text: proto.String(""), SenderTimestampMS: proto.Int64(-1)}}),
		"reaction without key":  of(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}),
		"view once in ephemeral": of(&waE2E.Message{EphemeralMessage: wrap(&waE2E.Message{ViewOnceMessageV2: wrap(&waE2E.Message{
			ImageMessage: &waE2E.ImageMessage{ViewOnce: proto.Bool(true), FileLength: proto.Uint64(math.MaxUint64), MediaKey: make([]byte, 32), JPEGThumbnail: []byte{}},
		})})}),
		"quote within quote, 30 deep":        of(nested),
		"location of no number":              field(location, append(fixed64(1, math.NaN()), fixed64(2, math.Inf(-1))...)),
		"location at negative zero":          field(location, append(fixed64(1, math.Copysign(0, -1)), fixed64(2, 5e-324)...)),
		"location with a long fraction":      field(location, append(fixed64(1, 0.1+0.2), fixed64(2, 1e21)...)),
		"a number of an enum that nobody is": of(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{PreviewType: (*waE2E.ExtendedTextMessage_PreviewType)(proto.Int32(9999))}}),
		"a negative enum":                    of(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{PreviewType: (*waE2E.ExtendedTextMessage_PreviewType)(proto.Int32(-1))}}),
		"a number longer than its field":     field(audio, number(5, math.MaxUint64)),
		"true as a large number":             field(audio, number(6, 300)),
		"a field that nobody knows":          append(of(text("known")), field(4000, []byte("unknown"))...),
		"a text given twice":                 append(of(text("first")), of(text("second"))...),
		"fields in the wrong order":          append(field(extendedText, field(1, []byte("later field"))), of(text("earlier field"))...),
		"an empty media message":             of(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}),
		"a poll vote":                        of(&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: key("3A1"), Vote: &waE2E.PollEncValue{EncPayload: []byte{1}, EncIV: []byte{2}}}}),
		"group status mention":               of(&waE2E.Message{GroupStatusMentionMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: key("3A1"), Type: waE2E.ProtocolMessage_REVOKE.Enum()}})}),
	}
}

func fixed64(n protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, n, protowire.Fixed64Type), math.Float64bits(v))
}

// TestHandmadeMessagesAreShownAlike: also what senders write that their programs would not.
func TestHandmadeMessagesAreShownAlike(t *testing.T) {
	node, pkg, ok := installed(t)
	if !ok {
		return
	}
	tr := translator()
	var questions []question
	var names []string
	for name, plain := range handmade(t) {
		for _, group := range []bool{false, true} {
			q := ask(t, tr, "3A0001", group, plain)
			if q.ours == nil {
				t.Errorf("%s: nothing is told", name)
				continue
			}
			questions, names = append(questions, q), append(names, name)
		}
	}
	answers := theirs(t, node, pkg, questions)
	for i, q := range questions {
		if string(q.ours) != string(answers[i]) {
			t.Errorf("%s:\n  ours %s\ntheirs %s", names[i], q.ours, answers[i])
		}
	}
	t.Logf("%d messages compared", len(questions))
}

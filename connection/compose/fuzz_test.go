package compose

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// FuzzRecipient: a recipient that is taken is one that can be written to, and is taken again as it
// is; what is not is refused with a sentence.
func FuzzRecipient(f *testing.F) {
	for _, s := range []string{"+49 (0) 151 5550-1001", "tel:+1-555-0100123", "4915155501001.0:12@c.us", "204813927440123@lid", "120363025846172094@g.us", "status@broadcast", "a@b@c", "\u202a+1 555 010 0123\u202c", "00", "٣@s.whatsapp.net", "1:70000@s.whatsapp.net"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		jid, err := ParseRecipient(to)
		if err != nil {
			if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeInvalidRecipient {
				t.Errorf("%q: %v", to, err)
			}
			return
		}
		if jid.User == "" || jid.Device != 0 || strings.Trim(jid.User, "0123456789-") != "" {
			t.Errorf("%q is taken for %v", to, jid)
		}
		if again, err := ParseRecipient(jid.String()); err != nil || again != jid {
			t.Errorf("%q is %v, which is %v, %v", to, jid, again, err)
		}
	})
}

// FuzzContent: whatever stands in the ledger of sends, it is read or refused; what is read is
// written so that it is read the same.
func FuzzContent(f *testing.F) {
	for _, s := range []string{`{"v":1,"to":"1@s.whatsapp.net","message":"CgJoaQ==","account":"2@s.whatsapp.net","asked":"1@s.whatsapp.net","fingerprint":"x"}`, `{"v":1,"to":":@","message":"/w=="}`, `{"v":2}`, `{"v":1,"to":"1:x@s.whatsapp.net"}`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeContent(b)
		if err != nil {
			return
		}
		raw, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeContent(raw)
		if err != nil || again.To.String() != c.To.String() || again.Asked.String() != c.Asked.String() || again.Fingerprint != strings.ToValidUTF8(c.Fingerprint, "\ufffd") || !proto.Equal(again.Message, c.Message) {
			t.Errorf("%q is read as %+v, written as %q, and read as %+v, %v", b, c, raw, again, err)
		}
	})
}

// FuzzStored: whatever body an event has that a send refers to, it is read or refused; and what is
// quoted of it is no longer than it, and of what was to be seen once it is nothing.
func FuzzStored(f *testing.F) {
	for _, s := range []string{
		`{"data":{"messages":[{"key":{"remoteJid":"1@s.whatsapp.net","fromMe":false},"message":{"conversation":"hi"},"messageTimestamp":1}]}}`,
		`{"data":{"messages":[{"key":{"participant":":@"},"message":{"viewOnceMessage":{"message":{"imageMessage":{"caption":"x"}}}}}]}}`,
		`{"event":"message.update","data":[]}`, `{"data":{"messages":[{"message":{"extendedTextMessage":{"text":"x","contextInfo":{"stanzaId":"y"}}}}]}}`,
	} {
		f.Add([]byte(s))
	}
	tr := translate.New(func() translate.Self { return translate.Self{} }, nil, time.Now)
	env := Env{Chat: types.NewJID("15550100123", types.DefaultUserServer), Self: translate.Self{PN: types.NewJID("15550100999", types.DefaultUserServer)}, Parse: tr.ParseMessage}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := env.read(body)
		if err != nil {
			return
		}
		m.kind()
		q := m.quoted()
		if _, err := proto.Marshal(q); err != nil && utf8.Valid(body) {
			t.Errorf("%q is quoted as what cannot be sent: %v", body, err)
		}
		if m.secret && q.GetConversation() != "" {
			t.Errorf("%q is quoted as %v", body, q)
		}
	})
}

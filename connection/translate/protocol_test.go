package translate

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestEveryProtocolTypeIsDecidedAbout fails when an update of the library brings a type that nobody
// has looked at.
func TestEveryProtocolTypeIsDecidedAbout(t *testing.T) {
	values := waE2E.ProtocolMessage_REVOKE.Descriptor().Values()
	for i := range values.Len() {
		if _, known := protocolTypes[waE2E.ProtocolMessage_Type(values.Get(i).Number())]; !known {
			t.Errorf("%s is in no list: show it, or say why it is internal", values.Get(i).Name())
		}
	}
	if len(protocolTypes) != values.Len() {
		t.Errorf("%d types are listed, the library has %d", len(protocolTypes), values.Len())
	}
	for typ, why := range protocolTypes {
		evs := newFixture().must(t, arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: typ.Enum()}}))
		if len(evs) > 0 != (why == "") {
			t.Errorf("%s: %d events, internal because of %q", typ, len(evs), why)
		}
	}
}

// TestMessagesOfANewKindAreTold: what the library's protobuf does not know is no reason to be
// silent.
func TestMessagesOfANewKindAreTold(t *testing.T) {
	future := func() *waE2E.Message {
		m := &waE2E.Message{MessageContextInfo: deviceInfo()}
		m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 900, protowire.BytesType), []byte("new")))
		return m
	}
	for name, m := range map[string]*waE2E.Message{
		"alone":          future(),
		"in a wrapper":   {EphemeralMessage: wrap(future())},
		"a new protocol": {ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_Type(900).Enum()}},
	} {
		f := newFixture()
		evs := f.must(t, arrived(direct(1, "13"), m))
		if len(evs) != 1 || shown(t, evs[0]) == "" {
			t.Errorf("%s: %v", name, evs)
		}
		if unread := len(*f.alarms) == 1; unread != (name != "a new protocol") {
			t.Errorf("%s: alarms %v", name, *f.alarms)
		}
	}
}

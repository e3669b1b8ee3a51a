package connection

import (
	"math/rand/v2"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"waoutbox/connection/wajson/wajsontest"
	"waoutbox/connection/wasim"
)

// TestMutatedMessagesDoNotVanish throws damaged messages and stanzas through the real client: each
// becomes an event, unless nothing in it is for a person.
func TestMutatedMessagesDoNotVanish(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	rnd := rand.New(rand.NewPCG(21, 22))
	plains := make(map[string][]byte)
	for i := range 300 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 4)
		plain := encoded(t, m)
		for range rnd.IntN(4) {
			plain = mutated(rnd, plain)
		}
		groups := []*wasim.Group{nil, r.group}
		id, err := r.bob.SendPlain(ctx, groups[i%2], plain, func(n *waBinary.Node) { mutateStanza(rnd, n) })
		must(t, err)
		plains[id] = plain
	}
	must(t, r.acc.WaitDrained(ctx))
	told := make(map[string]bool)
	for _, ev := range r.events() {
		told[ev.Message] = true
	}
	silent := 0
	for id, plain := range plains {
		if told[id] {
			continue
		}
		silent++
		m := &waE2E.Message{}
		if err := proto.Unmarshal(plain, m); err != nil || !saysNothing(m) {
			t.Errorf("no event of %v (%v)", m, err)
		}
	}
	if silent > len(plains)/4 {
		t.Errorf("%d of %d messages say nothing: the others show too little", silent, len(plains))
	}
}

// mutated changes, adds or removes a few bytes.
func mutated(rnd *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return []byte{byte(rnd.IntN(256))}
	}
	b = append([]byte(nil), b...)
	at := rnd.IntN(len(b))
	switch rnd.IntN(3) {
	case 0:
		b[at] = byte(rnd.IntN(256))
	case 1:
		b = append(b[:at], b[min(len(b), at+1+rnd.IntN(4)):]...)
	default:
		b = append(b, byte(rnd.IntN(256)))
	}
	return b
}

// mutateStanza changes what the sender decides, and what WhatsApp might leave out.
func mutateStanza(rnd *rand.Rand, n *waBinary.Node) {
	enc := lastEnc(n)
	pick := func(values ...any) any { return values[rnd.IntN(len(values))] }
	switch rnd.IntN(8) {
	case 0:
		enc.Attrs["v"] = pick("1", "2", "3", "4", "x", "")
	case 1:
		enc.Attrs["type"] = pick("msmsg", "frskmsg", "", "none")
	case 2:
		n.Attrs["category"] = pick("peer", "other")
	case 3:
		n.Attrs["edit"] = pick("1", "2", "3", "7", "8", "x")
	case 4:
		delete(n.Attrs, pick("t", "notify", "type", "addressing_mode").(string))
	}
}

// saysNothing reports whether nothing in a message is for a person: keys, the device list, or
// machinery between devices, in wrappers or not.
func saysNothing(m *waE2E.Message) bool {
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		return false
	}
	nothing := true
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch fd.Name() {
		case "messageContextInfo", "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "groupRootKeyShare", "rootSecretDistributeMessage":
		case "protocolMessage":
			switch p := m.GetProtocolMessage(); p.GetType() {
			case waE2E.ProtocolMessage_REVOKE:
				nothing = p.Type == nil
			case waE2E.ProtocolMessage_MESSAGE_EDIT, waE2E.ProtocolMessage_EPHEMERAL_SETTING:
				nothing = false
			}
		default:
			wrapped, ok := v.Interface().(protoreflect.Message)
			nothing = false
			if ok {
				if w, is := wrapped.Interface().(*waE2E.FutureProofMessage); is && w.GetMessage() != nil {
					nothing = saysNothing(w.GetMessage())
				}
			}
		}
		return nothing
	})
	return nothing
}

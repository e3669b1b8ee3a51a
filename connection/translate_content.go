package connection

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"waoutbox/connection/wajson"
)

// sessionKeys are never shown, at whatever depth they stand: who holds them
// reads the group.
var sessionKeys = []protoreflect.FullName{
	"WAWebProtobufsE2E.Message.senderKeyDistributionMessage",
	"WAWebProtobufsE2E.Message.fastRatchetKeySenderKeyDistributionMessage",
}

// wrapperType is the type of all fields that put a message into another one:
// ephemeral, view once, edited …
var wrapperType = (*waE2E.FutureProofMessage)(nil).ProtoReflect().Descriptor().FullName()

// maxWraps bounds the search for the innermost message. Real messages have at
// most three wrappers; the sender controls nesting.
const maxWraps = 32

// content is a message prepared for showing: root is what is rendered, inner
// the message inside its wrappers. Both are copies as far as they differ from
// the library's, which is never changed.
type content struct {
	root, inner *waE2E.Message
}

// content prepares a message. The error stands for a panic: whatever a sender
// puts together must not stop the stream.
func (t *Translator) content(ctx context.Context, evt *events.Message, k key) (c content, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("prepare the message: panic: %v", p)
		}
	}()
	c = contentOf(evt)
	if s := t.secrets(); s != nil {
		c.open(ctx, s, evt)
	}
	t.turnKeys(c.inner, k)
	return c, nil
}

// contentOf copies the path from the message to the innermost one and leaves
// everything beside it shared.
func contentOf(evt *events.Message) content {
	raw := evt.RawMessage
	if raw == nil {
		raw = evt.Message
	}
	if raw == nil {
		raw = &waE2E.Message{}
	}
	sent := raw.GetDeviceSentMessage().GetMessage()
	if sent != nil {
		return copyPath(sent, nil)
	}
	return copyPath(raw, raw.GetMessageContextInfo())
}

// copyPath copies root and all wrapped messages. The library puts the outermost
// context info into the innermost message as well; that copy, known by its
// pointer, is taken away again.
func copyPath(root *waE2E.Message, lent *waE2E.MessageContextInfo) content {
	c := content{root: shallow(root)}
	c.inner = c.root
	for range maxWraps {
		wrapped, put := wrappedIn(c.inner)
		if wrapped == nil {
			break
		}
		next := shallow(wrapped)
		if lent != nil && next.MessageContextInfo == lent {
			next.MessageContextInfo = nil
		}
		put(next)
		c.inner = next
	}
	return c
}

// wrappedIn finds the message in m's wrapper, nil if m has none, and how to put
// a copy in its place.
func wrappedIn(m *waE2E.Message) (wrapped *waE2E.Message, put func(*waE2E.Message)) {
	pm := m.ProtoReflect()
	pm.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() || fd.Message().FullName() != wrapperType {
			return true
		}
		w := v.Message().Interface().(*waE2E.FutureProofMessage)
		if w.GetMessage() == nil {
			return true
		}
		wrapped = w.GetMessage()
		put = func(next *waE2E.Message) {
			pm.Set(fd, protoreflect.ValueOfMessage((&waE2E.FutureProofMessage{Message: next}).ProtoReflect()))
		}
		return false
	})
	return wrapped, put
}

// shallow copies one message; what its fields point to stays shared.
func shallow(m *waE2E.Message) *waE2E.Message {
	out := &waE2E.Message{}
	to := out.ProtoReflect()
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(fd, v)
		return true
	})
	return out
}

// empty says whether nothing is left to show: a message that only carried
// session keys or the sender's device list.
func (c content) empty() bool {
	empty := true
	c.root.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		switch fd.Name() {
		case "messageContextInfo", "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage":
			return true
		}
		empty = false
		return false
	})
	return empty
}

// hidden says whether the message is machinery between devices: app state keys,
// history, settings. An unset type would read as a revoke, so it counts too.
func (c content) hidden() bool {
	p := c.inner.GetProtocolMessage()
	if p == nil {
		return false
	}
	if p.Type == nil {
		return true
	}
	switch p.GetType() {
	case waE2E.ProtocolMessage_REVOKE, waE2E.ProtocolMessage_MESSAGE_EDIT, waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		return false
	}
	return true
}

// render gives the JSON of a message, or the reason why it has none: whatever a
// sender puts together must not stop the stream.
func (t *Translator) render(m proto.Message) (out wajson.JSON, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("render %s: panic: %v", m.ProtoReflect().Descriptor().FullName(), p)
		}
	}()
	return t.renderer.Message(m), nil
}

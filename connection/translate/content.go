package translate

import (
	"context"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// sessionKeys are never shown, at whatever depth they stand: who holds them reads the group, or
// the account's settings.
var sessionKeys = []protoreflect.FullName{
	"WAWebProtobufsE2E.Message.senderKeyDistributionMessage",
	"WAWebProtobufsE2E.Message.fastRatchetKeySenderKeyDistributionMessage",
	"WAWebProtobufsE2E.Message.groupRootKeyShare",
	"WAWebProtobufsE2E.Message.rootSecretDistributeMessage",
	"WAWebProtobufsE2E.ProtocolMessage.appStateSyncKeyShare",
	"WAWebProtobufsE2E.ProtocolMessage.sharedDeviceContactHashKeyShare",
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
			err = fmt.Errorf("prepare the message: panic: %s", outbox.PanicText(p))
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

// copyPath copies root and all wrapped messages.
func copyPath(root *waE2E.Message, outerInfo *waE2E.MessageContextInfo) content {
	c := content{root: shallowOf(root)}
	if outerInfo != nil {
		withoutCopies(c.root, outerInfo, maxWraps)
	}
	c.inner = descend(c.root, outerInfo)
	return c
}

// withoutCopies takes outerInfo away from the messages wrapped in m, itself a copy, at whatever
// depth: of several wrappers the library's path need not be the one that descend takes.
func withoutCopies(m *waE2E.Message, outerInfo *waE2E.MessageContextInfo, depth int) {
	pm := m.ProtoReflect()
	pm.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !isWrapper(fd) {
			return true
		}
		wrapped := v.Message().Interface().(*waE2E.FutureProofMessage).GetMessage()
		if wrapped == nil || depth == 0 {
			return true
		}
		next := shallowOf(wrapped)
		if next.MessageContextInfo == outerInfo {
			next.MessageContextInfo = nil
		}
		withoutCopies(next, outerInfo, depth-1)
		pm.Set(fd, protoreflect.ValueOfMessage((&waE2E.FutureProofMessage{Message: next}).ProtoReflect()))
		return true
	})
}

// descend copies the messages wrapped in m, itself a copy, and returns the innermost. The library
// puts the outermost context info into the innermost message as well; that copy, known by its
// pointer, is taken away again.
func descend(m *waE2E.Message, outerInfo *waE2E.MessageContextInfo) (inner *waE2E.Message) {
	secret := m.RootSecretDistributeMessage != nil
	path := []*waE2E.Message{m}
	for range maxWraps {
		wrapped, put := wrappedIn(m)
		if wrapped == nil {
			break
		}
		next := shallowOf(wrapped)
		if outerInfo != nil && next.MessageContextInfo == outerInfo {
			next.MessageContextInfo = nil
		}
		put(next)
		m = next
		secret = secret || m.RootSecretDistributeMessage != nil
		path = append(path, m)
	}
	if secret {
		for _, m := range path {
			hideSecret(m)
		}
	}
	return m
}

// hideSecret takes the message secret away: beside a rootSecretDistributeMessage it is the secret
// of a chat.
func hideSecret(m *waE2E.Message) {
	if m.MessageContextInfo.GetMessageSecret() != nil {
		m.MessageContextInfo = shallowOf(m.MessageContextInfo)
		m.MessageContextInfo.MessageSecret = nil
	}
}

// wrappedIn finds the message in m's wrapper, nil if m has none, and how to put
// a copy in its place.
func wrappedIn(m *waE2E.Message) (wrapped *waE2E.Message, put func(*waE2E.Message)) {
	pm := m.ProtoReflect()
	pm.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !isWrapper(fd) {
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

// isWrapper reports whether the field puts a message into another one.
func isWrapper(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && !fd.IsList() && fd.Message().FullName() == wrapperType
}

// empty reports whether nothing is left to show: a message that only carried
// session keys or the sender's device list, in wrappers or not.
func (c content) empty() bool {
	m := c.root
	for range maxWraps + 1 {
		wrapped, _ := wrappedIn(m)
		if !bare(m, wrapped != nil) {
			return false
		}
		if wrapped == nil {
			return true
		}
		m = wrapped
	}
	return false
}

// bare reports whether m has no field to show, its wrappers left out when it is a wrapper. What the
// library does not know counts: it may be a message of a new kind.
func bare(m *waE2E.Message, wrapper bool) bool {
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		return false
	}
	none := true
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		none = fd.Name() == "messageContextInfo" || slices.Contains(sessionKeys, fd.FullName()) || wrapper && isWrapper(fd)
		return none
	})
	return none
}

// isUnknown reports whether the message has nothing but what the library does not know.
func (c content) isUnknown() bool {
	known := shallowOf(c.inner)
	known.ProtoReflect().SetUnknown(nil)
	return len(c.inner.ProtoReflect().GetUnknown()) > 0 && bare(known, false)
}

// isMachinery reports whether the message is machinery between devices and nothing else: app state
// keys, history, settings. An unset type would read as a revoke, so it counts too.
func (c content) isMachinery() bool {
	p := c.inner.GetProtocolMessage()
	if p == nil || isShown(p) {
		return false
	}
	besides := shallowOf(c.inner)
	besides.ProtocolMessage = nil
	for m := c.root; m != c.inner; m, _ = wrappedIn(m) {
		if !bare(m, true) {
			return false
		}
	}
	return bare(besides, false)
}

// render returns the JSON of a message, or the reason why it has none: whatever a
// sender puts together must not stop the stream.
func (t *Translator) render(m proto.Message) (out wajson.JSON, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("render %s: panic: %s", m.ProtoReflect().Descriptor().FullName(), outbox.PanicText(p))
		}
	}()
	return t.renderer.Message(m), nil
}

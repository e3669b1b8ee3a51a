package compose

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Expiry is after how long messages of a chat disappear.
type Expiry struct {
	Seconds uint32 // 0: they do not
	Set     int64  // when somebody chose that, unix seconds; 0: not known
}

// expire has a message disappear as those of its chat do: phones go by what the message itself
// says. An edit, a deletion or a reaction goes with the message that it is of.
func expire(m *waE2E.Message, e Expiry) {
	if e.Seconds == 0 {
		return
	}
	if m.Conversation != nil { // which has no place for it
		m.ExtendedTextMessage, m.Conversation = &waE2E.ExtendedTextMessage{Text: m.Conversation}, nil
	}
	if inner := m.GetDocumentWithCaptionMessage().GetMessage(); inner != nil {
		m = inner
	}
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return true
		}
		if of := fd.Message().Fields().ByName("contextInfo"); of != nil {
			if info, ok := v.Message().Mutable(of).Message().Interface().(*waE2E.ContextInfo); ok {
				info.Expiration = proto.Uint32(e.Seconds)
				if e.Set > 0 {
					info.EphemeralSettingTimestamp = proto.Int64(e.Set)
				}
			}
		}
		return true
	})
}

package stanzas

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxSalvage bounds how deep salvage looks into a message: the sender controls nesting.
const maxSalvage = 64

// lenient parses a message that lacks required fields.
var lenient = proto.UnmarshalOptions{AllowPartial: true}

// salvage reads into m what can be read of b, which a parser refuses: field by field, and of a
// field that is refused what can be read of it. It stops where the bytes are no fields any more.
func salvage(b []byte, m protoreflect.Message, depth int) {
	if lenient.Unmarshal(b, m.Interface()) == nil {
		return
	}
	proto.Reset(m.Interface())
	for len(b) > 0 {
		number, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return
		}
		size := protowire.ConsumeFieldValue(number, kind, b[tag:])
		if size < 0 {
			return
		}
		field := b[:tag+size]
		b = b[tag+size:]
		one := m.New().Interface()
		if lenient.Unmarshal(field, one) == nil {
			proto.Merge(m.Interface(), one)
			continue
		}
		fd := m.Descriptor().Fields().ByNumber(number)
		if fd == nil || fd.Message() == nil || kind != protowire.BytesType || depth >= maxSalvage {
			continue
		}
		inner, _ := protowire.ConsumeBytes(field[tag:])
		if fd.IsList() {
			list := m.Mutable(fd).List()
			element := list.NewElement()
			salvage(inner, element.Message(), depth+1)
			list.Append(element)
			continue
		}
		salvage(inner, m.Mutable(fd).Message(), depth+1)
	}
}

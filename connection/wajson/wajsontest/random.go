package wajsontest

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Fill sets random fields of m, nesting at most depth messages below it, with
// the values that are most likely to be printed wrongly.
func Fill(rnd *rand.Rand, m protoreflect.Message, depth int) { Filler{}.Fill(rnd, m, depth) }

// Filler is what Fill may set. The zero value sets everything, and numbers that no enum has.
type Filler struct {
	// Field tells whether a field may be set; nil allows all.
	Field func(protoreflect.FieldDescriptor) bool
	// Values are the values that a field of an enum may have; nil chooses numbers from -3 to 36.
	Values func(protoreflect.FieldDescriptor) []protoreflect.EnumNumber
}

// Fill is the function Fill within what the filler allows.
func (f Filler) Fill(rnd *rand.Rand, m protoreflect.Message, depth int) {
	fds := m.Descriptor().Fields()
	for range 1 + rnd.IntN(6) {
		fd := fds.Get(rnd.IntN(fds.Len()))
		if fd.Message() != nil && depth == 0 || f.Field != nil && !f.Field(fd) {
			continue
		}
		if fd.IsList() {
			list := m.Mutable(fd).List()
			for range rnd.IntN(4) {
				list.Append(f.random(rnd, fd, list.NewElement, depth))
			}
			continue
		}
		m.Set(fd, f.random(rnd, fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
	}
	for i := range fds.Len() { // without them a message can be neither written nor read
		if fd := fds.Get(i); fd.Cardinality() == protoreflect.Required && !m.Has(fd) {
			m.Set(fd, f.random(rnd, fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
		}
	}
}

func (f Filler) random(rnd *rand.Rand, fd protoreflect.FieldDescriptor, fresh func() protoreflect.Value, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		v := fresh()
		if v.Message().Descriptor().Fields().Len() > 0 {
			f.Fill(rnd, v.Message(), depth-1)
		}
		return v
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(String(rnd))
	case protoreflect.BytesKind:
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rnd.IntN(2) == 0)
	case protoreflect.EnumKind:
		if f.Values != nil {
			values := f.Values(fd)
			return protoreflect.ValueOfEnum(values[rnd.IntN(len(values))])
		}
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rnd.IntN(40) - 3))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(rnd.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rnd.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(rnd.Uint64()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rnd.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(math.Float32frombits(rnd.Uint32()))
	default:
		return protoreflect.ValueOfFloat64(math.Float64frombits(rnd.Uint64()))
	}
}

var pieces = []string{
	"a", "ß", "日本", "🙂", `"`, `\`, "/", "<&>", "\x00", "\b\t\n\f\r", "\x1f", "\x7f", "\u2028", "\u2029",
	"\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x99", "\ufffd", "\ufeff", "\u0080", "'", " ", "0",
}

// String gives text made of everything an encoder can get wrong, invalid UTF-8
// and encoded surrogates included.
func String(rnd *rand.Rand) string {
	var s []byte
	for range rnd.IntN(8) {
		s = append(s, pieces[rnd.IntN(len(pieces))]...)
	}
	return string(s)
}

// Float gives a finite number, often near the limits between plain and
// exponent notation.
func Float(rnd *rand.Rand) float64 {
	f := math.Float64frombits(rnd.Uint64())
	switch rnd.IntN(4) {
	case 0:
		f = float64(int64(rnd.Uint64()) >> rnd.IntN(64))
	case 1:
		f = (rnd.Float64() - 0.5) * math.Pow10(rnd.IntN(50)-25)
	case 2:
		f = math.Pow10(rnd.IntN(60) - 30)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

package wajson

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxDepth is the number of nested protobuf messages that are rendered, the
// outermost included; message fields below are left out. The sender controls
// nesting, protobuf allows 10000 levels, and JSON.stringify overflows its stack
// before that.
const MaxDepth = 100

// Renderer turns protobuf messages into canonical JSON: fields by ascending
// number, bytes as base64, 64-bit integers as strings, enums by name, unset
// fields left out. It is safe for concurrent use and remembers the layout of
// each message type it meets.
type Renderer struct {
	names nameTable
	omit  []protoreflect.FullName
	plans sync.Map // protoreflect.FullName → *plan
}

// NewRenderer gives a renderer that leaves out the fields named in omit (full
// names, such as WAWebProtobufsE2E.Message.senderKeyDistributionMessage) at every depth.
func NewRenderer(omit ...protoreflect.FullName) (*Renderer, error) {
	names, err := parseNames(fieldNamesJSON)
	if err != nil {
		return nil, err
	}
	return &Renderer{names: names, omit: omit}, nil
}

// Message renders m. It reads m without changing it; nobody may change m meanwhile.
func (r *Renderer) Message(m proto.Message) JSON {
	return r.message(make([]byte, 0, 512), m.ProtoReflect(), 1)
}

// plan is the layout of one message type, ready to print.
type plan struct {
	fields []planField
}

type planField struct {
	fd    protoreflect.FieldDescriptor
	name  string
	key   string // `"name":`
	enums map[protoreflect.EnumNumber]string
}

func (r *Renderer) plan(md protoreflect.MessageDescriptor) *plan {
	if p, ok := r.plans.Load(md.FullName()); ok {
		return p.(*plan)
	}
	p, _ := r.plans.LoadOrStore(md.FullName(), r.makePlan(md))
	return p.(*plan)
}

func (r *Renderer) makePlan(md protoreflect.MessageDescriptor) *plan {
	fds := md.Fields()
	p := &plan{fields: make([]planField, 0, fds.Len())}
	keys := make(map[string]bool, fds.Len())
	for i := range fds.Len() {
		fd := fds.Get(i)
		if slices.Contains(r.omit, fd.FullName()) {
			continue
		}
		name := r.names.field(fd)
		switch {
		case fd.IsMap():
			panic(fmt.Sprintf("wajson: %s is a map: decide how its keys are ordered first", fd.FullName()))
		case keys[name] || isIndex(name) || name == "__proto__":
			panic(fmt.Sprintf("wajson: %s cannot be named %q", fd.FullName(), name))
		}
		keys[name] = true
		f := planField{fd: fd, name: name, key: string(AppendString(nil, name)) + ":"}
		if fd.Kind() == protoreflect.EnumKind {
			f.enums = r.enumNames(fd.Enum())
		}
		p.fields = append(p.fields, f)
	}
	slices.SortFunc(p.fields, func(a, b planField) int { return int(a.fd.Number()) - int(b.fd.Number()) })
	return p
}

func (r *Renderer) enumNames(ed protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	vds := ed.Values()
	names := make(map[protoreflect.EnumNumber]string, vds.Len())
	for i := range vds.Len() {
		vd := vds.Get(i)
		if _, aliased := names[vd.Number()]; !aliased { // the first name of a number counts
			names[vd.Number()] = r.names.enumValue(vd)
		}
	}
	return names
}

func (r *Renderer) message(dst []byte, m protoreflect.Message, depth int) []byte {
	dst = append(dst, '{')
	open := len(dst)
	fields := r.plan(m.Descriptor()).fields
	for i := range fields {
		f := &fields[i]
		if !m.Has(f.fd) || (depth == MaxDepth && f.fd.Message() != nil) {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(dst, f.key...)
		v := m.Get(f.fd)
		if !f.fd.IsList() {
			dst = r.value(dst, f, v, depth)
			continue
		}
		list := v.List()
		for j := range list.Len() {
			sep := byte(',')
			if j == 0 {
				sep = '['
			}
			dst = r.value(append(dst, sep), f, list.Get(j), depth)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (r *Renderer) value(dst []byte, f *planField, v protoreflect.Value, depth int) []byte {
	switch f.fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return r.message(dst, v.Message(), depth+1)
	case protoreflect.StringKind:
		return AppendString(dst, v.String())
	case protoreflect.BytesKind:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"')
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool())
	case protoreflect.EnumKind:
		if name, ok := f.enums[v.Enum()]; ok {
			return AppendString(dst, name)
		}
		return AppendInt(dst, int64(v.Enum()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return AppendInt(dst, v.Int())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return AppendInt(dst, int64(v.Uint()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, v.Int(), 10)
		return append(dst, '"')
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		dst = append(dst, '"')
		dst = strconv.AppendUint(dst, v.Uint(), 10)
		return append(dst, '"')
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return appendProtoFloat(dst, v.Float())
	default:
		panic(fmt.Sprintf("wajson: %s has the unknown kind %v", f.fd.FullName(), f.fd.Kind()))
	}
}

func appendProtoFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return AppendFloat(dst, f)
}

package wajson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Parse reads what Message rendered into an empty m. What the rendering left out is not there, and
// fields that this program does not know are passed over: a body may be of another version. Errors
// name no values.
func (r *Renderer) Parse(raw []byte, m proto.Message) error {
	return r.parseMessage(raw, m.ProtoReflect(), 1)
}

func (r *Renderer) parseMessage(raw []byte, m protoreflect.Message, depth int) error {
	if depth > MaxDepth {
		return errors.New("wajson: the message is nested too deep")
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("wajson: %s is no object", m.Descriptor().FullName())
	}
	fields := r.plan(m.Descriptor()).fields
	for i := range fields {
		f := &fields[i]
		value, ok := in[f.name]
		if !ok || bytes.Equal(value, []byte("null")) {
			continue
		}
		if f.fd.IsList() {
			if err := r.parseList(value, f, m, depth); err != nil {
				return err
			}
			continue
		}
		v := m.NewField(f.fd)
		if err := r.parseValue(value, f, &v, depth); err != nil {
			return err
		}
		m.Set(f.fd, v)
	}
	return nil
}

func (r *Renderer) parseList(raw []byte, f *planField, m protoreflect.Message, depth int) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return f.wrong()
	}
	field := m.NewField(f.fd)
	list := field.List()
	for _, item := range items {
		v := list.NewElement()
		if err := r.parseValue(item, f, &v, depth); err != nil {
			return err
		}
		list.Append(v)
	}
	m.Set(f.fd, field)
	return nil
}

func (f *planField) wrong() error { return fmt.Errorf("wajson: %s has another type", f.fd.FullName()) }

// parseValue reads one value. v holds an empty one, which messages are read into.
func (r *Renderer) parseValue(raw []byte, f *planField, v *protoreflect.Value, depth int) error {
	if f.fd.Message() != nil {
		return r.parseMessage(raw, v.Message(), depth+1)
	}
	var text string // of a string; a number or bool as it stands
	quoted := raw[0] == '"'
	if !quoted {
		text = string(raw)
	} else if err := json.Unmarshal(raw, &text); err != nil {
		return f.wrong()
	}
	out, err := f.scalar(text, quoted)
	if err != nil {
		return f.wrong()
	}
	*v = out
	return nil
}

var errType = errors.New("another type")

func (f *planField) scalar(text string, quoted bool) (protoreflect.Value, error) {
	switch kind := f.fd.Kind(); kind {
	case protoreflect.StringKind:
		if !quoted {
			return protoreflect.Value{}, errType
		}
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		b, err := base64.StdEncoding.DecodeString(text)
		return protoreflect.ValueOfBytes(b), err
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(b), err
	case protoreflect.EnumKind:
		for n, name := range f.enums {
			if quoted && name == text {
				return protoreflect.ValueOfEnum(n), nil
			}
		}
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		n, err := strconv.ParseFloat(text, 64) // NaN and Infinity are read too
		if kind == protoreflect.FloatKind {
			return protoreflect.ValueOfFloat32(float32(n)), err
		}
		return protoreflect.ValueOfFloat64(n), err
	}
	return protoreflect.Value{}, errType
}

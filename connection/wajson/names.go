package wajson

import (
	_ "embed" // the name table below
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fieldNamesJSON lists the protobuf names that differ from the descriptors'
// own, so that payloads look as the widespread JavaScript library makes them.
//
//go:embed field-names.json
var fieldNamesJSON []byte

// nameTable is the parsed table, by full name of the message or the enum.
type nameTable struct {
	Fields     map[protoreflect.FullName]map[string]string            `json:"fields"`
	EnumValues map[protoreflect.FullName]map[protoreflect.Name]string `json:"enumValues"`
}

func parseNames(raw []byte) (nameTable, error) {
	var t nameTable
	if err := json.Unmarshal(raw, &t); err != nil {
		return nameTable{}, fmt.Errorf("wajson: the embedded field-names.json is damaged, build again from clean sources: %w", err)
	}
	return t, nil
}

func (t nameTable) field(fd protoreflect.FieldDescriptor) string {
	if name, ok := t.Fields[fd.ContainingMessage().FullName()][fd.JSONName()]; ok {
		return name
	}
	return fd.JSONName()
}

func (t nameTable) enumValue(vd protoreflect.EnumValueDescriptor) string {
	if name, ok := t.EnumValues[vd.Parent().FullName()][vd.Name()]; ok {
		return name
	}
	return string(vd.Name())
}

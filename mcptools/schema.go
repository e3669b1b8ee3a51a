package mcptools

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"waoutbox/outbox/api"
)

// schema is the part of JSON Schema that every known client understands: a single type each, and
// objects that allow no other properties. It is made of a Go type by enums.schemaOf, so that what
// is listed, what is checked and what is returned cannot differ.
type schema struct {
	Type                 string     `json:"type"` // object, array, string, boolean or integer
	AdditionalProperties *bool      `json:"additionalProperties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Items                *schema    `json:"items,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	// characters; 0: maxString, unlisted
	MaxLength   int    `json:"maxLength,omitempty"`
	Minimum     *int   `json:"minimum,omitempty"`
	Maximum     *int   `json:"maximum,omitempty"`
	Description string `json:"description,omitempty"`

	set enum // what Enum lists, with the words for a value that is not in it
}

// properties keep the order of the struct's fields: it is the order in which a model reads them.
type properties []property

type property struct {
	name  string
	index []int // of the struct field
	*schema
}

// text is the schema as JSON.
func (s *schema) text() string {
	text, err := jsonText(s)
	if err != nil {
		panic(fmt.Sprintf("encode a schema: %v", err)) // strings and numbers always encode
	}
	return text
}

// MarshalJSON encodes the properties as one object, in their order.
func (p properties) MarshalJSON() ([]byte, error) {
	parts := make([]string, 0, len(p))
	for _, prop := range p {
		text, err := jsonText(prop.schema)
		if err != nil {
			return nil, err
		}
		parts = append(parts, quoted(prop.name)+":"+text)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

func (p properties) find(name string) (property, bool) {
	for _, prop := range p {
		if prop.name == name {
			return prop, true
		}
	}
	return property{}, false
}

// enum is a closed set of strings. For an argument, noun and code tell of a value that is not in
// it.
type enum struct {
	values []string
	noun   string
	code   api.Code
}

// enums are the closed sets of the tools, by their Go type.
type enums map[reflect.Type]enum

// schemaOf makes the schema of a Go type from its fields' tags: `json` names a property, which is
// required unless the tag says omitempty or omitzero; `doc` describes it; `max` bounds a string's
// characters; `range:"1,100"` an integer. help replaces the `doc` of properties whose description
// is made at run time.
//
// It panics on a type that the schemas here have no word for, which every test would show.
func (e enums) schemaOf(t reflect.Type, help map[string]string) *schema {
	if set, ok := e[t]; ok {
		return &schema{Type: "string", Enum: set.values, set: set}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return e.schemaOf(t.Elem(), help)
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer"}
	case reflect.Slice:
		return &schema{Type: "array", Items: e.schemaOf(t.Elem(), nil)}
	case reflect.Struct:
		return e.objectOf(t, help)
	default:
		panic(fmt.Sprintf("schema of %v: no JSON type for a %v", t, t.Kind()))
	}
}

func (e enums) objectOf(t reflect.Type, help map[string]string) *schema {
	s := &schema{Type: "object", AdditionalProperties: new(bool)}
	described := 0
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			panic(fmt.Sprintf("schema of %v: the field %s has no json name", t, f.Name))
		}
		p := property{name: name, index: f.Index, schema: e.schemaOf(f.Type, nil)}
		p.Description = f.Tag.Get("doc")
		if text, ok := help[name]; ok {
			p.Description, described = text, described+1
		}
		p.MaxLength = tagNumber(f, "max", f.Tag.Get("max"))
		if least, most, ok := strings.Cut(f.Tag.Get("range"), ","); ok {
			p.Minimum, p.Maximum = new(tagNumber(f, "range", least)), new(tagNumber(f, "range", most))
		}
		if !strings.Contains(options, "omit") {
			s.Required = append(s.Required, name)
		}
		s.Properties = append(s.Properties, p)
	}
	if described != len(help) {
		panic(fmt.Sprintf("schema of %v: help for properties it lacks", t))
	}
	return s
}

// tagNumber reads a number of a field's tag; 0 when the tag is absent.
func tagNumber(f reflect.StructField, tag, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("the tag %s of the field %s: %v", tag, f.Name, err))
	}
	return n
}

// quoted is s as a JSON string.
func quoted(s string) string {
	text, err := jsonText(s)
	if err != nil {
		panic(fmt.Sprintf("quote %q: %v", s, err)) // a string always encodes
	}
	return text
}

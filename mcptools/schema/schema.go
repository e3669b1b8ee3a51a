package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"waoutbox/outbox/api"
)

// Schema is the part of JSON Schema that every known client understands: a single type each, and
// objects that allow no other properties. It is made of a Go type by Sets.Of, so that what is
// listed, what is checked and what is returned cannot differ.
type Schema struct {
	// object, array, string, boolean, integer or number
	Type                 string     `json:"type"`
	AdditionalProperties *bool      `json:"additionalProperties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	Properties           Properties `json:"properties,omitempty"`
	Items                *Schema    `json:"items,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	// characters; 0: maxString, unlisted
	MaxLength   int    `json:"maxLength,omitempty"`
	Minimum     *int   `json:"minimum,omitempty"`
	Maximum     *int   `json:"maximum,omitempty"`
	Description string `json:"description,omitempty"`

	ignored []string // properties that are not listed, and are passed over
	set     Set      // what Enum lists, with the words for a value that is not in it
}

// Properties keep the order of the struct's fields: it is the order in which a model reads them.
type Properties []Property

// Property is one field of an object.
type Property struct {
	Name  string
	index []int // of the struct field
	*Schema
}

// Text is the schema as JSON.
func (s *Schema) Text() string {
	text, err := jsonText(s)
	if err != nil {
		panic(fmt.Sprintf("encode a schema: %v", err)) // strings and numbers always encode
	}
	return text
}

// MarshalJSON encodes the properties as one object, in their order.
func (p Properties) MarshalJSON() ([]byte, error) {
	parts := make([]string, 0, len(p))
	for _, prop := range p {
		name, err := jsonText(prop.Name)
		if err != nil {
			return nil, err
		}
		text, err := jsonText(prop.Schema)
		if err != nil {
			return nil, err
		}
		parts = append(parts, name+":"+text)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

func (p Properties) find(name string) (Property, bool) {
	for _, prop := range p {
		if prop.Name == name {
			return prop, true
		}
	}
	return Property{}, false
}

// Set is a closed set of strings. For an argument, Noun and Code tell of a value that is not in it.
type Set struct {
	Values []string
	Noun   string
	Code   api.Code
}

// Sets are the closed sets of strings, by their Go type.
type Sets map[reflect.Type]Set

// Of makes the schema of a Go type from its fields' tags: `json` names a property, which is
// required unless the tag says omitempty or omitzero; `doc` describes it; `max` bounds a string's
// characters; `range:"1,100"` a number. The blank field's `ignored` names what clients send besides
// because they have it, and what is passed over. help replaces the `doc` of properties whose
// description is made at run time.
//
// It panics on a type that the schemas here have no word for, which every test would show.
func (e Sets) Of(t reflect.Type, help map[string]string) *Schema {
	if set, ok := e[t]; ok {
		return &Schema{Type: "string", Enum: set.Values, set: set}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return e.Of(t.Elem(), help)
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer"}
	case reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: e.Of(t.Elem(), nil)}
	case reflect.Struct:
		return e.objectOf(t, help)
	default:
		panic(fmt.Sprintf("schema of %v: no JSON type for a %v", t, t.Kind()))
	}
}

func (e Sets) objectOf(t reflect.Type, help map[string]string) *Schema {
	s := &Schema{Type: "object", AdditionalProperties: new(bool)}
	described := 0
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous { // its fields follow
			continue
		}
		if f.Name == "_" {
			s.ignored = strings.Split(f.Tag.Get("ignored"), ",")
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			panic(fmt.Sprintf("schema of %v: the field %s has no json name", t, f.Name))
		}
		p := Property{Name: name, index: f.Index, Schema: e.Of(f.Type, nil)}
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

// jsonText is v as compact JSON that keeps <, > and & readable.
func jsonText(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

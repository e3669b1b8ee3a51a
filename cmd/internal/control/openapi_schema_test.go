package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := plainJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plainJSON leaves <, > and & as they are: no browser takes this for HTML.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// add appends a member unless its value is nothing.
func (o object) add(name string, value any) object {
	if v := reflect.ValueOf(value); !v.IsValid() || v.Kind() != reflect.Bool && v.IsZero() {
		return o
	}
	return append(o, member{name, value})
}

// schemas makes a schema of every type that the operations name.
type schemas struct {
	comments comments
	named    map[string]object
	types    map[string]reflect.Type
	requests map[string]bool // those of requests, which are closed
}

func reference(kind, name string) object {
	return object{{"$ref", "#/components/" + kind + "/" + name}}
}

// schemaName is the name of a type among the components: a list of webhooks is a WebhookList.
func schemaName(t reflect.Type) string {
	if name, ok := strings.CutPrefix(t.Name(), "items["); ok {
		name = strings.TrimSuffix(name, "]")
		return name[strings.LastIndexByte(name, '.')+1:] + "List"
	}
	return strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
}

// of returns the schema of a type; structs are named components. asked is for a request's.
func (s *schemas) of(t reflect.Type, enum []string, asked bool) object {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{{"type", "object"}, {"additionalProperties", true}}
	}
	switch t.Kind() {
	case reflect.String:
		return object{{"type", "string"}}.add("enum", enum)
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int32:
		return object{{"type", "integer"}}
	case reflect.Int64:
		return object{{"type", "integer"}, {"format", "int64"}}
	case reflect.Uint32, reflect.Uint64:
		return object{{"type", "integer"}, {"format", "int64"}, {"minimum", 0}}
	case reflect.Float64:
		return object{{"type", "number"}, {"format", "double"}}
	case reflect.Slice:
		return object{{"type", "array"}, {"items", s.of(t.Elem(), enum, asked)}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", s.of(t.Elem(), nil, asked)}}
	case reflect.Struct:
		return s.component(t, asked)
	}
	panic(fmt.Sprintf("no schema for %v", t))
}

// ofAgents reports whether only agents' clients give a field: they ask their user; programs have
// nobody to ask.
func ofAgents(f request.Field) bool { return f.Type == reflect.TypeFor[api.Approval]() }

// component names the schema of a struct.
func (s *schemas) component(t reflect.Type, asked bool, except ...string) object {
	name := schemaName(t)
	if other, ok := s.types[name]; ok && (other != t || s.requests[name] != asked) {
		panic(fmt.Sprintf("%v and %v have the same schema, or one is asked for and returned", other, t))
	}
	if _, ok := s.types[name]; !ok {
		s.types[name], s.requests[name] = t, asked
		s.named[name] = s.properties(t, asked, except)
	}
	return reference("schemas", name)
}

func (s *schemas) properties(t reflect.Type, asked bool, except []string) object {
	var properties object
	var required []string
	for _, f := range request.Fields(t) {
		if slices.Contains(except, f.Name) || ofAgents(f) {
			continue
		}
		properties = append(properties, member{f.Name, s.property(f, t, asked)})
		if f.Required {
			required = append(required, f.Name)
		}
	}
	about := s.comments.ofType(t)
	if strings.HasPrefix(t.Name(), "items[") {
		about = "A list."
	}
	o := object{{"type", "object"}}.add("description", about).add("required", required)
	o = append(o, member{"properties", properties})
	if asked {
		o = append(o, member{"additionalProperties", false})
	}
	return o
}

// defaultNumber is how a comment names what an absent number means.
var defaultNumber = regexp.MustCompile(`(?i)\bdefault (\d+)\b`)

// property is the schema of a field with what is said of it.
func (s *schemas) property(f request.Field, in reflect.Type, asked bool) object {
	o := s.of(f.Type, f.Enum, asked)
	about := s.comments.ofField(f, in)
	if f.Min != nil {
		o = append(o, member{"minimum", *f.Min})
	}
	if f.Max != nil {
		o = append(o, member{"maximum", *f.Max})
	}
	if m := defaultNumber.FindStringSubmatch(about); m != nil && f.Min != nil {
		o = append(o, member{"default", json.Number(m[1])})
	}
	return o.add("description", about)
}

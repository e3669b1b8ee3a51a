package request

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// Field is one field of a request or a result, as JSON has it.
type Field struct {
	Name     string
	Type     reflect.Type // without its pointer
	Required bool         // its tag has neither omitempty nor omitzero
	Index    []int        // for reflect
	Owner    reflect.Type // the struct that declares it, which may be embedded in the one asked for
	GoName   string
	// a number's bounds, from the tag `range:"1,256"`; nil is none
	Min, Max *int64
	// the strings that there are, of a list those of its elements: from the type, or from the tag
	// `enum:"a,b"`, which the operation itself checks
	Enum []string
}

// Fields returns the fields of a struct type in their order, those of embedded structs among them.
func Fields(t reflect.Type) []Field { return fields(t, nil) }

// fields does not ask reflect for visible fields: an embedded Event hides its own field Event
// there, and not in JSON.
func fields(t reflect.Type, above []int) []Field {
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(above), i)
		tag, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct {
			out = append(out, fields(f.Type, index)...)
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		field := Field{Name: name, Type: f.Type, Index: index, Owner: t, GoName: f.Name}
		field.Required = !slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		if f.Type.Kind() == reflect.Pointer {
			field.Type = f.Type.Elem()
		}
		low, high, _ := strings.Cut(f.Tag.Get("range"), ",")
		field.Min, field.Max = bound(low), bound(high)
		if field.Enum = Values(field.Type); f.Tag.Get("enum") != "" {
			field.Enum = strings.Split(f.Tag.Get("enum"), ",")
		}
		out = append(out, field)
	}
	return out
}

// bound is one end of a range, nil when it is open.
func bound(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// outside says what is wrong with a number of a field, nil when nothing is.
func (f Field) outside(path string, n int64) *api.Error {
	switch {
	case f.Min != nil && f.Max != nil && (n < *f.Min || n > *f.Max):
		return wrong(path, "%s is %d: give a whole number from %d to %d", path, n, *f.Min, *f.Max)
	case f.Min != nil && n < *f.Min:
		return wrong(path, "%s is %d: give a whole number, %d or more", path, n, *f.Min)
	}
	return nil
}

// Values returns the values that a closed set of strings has, nil for every other type.
func Values(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[api.TypingState]():
		return texts(api.TypingStates())
	case reflect.TypeFor[api.RecipientKind]():
		return texts(api.RecipientKinds())
	case reflect.TypeFor[api.LinkState]():
		return texts(api.LinkStates())
	case reflect.TypeFor[api.WebhookStatus]():
		return texts(api.WebhookStatuses())
	case reflect.TypeFor[api.EventDeliveryState]():
		return texts(api.EventDeliveryStates())
	case reflect.TypeFor[api.ReplayKind]():
		return texts(api.ReplayKinds())
	case reflect.TypeFor[api.ReplayState]():
		return texts(api.ReplayStates())
	}
	return nil
}

func texts[S ~string](named []S) []string {
	plain := make([]string, 0, len(named))
	for _, v := range named {
		plain = append(plain, string(v))
	}
	return plain
}

// split returns the method and the path of a pattern such as "GET /v1/events/{id}".
func split(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, path
}

// PathNames returns the names of a pattern's wildcards.
func PathNames(pattern string) []string {
	var names []string
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// InQuery reports whether a pattern's fields stand in the query, those of the path left out.
func InQuery(pattern string) bool {
	method, _ := split(pattern)
	return method == "GET" || method == "DELETE"
}

func isTime(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }
func isRaw(t reflect.Type) bool  { return t == reflect.TypeFor[json.RawMessage]() }

package request

import (
	"encoding/json"
	"reflect"
	"slices"
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
}

// Fields returns the fields of a struct type in their order, those of embedded structs among them.
func Fields(t reflect.Type) []Field {
	var out []Field
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("json")
		if !f.IsExported() || tag == "-" || f.Anonymous && !tagged {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		field := Field{Name: name, Type: f.Type, Index: f.Index, Owner: owner(t, f.Index), GoName: f.Name}
		field.Required = !slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		if f.Type.Kind() == reflect.Pointer {
			field.Type = f.Type.Elem()
		}
		out = append(out, field)
	}
	return out
}

// owner returns the struct that declares the field at index.
func owner(t reflect.Type, index []int) reflect.Type {
	if len(index) == 1 {
		return t
	}
	return t.FieldByIndex(index[:len(index)-1]).Type
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

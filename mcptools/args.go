package mcptools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// Limits that every argument has, and which no honest call meets; a schema is shorter without them.
const (
	maxString = 4096 // characters
	maxList   = 100  // entries
)

// argSpec is the part of an input schema that check enforces, read from the schema itself so that the two cannot differ. Enums are
// left to the tools, whose sentences say more.
type argSpec struct {
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
}

type property struct {
	Type        string `json:"type"` // string, boolean, integer, or array of strings
	Description string `json:"description"`
	MaxLength   int    `json:"maxLength"` // 0: maxString
	Minimum     int    `json:"minimum"`
	Maximum     int    `json:"maximum"`
}

// mustSpec reads a schema written in this package. It panics if that is no JSON, which every test would show.
func mustSpec(schema string) argSpec {
	var s argSpec
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		panic(fmt.Sprintf("input schema: %v", err))
	}
	return s
}

// args are checked arguments: every name known, every value of its type. An absent one reads as its zero value.
type args map[string]any // string, bool, int, []string

func (a args) has(name string) bool         { _, ok := a[name]; return ok }
func (a args) str(name string) string       { v, _ := a[name].(string); return v }
func (a args) flag(name string) bool        { v, _ := a[name].(bool); return v }
func (a args) integer(name string) int      { v, _ := a[name].(int); return v }
func (a args) strings(name string) []string { v, _ := a[name].([]string); return v }

// optional answers a pointer to the argument, nil when it was left out.
func optional[T any](a args, name string) *T {
	if v, ok := a[name].(T); ok {
		return &v
	}
	return nil
}

func badArg(format string, a ...any) *api.Error {
	return api.Errorf(api.CodeInvalidArguments, format, a...)
}

// check reads the arguments of a call. A null counts as left out: models write it for what they do not mean to pass.
func (s argSpec) check(raw json.RawMessage) (args, *api.Error) {
	given := map[string]json.RawMessage{}
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
		if raw[0] != '{' || json.Unmarshal(raw, &given) != nil {
			return nil, badArg("The arguments must be one JSON object, not %s. %s", kindOf(raw), s.takes())
		}
	}
	out := args{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p, known := s.Properties[name]
		if !known {
			return nil, badArg("Unknown argument %q.%s %s", cut(name, 64), didYouMean(name, s.names()), s.takes())
		}
		if string(given[name]) == "null" {
			continue
		}
		v, bad := p.read(name, given[name])
		if bad != nil {
			return nil, bad
		}
		out[name] = v
	}
	for _, name := range s.Required {
		if !out.has(name) {
			return nil, badArg("The argument %q is missing. Pass it: %s.", name, s.Properties[name].Description)
		}
		if out[name] == "" {
			return nil, badArg("The argument %q must not be empty. Pass it: %s.", name, s.Properties[name].Description)
		}
	}
	return out, nil
}

func (s argSpec) names() []string { return slices.Sorted(maps.Keys(s.Properties)) }

func (s argSpec) takes() string {
	if len(s.Properties) == 0 {
		return "This tool takes no arguments."
	}
	return "This tool takes: " + strings.Join(s.names(), ", ") + "."
}

// read decodes one value, or says how to write it.
func (p property) read(name string, raw json.RawMessage) (any, *api.Error) {
	switch p.Type {
	case "string":
		var v string
		if json.Unmarshal(raw, &v) != nil {
			return nil, badArg("The argument %q must be a string in quotes, not %s.", name, kindOf(raw))
		}
		most := p.MaxLength
		if most == 0 {
			most = maxString
		}
		if n := utf8.RuneCountInString(v); n > most {
			return nil, badArg("The argument %q has %d characters; at most %d are accepted.", name, n, most)
		}
		return v, nil
	case "boolean":
		var v bool
		if json.Unmarshal(raw, &v) != nil {
			return nil, badArg("The argument %q must be true or false, without quotes, not %s.", name, kindOf(raw))
		}
		return v, nil
	case "integer":
		var v float64
		if json.Unmarshal(raw, &v) != nil || v != float64(int(v)) {
			return nil, badArg("The argument %q must be a whole number, without quotes, not %s.", name, kindOf(raw))
		}
		if n := int(v); n < p.Minimum || n > p.Maximum {
			return nil, badArg("The argument %q must be from %d to %d, not %d.", name, p.Minimum, p.Maximum, n)
		}
		return int(v), nil
	default:
		given := []*string{} // a null is no string, though Go would read it as ""
		if raw[0] != '[' {
			return nil, badArg("The argument %q must be a list of strings, not %s. Write [\"…\"] for one.", name, kindOf(raw))
		}
		if json.Unmarshal(raw, &given) != nil || slices.Contains(given, nil) {
			return nil, badArg("The argument %q must hold strings only, each in quotes.", name)
		}
		if len(given) > maxList {
			return nil, badArg("The argument %q has %d entries; at most %d are accepted in one call.", name, len(given), maxList)
		}
		v := make([]string, 0, len(given))
		for _, s := range given {
			v = append(v, *s)
		}
		return v, nil
	}
}

// kindOf names a JSON value in words.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "the number " + cut(string(raw), 32)
	}
}

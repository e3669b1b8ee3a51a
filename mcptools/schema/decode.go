package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
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

func badArgument(format string, a ...any) *api.Error {
	return api.Errorf(api.CodeInvalidArguments, format, a...)
}

// Decode reads the arguments of a call into the struct that s was made of. What was left out stays
// the zero value: a pointer or a slice is nil then, and only then. A null counts as left out,
// because models write it for what they do not mean to pass; so does "" where it is no value.
//
// Clients write arguments as text, and models guess: so a string that holds the JSON of a list, an
// object, a number or a boolean is taken for it, a single entry for a list of one, words with
// commas for a list, and a number for the string of its digits. What can mean two things, or
// nothing, is refused with a sentence that names the argument and says what to pass.
func (s *Schema) Decode(raw json.RawMessage, into reflect.Value) *api.Error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || slices.Contains([]string{"null", "", "{}"}, plain(raw)) {
		raw = json.RawMessage("{}")
	}
	return s.readObject("", raw, into)
}

// readObject reads the arguments, or with a path the object at that place in them.
func (s *Schema) readObject(path string, raw json.RawMessage, into reflect.Value) *api.Error {
	given := map[string]json.RawMessage{}
	if raw := unquoted(raw, '{'); raw[0] != '{' || json.Unmarshal(raw, &given) != nil {
		if path != "" {
			return badArgument("The argument %q must be an object, not %s. %s", path, kindOf(raw), s.takes(path))
		}
		return badArgument("The arguments must be one JSON object, not %s. %s", kindOf(raw), s.takes(path))
	}
	within := ""
	if path != "" {
		within = path + "."
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p, known := s.Properties.find(name)
		if !known && slices.Contains(s.ignored, name) {
			continue
		}
		if !known {
			return badArgument("Unknown argument %q.%s %s",
				within+short(name), DidYouMean(name, s.names()), s.takes(path))
		}
		if v := string(given[name]); v == "null" || v == `""` && (p.Type != "string" || len(p.set.Values) > 0) {
			delete(given, name)
			continue
		}
		if bad := p.read(within+name, given[name], into.FieldByIndex(p.index)); bad != nil {
			return bad
		}
	}
	for _, name := range s.Required {
		p, _ := s.Properties.find(name)
		if _, ok := given[name]; !ok {
			return badArgument("The argument %q is missing. Pass it: %s.", within+name, p.help())
		}
		if p.Type == "string" && into.FieldByIndex(p.index).Len() == 0 {
			return badArgument("The argument %q must not be empty. Pass it: %s.", within+name, p.help())
		}
	}
	return nil
}

// help says what a property is.
func (p Property) help() string {
	if p.Description == "" {
		return "a " + p.Type
	}
	return p.Description
}

func (s *Schema) names() []string {
	names := make([]string, 0, len(s.Properties))
	for _, p := range s.Properties {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

func (s *Schema) takes(path string) string {
	switch {
	case path != "":
		return fmt.Sprintf("It takes: %s.", strings.Join(s.names(), ", "))
	case len(s.Properties) == 0:
		return "This tool takes no arguments."
	default:
		return "This tool takes: " + strings.Join(s.names(), ", ") + "."
	}
}

// read decodes one value, or says how to write it.
func (s *Schema) read(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch s.Type {
	case "string":
		return s.readString(name, raw, into)
	case "boolean":
		switch strings.ToLower(plain(raw)) {
		case "true":
			into.SetBool(true)
		case "false":
			into.SetBool(false)
		default:
			return badArgument("The argument %q must be true or false, not %s.", name, valueOf(raw))
		}
	case "integer", "number":
		return s.readNumber(name, raw, into)
	case "array":
		return s.readList(name, raw, into)
	default:
		return s.readObject(name, raw, into)
	}
	return nil
}

func (s *Schema) readNumber(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	whole := s.Type == "integer"
	kind := "number"
	if whole {
		kind = "whole number"
	}
	var v float64
	// the grammar of JSON: no hexadecimal, no NaN
	if json.Unmarshal([]byte(plain(raw)), &v) != nil || whole && (v != math.Trunc(v) || math.Abs(v) > math.MaxInt32) {
		return badArgument("The argument %q must be a %s, not %s.", name, kind, valueOf(raw))
	}
	if s.Minimum != nil && (v < float64(*s.Minimum) || v > float64(*s.Maximum)) {
		return badArgument("The argument %q must be from %d to %d, not %v.", name, *s.Minimum, *s.Maximum, v)
	}
	if whole {
		into.SetInt(int64(v))
	} else {
		into.SetFloat(v)
	}
	return nil
}

func (s *Schema) readString(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	var v string
	switch {
	case isDigits(raw): // a phone number, say
		v = string(raw)
	case json.Unmarshal(raw, &v) != nil:
		return badArgument("The argument %q must be a string in quotes, not %s.", name, kindOf(raw))
	}
	most := s.MaxLength
	if most == 0 {
		most = maxString
	}
	if n := utf8.RuneCountInString(v); n > most {
		return badArgument("The argument %q has %d characters; at most %d are accepted.", name, n, most)
	}
	if len(s.set.Values) > 0 {
		v = strings.TrimSpace(v)
	}
	into.SetString(v)
	return s.set.check(v)
}

func (s *Schema) readList(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	given, ok := s.entries(raw)
	if !ok {
		kind, example := "objects", "{…}"
		if s.Items.Type == "string" {
			kind, example = "strings", `"…"`
		}
		return badArgument("The argument %q must be a list of %s, not %s. Write [%s] for one.", name, kind, kindOf(raw), example)
	}
	if s.Items.Type == "string" && slices.ContainsFunc(given, func(v json.RawMessage) bool { return v[0] != '"' && !isDigits(v) }) {
		return badArgument("The argument %q must hold strings only, each in quotes.", name)
	}
	if len(given) > maxList {
		return badArgument("The argument %q has %d entries; at most %d are accepted in one call.", name, len(given), maxList)
	}
	into.Set(reflect.MakeSlice(into.Type(), len(given), len(given)))
	for i, v := range given {
		if bad := s.Items.read(fmt.Sprintf("%s[%d]", name, i), v, into.Index(i)); bad != nil {
			return bad
		}
	}
	return nil
}

// check refuses a value that is not in the set, and says which one was probably meant. The empty
// set has every value.
func (e Set) check(v string) *api.Error {
	if len(e.Values) == 0 || slices.Contains(e.Values, v) {
		return nil
	}
	return api.Errorf(e.Code, "Unknown %s %q.%s Known: %s.",
		e.Noun, short(v), DidYouMean(v, e.Values), strings.Join(e.Values, ", "))
}

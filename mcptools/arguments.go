package mcptools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"waoutbox/outbox/api"

	"github.com/agnivade/levenshtein"
)

// Limits that every argument has, and which no honest call meets; a schema is shorter without them.
const (
	maxString = 4096 // characters
	maxList   = 100  // entries
)

func badArgument(format string, a ...any) *api.Error {
	return api.Errorf(api.CodeInvalidArguments, format, a...)
}

// decode reads the arguments of a call into the struct that s was made of. What was left out stays
// the zero value: a pointer or a slice is nil then, and only then. A null counts as left out,
// because models write it for what they do not mean to pass; so does "" where it is no value.
func (s *schema) decode(raw json.RawMessage, into reflect.Value) *api.Error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		raw = json.RawMessage("{}")
	}
	return s.readObject("", raw, into)
}

// readObject reads the arguments, or with a path the object at that place in them.
func (s *schema) readObject(path string, raw json.RawMessage, into reflect.Value) *api.Error {
	given := map[string]json.RawMessage{}
	if raw[0] != '{' || json.Unmarshal(raw, &given) != nil {
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
		if !known {
			return badArgument("Unknown argument %q.%s %s",
				within+cut(name, 64), didYouMean(name, s.names()), s.takes(path))
		}
		if v := string(given[name]); v == "null" || v == `""` && len(p.set.values) > 0 {
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
			return badArgument("The argument %q is missing. Pass it: %s.", within+name, p.Description)
		}
		if p.Type == "string" && into.FieldByIndex(p.index).Len() == 0 {
			return badArgument("The argument %q must not be empty. Pass it: %s.", within+name, p.Description)
		}
	}
	return nil
}

func (s *schema) names() []string {
	names := make([]string, 0, len(s.Properties))
	for _, p := range s.Properties {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return names
}

func (s *schema) takes(path string) string {
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
func (s *schema) read(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch s.Type {
	case "string":
		return s.readString(name, raw, into)
	case "boolean":
		var v bool
		if json.Unmarshal(raw, &v) != nil {
			return badArgument("The argument %q must be true or false, without quotes, not %s.", name, kindOf(raw))
		}
		into.SetBool(v)
	case "integer":
		var v float64
		if json.Unmarshal(raw, &v) != nil || v != float64(int(v)) {
			return badArgument("The argument %q must be a whole number, without quotes, not %s.", name, kindOf(raw))
		}
		if n := int(v); s.Minimum != nil && (n < *s.Minimum || n > *s.Maximum) {
			return badArgument("The argument %q must be from %d to %d, not %d.", name, *s.Minimum, *s.Maximum, n)
		}
		into.SetInt(int64(v))
	case "array":
		return s.readList(name, raw, into)
	default:
		return s.readObject(name, raw, into)
	}
	return nil
}

func (s *schema) readString(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	var v string
	if json.Unmarshal(raw, &v) != nil {
		return badArgument("The argument %q must be a string in quotes, not %s.", name, kindOf(raw))
	}
	most := s.MaxLength
	if most == 0 {
		most = maxString
	}
	if n := utf8.RuneCountInString(v); n > most {
		return badArgument("The argument %q has %d characters; at most %d are accepted.", name, n, most)
	}
	into.SetString(v)
	return s.set.check(v)
}

func (s *schema) readList(name string, raw json.RawMessage, into reflect.Value) *api.Error {
	strings := s.Items.Type == "string"
	kind, example := "objects", "{…}"
	if strings {
		kind, example = "strings", `"…"`
	}
	var given []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &given) != nil {
		return badArgument("The argument %q must be a list of %s, not %s. Write [%s] for one.", name, kind, kindOf(raw), example)
	}
	if strings && slices.ContainsFunc(given, func(v json.RawMessage) bool { return v[0] != '"' }) {
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
func (e enum) check(v string) *api.Error {
	if len(e.values) == 0 || slices.Contains(e.values, v) {
		return nil
	}
	return api.Errorf(e.code, "Unknown %s %q.%s Known: %s.",
		e.noun, cut(v, 64), didYouMean(v, e.values), strings.Join(e.values, ", "))
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

// maxWord bounds, in bytes, what is compared: names are short, and a long value is no typing error.
const maxWord = 64

// didYouMean returns ` Did you mean "x"?` for the known word nearest to a mistyped one, or "".
// Neither case nor the marks between words count, and a word that ends in a known one is nearly it.
func didYouMean(given string, known []string) string {
	if len(given) > maxWord {
		return ""
	}
	best, distance := "", 1+max(2, len(given)/3)
	for _, k := range known {
		d := levenshtein.ComputeDistance(plainWord(given), plainWord(k))
		if p := plainWord(k); len(p) > 2 && strings.HasSuffix(plainWord(given), p) {
			d = min(d, 1) // webhook_url for url
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

func plainWord(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(s))
}

package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// decodeBody reads a JSON body into in. No body is an empty object. elsewhere are the fields that
// stand in the path.
func decodeBody(body []byte, in any, elsewhere []string) *api.Error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	if !utf8.Valid(body) {
		return wrong("body", "the body is not valid UTF-8")
	}
	c := checker{tokens: json.NewDecoder(bytes.NewReader(body)), elsewhere: elsewhere}
	c.tokens.UseNumber()
	if e := c.value("", reflect.TypeOf(in).Elem()); e != nil {
		return e
	}
	if _, err := c.tokens.Token(); !errors.Is(err, io.EOF) {
		return wrong("body", "something follows the JSON object of the body: give that object alone")
	}
	if err := json.Unmarshal(body, in); err != nil {
		return c.broken()
	}
	v := reflect.ValueOf(in).Elem()
	for _, f := range Fields(v.Type()) {
		if n := reflect.Indirect(v.FieldByIndex(f.Index)); c.given[f.Name] && n.CanInt() {
			if e := f.outside(f.Name, n.Int()); e != nil {
				return e
			}
		}
	}
	return nil
}

// checker reads JSON against a type, before the type takes it: the errors of encoding/json name no
// field that is unknown inside another one, and take a field twice, in any case, and null.
type checker struct {
	tokens    *json.Decoder
	elsewhere []string
	given     map[string]bool // fields of the body itself
}

// broken is the error for what is no JSON.
func (c *checker) broken() *api.Error {
	return wrong("body", "the body is no JSON as it should be, at byte %d: give one JSON object", c.tokens.InputOffset())
}

// value reads one value, which stands at path, "" for the whole body.
func (c *checker) value(path string, t reflect.Type) *api.Error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := c.tokens.Token()
	if err != nil {
		return c.broken()
	}
	switch delim, _ := token.(json.Delim); {
	case t.Kind() == reflect.Struct && !isTime(t) && delim == '{':
		return c.object(path, t)
	case t.Kind() == reflect.Map && delim == '{':
		return c.entries(path, t.Elem())
	case t.Kind() == reflect.Slice && delim == '[':
		for i := 0; c.tokens.More(); i++ {
			if e := c.value(fmt.Sprintf("%s[%d]", path, i), t.Elem()); e != nil {
				return e
			}
		}
		return c.end()
	case fits(token, t):
		return nil
	}
	return refusal(path, token, t)
}

// end reads the end of a list or an object.
func (c *checker) end() *api.Error {
	if _, err := c.tokens.Token(); err != nil {
		return c.broken()
	}
	return nil
}

// object reads what follows the { of a struct.
func (c *checker) object(path string, t reflect.Type) *api.Error {
	fields, names := Fields(t), []string{}
	for _, f := range fields {
		if path != "" || !slices.Contains(c.elsewhere, f.Name) {
			names = append(names, f.Name)
		}
	}
	seen := map[string]bool{}
	if path == "" {
		c.given = seen
	}
	for c.tokens.More() {
		name, e := c.key(path, seen)
		if e != nil {
			return e
		}
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if i < 0 || !slices.Contains(names, name) {
			return unknown("field", name, path, names)
		}
		if e := c.value(join(path, name), fields[i].Type); e != nil {
			return e
		}
	}
	if e := c.end(); e != nil {
		return e
	}
	for _, f := range fields {
		if f.Required && !seen[f.Name] && slices.Contains(names, f.Name) {
			return missing(join(path, f.Name), f.Type)
		}
	}
	return nil
}

// entries reads what follows the { of a map.
func (c *checker) entries(path string, t reflect.Type) *api.Error {
	seen := map[string]bool{}
	for c.tokens.More() {
		name, e := c.key(path, seen)
		if e != nil {
			return e
		}
		if e := c.value(join(path, quotable(name)), t); e != nil {
			return e
		}
	}
	return c.end()
}

// key reads the name of a member, which may stand once in its object.
func (c *checker) key(path string, seen map[string]bool) (string, *api.Error) {
	token, err := c.tokens.Token()
	if err != nil {
		return "", c.broken()
	}
	name, ok := token.(string)
	if !ok {
		return "", c.broken()
	}
	if seen[name] {
		field := join(path, quotable(name))
		return "", wrong(field, "%s is given twice: give it once", field)
	}
	seen[name] = true
	return name, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fits reports whether a value that is neither list nor object is one of t.
func fits(token json.Token, t reflect.Type) bool {
	switch v := token.(type) {
	case string:
		switch set := Values(t); {
		case set != nil:
			return slices.Contains(set, v)
		case isTime(t):
			return new(time.Time).UnmarshalText([]byte(v)) == nil
		}
		return t.Kind() == reflect.String
	case bool:
		return t.Kind() == reflect.Bool
	case json.Number:
		var err error
		switch zero := reflect.Zero(t); {
		case zero.CanInt():
			_, err = strconv.ParseInt(v.String(), 10, t.Bits())
		case zero.CanUint():
			_, err = strconv.ParseUint(v.String(), 10, t.Bits())
		case zero.CanFloat():
			_, err = strconv.ParseFloat(v.String(), 64)
		default:
			return false
		}
		return err == nil
	}
	return false
}

// refusal says what stands where something else should. What is quoted is a word or a number, never
// a string that may be a secret.
func refusal(path string, token json.Token, t reflect.Type) *api.Error {
	what := "something else"
	switch v := token.(type) {
	case json.Delim:
		what = map[json.Delim]string{'{': "an object", '[': "a list"}[v]
	case nil:
		what = "null"
	case bool:
		what = strconv.FormatBool(v)
	case json.Number:
		what = quotable(v.String())
	case string:
		what = "a string"
		if Values(t) != nil {
			what = strconv.Quote(quotable(v))
		} else if isTime(t) {
			what = "no such time"
		}
	}
	if path == "" {
		return wrong("body", "the body is %s: give one JSON object", what)
	}
	also := ""
	if token == nil {
		also = ", or leave it out"
	}
	return wrong(path, "%s is %s: give %s%s", path, what, wanted(t), also)
}

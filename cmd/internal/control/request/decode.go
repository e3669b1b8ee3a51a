package request

import (
	"cmp"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// CodeUnknownField is the code of a field or parameter that there is not, which may be one of
// another version.
const CodeUnknownField api.Code = "unknown_field"

// shown is how much of a value a sentence quotes.
const shown = 60

// Decode reads the request of an operation into in, which points to its zero value: the parts of
// the path, the query as it was sent, and the body.
func Decode(pattern string, path func(name string) string, query string, body []byte, in any) *api.Error {
	v := reflect.ValueOf(in).Elem()
	inPath := PathNames(pattern)
	for _, f := range Fields(v.Type()) {
		if !slices.Contains(inPath, f.Name) {
			continue
		}
		text := path(f.Name)
		if !utf8.ValidString(text) {
			return wrong(f.Name, "%s in the path is not valid UTF-8: percent-encode its bytes", f.Name)
		}
		v.FieldByIndex(f.Index).SetString(text)
	}
	if InQuery(pattern) {
		if len(body) > 0 {
			method, _ := split(pattern)
			return wrong("body", "a %s takes no body: give what is asked for in the query", method)
		}
		return DecodeQuery(query, in, inPath...)
	}
	if query != "" {
		name, _, _ := strings.Cut(query, "=")
		name, _, _ = strings.Cut(name, "&")
		return wrong(cmp.Or(quotable(name), "query"), "this operation takes no parameter %q: give its fields in the JSON of the body", quotable(name))
	}
	return decodeBody(body, in, inPath)
}

// quotable is a name that a caller made up, in a form fit for a sentence.
func quotable(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
	return term.Short(name, shown)
}

// DecodeQuery reads a query as it was sent into in, but for the fields that stand elsewhere.
func DecodeQuery(query string, in any, elsewhere ...string) *api.Error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return wrong("query", "the query is not valid: write name=value&name=value and percent-encode what is not plain")
	}
	v := reflect.ValueOf(in).Elem()
	var known []string
	for _, f := range Fields(v.Type()) {
		if slices.Contains(elsewhere, f.Name) {
			continue
		}
		known = append(known, f.Name)
		values, ok := given[f.Name]
		delete(given, f.Name)
		switch {
		case !ok && f.Required:
			return missing(f.Name, f.Type)
		case !ok:
		case f.Type.Kind() == reflect.Slice:
			list := reflect.MakeSlice(f.Type, len(values), len(values))
			for i, text := range values {
				if e := setParameter(list.Index(i), f.Name, text); e != nil {
					return e
				}
			}
			v.FieldByIndex(f.Index).Set(list)
		case len(values) > 1:
			return wrong(f.Name, "%s is given %d times: give it once", f.Name, len(values))
		default:
			target := v.FieldByIndex(f.Index)
			if target.Kind() == reflect.Pointer {
				target.Set(reflect.New(f.Type))
				target = target.Elem()
			}
			if e := setParameter(target, f.Name, values[0]); e != nil {
				return e
			}
			if target.CanInt() {
				if e := f.outside(f.Name, target.Int()); e != nil {
					return e
				}
			}
		}
	}
	for name := range given {
		return unknown("parameter", name, "", known)
	}
	return nil
}

// setParameter reads the text of a parameter.
func setParameter(v reflect.Value, name, text string) *api.Error {
	refused := func() *api.Error {
		return wrong(name, "%s is %q: give %s", name, quotable(text), wanted(v.Type()))
	}
	if !utf8.ValidString(text) {
		return refused()
	}
	if set := Values(v.Type()); set != nil && !slices.Contains(set, text) {
		return refused()
	}
	var err error
	switch {
	case isTime(v.Type()):
		var at time.Time
		err = at.UnmarshalText([]byte(text))
		v.Set(reflect.ValueOf(at))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return refused()
		}
		v.SetBool(text == "true")
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
	case v.CanFloat():
		var n float64
		if n, err = strconv.ParseFloat(text, 64); math.IsNaN(n) || math.IsInf(n, 0) {
			return refused() // no number of JSON
		}
		v.SetFloat(n)
	}
	if err != nil {
		return refused()
	}
	return nil
}

// unknown is the error for a name that is none of those there are. where is what it stands in, ""
// for the request itself.
func unknown(what, name, where string, known []string) *api.Error {
	name = quotable(name)
	field := name
	switch {
	case where != "":
		field = where + "." + name
	case name == "" && what == "parameter":
		field = "query"
	case name == "":
		field = "body"
	}
	if len(known) == 0 {
		return api.Errorf(CodeUnknownField, "there is no %s %q: this operation takes none", what, name).In(field)
	}
	return api.Errorf(CodeUnknownField, "there is no %s %q.%s Known: %s", what, field, term.DidYouMean(name, known), strings.Join(known, ", ")).In(field)
}

// wanted says what to give for a type.
func wanted(t reflect.Type) string {
	if set := Values(t); set != nil {
		return "one of " + strings.Join(set, ", ")
	}
	switch {
	case isTime(t):
		return "a time like 2026-01-31T08:00:00Z"
	case isRaw(t):
		return "JSON"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	if strings.HasPrefix(t.Kind().String(), "uint") {
		return "a whole number, 0 or more"
	}
	return "a whole number"
}

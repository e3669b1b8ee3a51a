package request

import (
	"bytes"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// Encode returns the request of an operation: its method, its target with the query, and its body,
// nil when there is none. It fails where a part of the path would be empty.
func Encode(pattern string, in any) (method, target string, body []byte, err error) {
	method, target = split(pattern)
	v, inPath := reflect.ValueOf(in), PathNames(pattern)
	var elsewhere []string // fields that are not in the body
	for _, f := range Fields(v.Type()) {
		if !slices.Contains(inPath, f.Name) {
			continue
		}
		text := v.FieldByIndex(f.Index).String()
		if strings.TrimSpace(text) == "" {
			return "", "", nil, missing(f.Name, f.Type)
		}
		target = strings.Replace(target, "{"+f.Name+"}", segment(text), 1)
		elsewhere = append(elsewhere, f.Name)
	}
	if InQuery(pattern) {
		if q := Query(in, elsewhere...).Encode(); q != "" {
			target += "?" + q
		}
		return method, target, nil, nil
	}
	body, err = jsonWithout(in, elsewhere)
	return method, target, body, err
}

// segment escapes a part of a path, so that dots alone are no way up.
func segment(text string) string {
	if strings.Trim(text, ".") == "" {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// jsonWithout returns the JSON of a request without some of its fields, nil when none is left.
func jsonWithout(in any, names []string) ([]byte, error) {
	fields := Fields(reflect.TypeOf(in))
	if len(fields) == len(names) {
		return nil, nil
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	lists := slices.ContainsFunc(fields, func(f Field) bool { return f.Required && f.Type.Kind() == reflect.Slice })
	if len(names) == 0 && !lists {
		return raw, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		if slices.Contains(names, name) || bytes.Equal(value, []byte("null")) {
			delete(all, name)
		}
	}
	return json.Marshal(all)
}

// Query returns the fields of a request as parameters, but those left out.
func Query(in any, except ...string) url.Values {
	v, q := reflect.ValueOf(in), url.Values{}
	for _, f := range Fields(v.Type()) {
		value := v.FieldByIndex(f.Index)
		if slices.Contains(except, f.Name) || !f.Required && value.IsZero() {
			continue
		}
		value = reflect.Indirect(value)
		if value.Kind() == reflect.Slice {
			for i := range value.Len() {
				q.Add(f.Name, parameter(value.Index(i)))
			}
			continue
		}
		q.Add(f.Name, parameter(value))
	}
	return q
}

// parameter is a value as the text of a parameter.
func parameter(v reflect.Value) string {
	switch {
	case isTime(v.Type()):
		return v.Interface().(time.Time).Format(time.RFC3339Nano)
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

// missing is the error for a field without which nothing can be done.
func missing(name string, t reflect.Type) *api.Error {
	return wrong(name, "%s is missing: give %s", name, wanted(t))
}

// wrong is the error for what a field has.
func wrong(field, format string, args ...any) *api.Error {
	return api.Errorf(api.CodeInvalidArguments, format, args...).In(field)
}

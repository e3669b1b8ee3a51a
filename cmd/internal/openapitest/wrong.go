package openapitest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Nearly makes a request with one mistake that the schemas forbid, and says which field has it;
// false when the operation has none to make.
func (m *Maker) Nearly(op Operation) (Request, bool) {
	r := m.Valid(op)
	if op.Body != nil && m.rnd.IntN(4) > 0 {
		return m.wrongBody(r)
	}
	if op.Body == nil {
		return m.wrongQuery(r), true
	}
	r.Field = "no_parameter"
	r.Query.Set(r.Field, "1")
	return r, true
}

func (m *Maker) wrongQuery(r Request) Request {
	var named []Parameter
	for _, p := range r.Op.Parameters {
		if p.In == "query" {
			named = append(named, p)
		}
	}
	if len(named) > 0 && m.rnd.IntN(3) > 0 {
		p := named[m.rnd.IntN(len(named))]
		switch bad := wrongText(p.Schema); {
		case p.Required && m.rnd.IntN(2) == 0:
			r.Query.Del(p.Name)
			r.Field = p.Name
			return r
		case bad != "":
			r.Query.Set(p.Name, bad)
			r.Field = p.Name
			return r
		case p.Schema["type"] != "array":
			r.Query[p.Name] = []string{"a", "b"}
			r.Field = p.Name
			return r
		}
	}
	r.Field = fmt.Sprint("no_such_", m.rnd.IntN(9))
	r.Query.Set(r.Field, "1")
	return r
}

// wrongText is a parameter's text that its schema forbids, "" when any will do.
func wrongText(s Schema) string {
	switch {
	case s["maximum"] != nil:
		return fmt.Sprint(bound(s, "maximum", 0) + 1)
	case s["type"] == "integer", s["type"] == "number":
		return "many"
	case s["type"] == "boolean":
		return "yes"
	case s["format"] == "date-time":
		return "2026-13-01"
	}
	return ""
}

func (m *Maker) wrongBody(r Request) (Request, bool) {
	properties, _ := r.Op.Body["properties"].(Schema)
	required, _ := r.Op.Body["required"].([]any)
	name := slices.Sorted(maps.Keys(properties))[m.rnd.IntN(len(properties))]
	of := m.doc.Resolve(properties[name].(Schema))
	r.Field = name
	switch m.rnd.IntN(4) {
	case 0:
		r.Field = fmt.Sprint("no_such_", m.rnd.IntN(9))
		r.Body[r.Field] = 1
	case 1:
		if len(required) > 0 {
			r.Field = required[m.rnd.IntN(len(required))].(string)
		}
		if _, there := r.Body[r.Field]; !there || len(required) == 0 {
			r.Body[r.Field] = nil
			break
		}
		delete(r.Body, r.Field)
	case 2:
		r.Body[name] = nil
	default:
		r.Body[name] = wrongValue(of)
	}
	return r, true
}

// wrongValue is a value of another type than a schema's.
func wrongValue(s Schema) any {
	switch {
	case s["maximum"] != nil:
		return bound(s, "maximum", 0) + 1
	case s["type"] == "string":
		return 7
	case s["type"] == "integer":
		return 1.5
	}
	return "text"
}

// Wild makes a request that has little to do with its operation.
func (m *Maker) Wild(op Operation) Request {
	r := m.Valid(op)
	for name := range r.Path {
		r.Path[name] = m.wildText() + "x"
	}
	switch m.rnd.IntN(6) {
	case 0:
		// that no operation has
		r.Method = []string{"PUT", "PATCH", "OPTIONS", "TRACE"}[m.rnd.IntN(4)]
		r.Body, r.Raw = nil, nil
	case 1:
		r.RawQuery = []string{"%zz", "&&;=", "a", "limit=1&limit=2", "limit=" + strings.Repeat("9", 300), "since=%00", "=x", "ids=" + strings.Repeat("a&ids=", 500)}[m.rnd.IntN(8)]
	case 2:
		r.Raw, r.ContentType = []byte(strings.Repeat("[", 5000)), "application/json"
	case 3:
		raw := make([]byte, m.rnd.IntN(300))
		for i := range raw {
			raw[i] = byte(m.rnd.Uint32())
		}
		r.Raw, r.ContentType = raw, []string{"application/json", "text/plain", "multipart/form-data; boundary=x", "\x01", ""}[m.rnd.IntN(5)]
		if r.ContentType == "\x01" {
			r.ContentType = "a/b/c;;"
		}
	case 4:
		r.Raw, r.ContentType = []byte(`{"`+strings.Repeat("a", 1<<20)+`":1}`), "application/json"
	default:
		r.Raw, r.ContentType = []byte([]string{`null`, `[]`, `"x"`, `{"":{}}`, `{"a":1,"a":2}`, `{"text":"\ud800"}`, `{"limit":1e400}`, `{}{}`, ` `}[m.rnd.IntN(9)]), "application/json"
	}
	return r
}

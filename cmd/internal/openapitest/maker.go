package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is one request of an operation.
type Request struct {
	Op    Operation
	Path  map[string]string
	Query url.Values
	Body  Schema
	Field string // for Nearly: what the failure has to name

	Raw         []byte // if set, instead of Body
	ContentType string
	RawQuery    string // if set, instead of Query
	Method      string // if set, instead of the operation's
}

// Maker makes requests by chance. The same seed makes the same ones.
type Maker struct {
	doc *Document
	rnd *rand.Rand
	// Strings are texts by the name of the field that they are for; others are made up. No text of
	// a url may be the address of another machine.
	Strings map[string][]string
	Most    int // the largest number for a field without a maximum
}

// NewMaker returns a Maker.
func NewMaker(doc *Document, seed uint64) *Maker {
	return &Maker{doc: doc, rnd: rand.New(rand.NewPCG(seed, 1)), Strings: map[string][]string{}, Most: 50}
}

// HTTP returns the request to a base address.
func (r Request) HTTP(ctx context.Context, base string) *http.Request {
	path := r.Op.Path
	for name, value := range r.Path {
		path = strings.Replace(path, "{"+name+"}", strings.ReplaceAll(url.PathEscape(value), ".", "%2E"), 1)
	}
	query := r.RawQuery
	if query == "" {
		query = r.Query.Encode()
	}
	if query != "" {
		path += "?" + query
	}
	raw, kind, method := r.Raw, r.ContentType, r.Method
	if raw == nil && r.Body != nil {
		raw, _ = json.Marshal(r.Body) // what was made of JSON is JSON
		kind = "application/json"
	}
	if method == "" {
		method = r.Op.Method
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(raw))
	if err != nil {
		panic(err) // a mistake in the maker
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req
}

// Valid makes a request that the schemas allow.
func (m *Maker) Valid(op Operation) Request {
	r := Request{Op: op, Path: map[string]string{}, Query: url.Values{}}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			r.Path[p.Name] = m.text(p.Name)
			if strings.TrimSpace(r.Path[p.Name]) == "" {
				r.Path[p.Name] = "x"
			}
		case p.Required || m.rnd.IntN(4) == 0:
			if list, ok := m.value(p.Name, p.Schema).([]any); ok {
				for _, v := range list {
					r.Query.Add(p.Name, fmt.Sprint(v))
				}
			} else {
				r.Query.Set(p.Name, fmt.Sprint(m.value(p.Name, p.Schema)))
			}
		}
	}
	if op.Body != nil {
		r.Body = m.value("", op.Body).(Schema)
	}
	if op.File {
		r.Raw, r.ContentType = []byte(m.text("content")), "application/octet-stream"
	}
	return r
}

// value makes a value that a schema allows.
func (m *Maker) value(name string, s Schema) any {
	s = m.doc.Resolve(s)
	if enum, ok := s["enum"].([]any); ok {
		return enum[m.rnd.IntN(len(enum))]
	}
	switch s["type"] {
	case "object":
		return m.object(s)
	case "array":
		out := make([]any, m.rnd.IntN(3))
		for i := range out {
			out[i] = m.value(name, s["items"].(Schema))
		}
		return out
	case "boolean":
		return m.rnd.IntN(2) == 0
	case "integer":
		low, high := bound(s, "minimum", 0), bound(s, "maximum", m.Most)
		return low + m.rnd.IntN(high-low+1)
	case "number":
		return float64(m.rnd.IntN(1000)) / 8
	}
	if s["format"] == "date-time" {
		return time.Unix(m.rnd.Int64N(4e9), 0).UTC().Format(time.RFC3339)
	}
	return m.text(name)
}

func bound(s Schema, name string, otherwise int) int {
	if n, ok := s[name].(json.Number); ok {
		i, err := n.Int64()
		if err == nil {
			return int(i)
		}
	}
	return otherwise
}

func (m *Maker) object(s Schema) Schema {
	out := Schema{}
	required, _ := s["required"].([]any)
	properties, _ := s["properties"].(Schema)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || m.rnd.IntN(4) == 0 {
			out[name] = m.value(name, properties[name].(Schema))
		}
	}
	if of, ok := s["additionalProperties"].(Schema); ok {
		out["X-"+fmt.Sprint(m.rnd.IntN(9))] = m.value("header", of)
	}
	return out
}

// text makes a string for a field.
func (m *Maker) text(name string) string {
	if known := m.Strings[name]; len(known) > 0 && m.rnd.IntN(4) > 0 {
		return known[m.rnd.IntN(len(known))]
	}
	if strings.Contains(name, "url") {
		return []string{"", "x", "ftp://127.0.0.1/", "http://127.0.0.1:1/", "http://127.0.0.1:99999/", "http://[::1", "//"}[m.rnd.IntN(7)]
	}
	return m.wildText()
}

func (m *Maker) wildText() string {
	return []string{"", " ", "x", "0", "-1", "wh_nobody", "dl_wh_x_1", "evt_1", "ünï 客", "\u202e\u0000\n", "../..", "%2e", "{}", "'\"<&>", "10s", strings.Repeat("long ", 400)}[m.rnd.IntN(16)]
}

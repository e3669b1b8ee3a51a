package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json and the copy that is served")

// documents are the places of the description: for people, and for the program to serve.
func documents() []string { return []string{"../../../docs/openapi.json", "openapi.json"} }

// TestOpenAPI: docs/openapi.json, and the copy that is served, say what the routes and the types
// say.
//
// Mutation of routes.go: an operation is changed and its description is not.
func TestOpenAPI(t *testing.T) {
	raw, err := plainJSON(describe(t))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	for _, name := range documents() {
		if *update {
			if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what the routes and types say: go test ./cmd/internal/control -run TestOpenAPI -update (%v)", name, err)
		}
	}
}

// describe makes the description of every operation that programs may ask for.
func describe(t *testing.T) object {
	t.Helper()
	s := &schemas{comments: readComments(t, "../../../outbox/api/*.go", "*.go", "request/*.go"),
		named: map[string]object{}, types: map[string]reflect.Type{}, requests: map[string]bool{}}
	server := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()})
	told := descriptions()
	paths := map[string]object{}
	var order []string
	for _, o := range append(server.operations, ofListener()...) {
		d, ok := told[o.pattern]
		if !ok {
			t.Errorf("%s is not described: add it to openapi_operations_test.go", o.pattern)
			continue
		}
		delete(told, o.pattern)
		method, path, _ := strings.Cut(o.pattern, " ")
		if paths[path] == nil {
			order = append(order, path)
		}
		paths[path] = append(paths[path], member{strings.ToLower(method), s.operation(o, d)})
	}
	for pattern := range told {
		t.Errorf("%s is described and not there", pattern)
	}
	var all object
	for _, path := range order {
		all = append(all, member{path, paths[path]})
	}
	s.of(reflect.TypeFor[failure](), nil, false)
	return object{
		{"openapi", "3.1.0"},
		{"info", object{{"title", "waoutbox"}, {"summary", "WhatsApp to webhooks, durably: the HTTP API."}, {"description", introduction}, {"version", strconv.Itoa(api.Version)}}},
		{"servers", []object{{
			{"url", "http://{address}"}, {"description", "The address that `waoutbox serve --http` was given."},
			{"variables", object{{"address", object{{"default", "127.0.0.1:8080"}}}}},
		}}},
		{"security", []object{{{"token", []string{}}}}},
		{"tags", tags()},
		{"paths", all},
		{"components", object{
			{"securitySchemes", object{{"token", object{{"type", "http"}, {"scheme", "bearer"}, {"description", "The text of the file `http-token` in the state directory; `waoutbox http-token` says where it is."}}}}},
			{"responses", failures()},
			{"schemas", sorted(s.named)},
		}},
	}
}

func sorted(named map[string]object) object {
	var o object
	for _, name := range slices.Sorted(maps.Keys(named)) {
		o = append(o, member{name, named[name]})
	}
	return o
}

// operation describes one operation.
func (s *schemas) operation(o operation, d description) object {
	out := object{{"operationId", d.id}, {"summary", d.summary}}.add("description", d.more)
	out = append(out, member{"tags", []string{d.tag}})
	if d.open {
		out = append(out, member{"security", []object{}})
	}
	inPath := request.PathNames(o.pattern)
	inQuery := request.InQuery(o.pattern) || o.pattern == string(routeSendFile)
	var parameters []object
	for _, f := range request.Fields(o.in) {
		where := "query"
		if slices.Contains(inPath, f.Name) {
			where = "path"
		} else if !inQuery || ofAgents(f) {
			continue
		}
		p := s.property(f, o.in, true)
		about := ""
		if last := len(p) - 1; p[last].name == "description" {
			about, p = p[last].value.(string), p[:last]
		}
		parameter := object{{"name", f.Name}, {"in", where}}.add("description", about)
		parameter = append(parameter, member{"required", where == "path" || f.Required}, member{"schema", p})
		parameters = append(parameters, parameter)
	}
	out = out.add("parameters", parameters)
	codes := []int{http.StatusBadRequest}
	if len(inPath) > 0 {
		codes = append(codes, http.StatusNotFound)
	}
	if !request.InQuery(o.pattern) {
		body, more := s.requestBody(o, d, inPath)
		out = out.add("requestBody", body)
		codes = append(codes, more...)
	}
	codes = append(codes, d.codes...)
	codes = append(codes, http.StatusInternalServerError, http.StatusServiceUnavailable)
	if !d.open {
		codes = append(codes, http.StatusUnauthorized)
	}
	slices.Sort(codes)
	responses := object{{"200", s.success(o, d)}}
	for _, code := range slices.Compact(codes) {
		responses = append(responses, member{strconv.Itoa(code), reference("responses", failureName(code))})
	}
	responses = append(responses, member{"default", reference("responses", "Failure")})
	return append(out, member{"responses", responses})
}

// requestBody describes the body of a request, nil when it has none.
func (s *schemas) requestBody(o operation, d description, inPath []string) (object, []int) {
	if o.pattern == string(routeSendFile) {
		file := object{{"schema", object{{"type", "string"}, {"format", "binary"}}}}
		return object{{"description", "The file itself."}, {"required", true}, {"content", object{{"application/octet-stream", file}}}},
			[]int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	}
	fields := request.Fields(o.in)
	if len(fields) == len(inPath) {
		return nil, nil
	}
	required := slices.ContainsFunc(fields, func(f request.Field) bool { return f.Required && !slices.Contains(inPath, f.Name) })
	content := object{{"schema", s.component(o.in, true, inPath...)}}.add("examples", d.examples(d.asked))
	return object{{"required", required}, {"content", object{{"application/json", content}}}},
		[]int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
}

// success describes the response of an operation that was done.
func (s *schemas) success(o operation, d description) object {
	out := object{{"description", d.returns}}
	kind := "application/json"
	var schema object
	switch {
	case d.kind == "":
		schema = s.of(o.out, nil, false)
	case d.kind == "application/x-ndjson":
		kind, schema = d.kind, s.of(o.out, nil, false)
	case d.kind == "*/*":
		kind, schema = d.kind, object{{"type", "string"}, {"format", "binary"}}
		out = append(out, member{"headers", object{{headerMedia, object{
			{"description", "What is known of the file: a MediaInfo as JSON in base64."}, {"schema", object{{"type", "string"}}},
		}}}})
		s.of(reflect.TypeFor[api.MediaInfo](), nil, false)
	case d.kind == "application/json":
		schema = object{{"type", "object"}, {"additionalProperties", true}}
	default:
		kind, schema = d.kind, object{{"type", "string"}}
	}
	content := object{{"schema", schema}}.add("examples", d.examples(d.returned))
	return append(out, member{"content", object{{kind, content}}})
}

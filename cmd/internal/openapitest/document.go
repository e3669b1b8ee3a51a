// Package openapitest reads docs/openapi.json for tests: what operations there are, requests made
// from their schemas, and whether a response is what the document says.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON schema as JSON has it.
type Schema = map[string]any

// Document is a description whose schemas of responses allow no other properties, so that what is
// returned and not described is found.
type Document struct {
	root     Schema
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path string
	Parameters       []Parameter
	Body             Schema // of a JSON body; nil: there is none
	BodyRequired     bool
	File             bool // the body is a file
	responses        Schema
}

// Parameter is one part of the path or of the query.
type Parameter struct {
	Name, In string
	Required bool
	Schema   Schema
}

const resource = "file:///openapi.json"

// Read reads the document at a path.
func Read(path string) (*Document, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	d := &Document{root: v.(Schema), compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	for _, s := range d.at("#/components/schemas") {
		if schema := s.(Schema); schema["properties"] != nil && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
	}
	return d, d.compiler.AddResource(resource, d.root)
}

// at returns what a reference leads to.
func (d *Document) at(ref string) Schema {
	here := d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		here = here[name].(Schema)
	}
	return here
}

// Resolve returns a schema, or the one that it refers to.
func (d *Document) Resolve(s Schema) Schema {
	if ref, ok := s["$ref"].(string); ok {
		return d.at(ref)
	}
	return s
}

// Operations returns every operation, by path and method.
func (d *Document) Operations() []Operation {
	var out []Operation
	paths := d.root["paths"].(Schema)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(Schema)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			o := methods[method].(Schema)
			op := Operation{ID: o["operationId"].(string), Method: strings.ToUpper(method), Path: path, responses: o["responses"].(Schema)}
			list, _ := o["parameters"].([]any)
			for _, p := range list {
				p := p.(Schema)
				required, _ := p["required"].(bool)
				op.Parameters = append(op.Parameters, Parameter{p["name"].(string), p["in"].(string), required, p["schema"].(Schema)})
			}
			if body, ok := o["requestBody"].(Schema); ok {
				op.BodyRequired, _ = body["required"].(bool)
				content := body["content"].(Schema)
				if of, ok := content["application/json"].(Schema); ok {
					op.Body = d.Resolve(of["schema"].(Schema))
				}
				_, op.File = content["application/octet-stream"]
			}
			out = append(out, op)
		}
	}
	return out
}

// Check says what of a response the document does not allow.
func (d *Document) Check(op Operation, status int, contentType string, body []byte) error {
	r, ok := op.responses[strconv.Itoa(status)].(Schema)
	if !ok {
		if status < 400 {
			return fmt.Errorf("%s: there is no response %d", op.ID, status)
		}
		r = op.responses["default"].(Schema)
	}
	content := d.Resolve(r)["content"].(Schema)
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("%s: the response %d has the type %q: %w", op.ID, status, contentType, err)
	}
	of, ok := content[kind].(Schema)
	if !ok {
		of, ok = content["*/*"].(Schema)
	}
	if !ok {
		return fmt.Errorf("%s: the response %d has the type %s, described are %q", op.ID, status, kind, slices.Collect(maps.Keys(content)))
	}
	switch kind {
	case "application/json":
		return d.validate(op, status, of["schema"].(Schema), body)
	case "application/x-ndjson":
		for line := range bytes.Lines(body) {
			if err := d.validate(op, status, of["schema"].(Schema), line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Document) validate(op Operation, status int, s Schema, body []byte) error {
	ref, ok := s["$ref"].(string)
	if !ok {
		return nil // any object
	}
	schema := d.compiled[ref]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(resource + ref); err != nil {
			return err
		}
		d.compiled[ref] = schema
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		return fmt.Errorf("%s: the response %d is not as described: %w\n%.2000s", op.ID, status, err, body)
	}
	return nil
}

// Failure is what every response that is no success holds.
type Failure struct {
	Error struct{ Code, Message, Field string }
}

// FailureOf returns the failure in a body.
func FailureOf(body []byte) (f Failure, err error) {
	err = json.Unmarshal(body, &f)
	return f, err
}

// Success reports whether a status is one.
func Success(status int) bool { return status >= http.StatusOK && status < http.StatusMultipleChoices }

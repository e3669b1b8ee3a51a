package openapitest

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const document = "../../../docs/openapi.json"

// read returns a JSON file.
func read(t *testing.T, path string) any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// TestDocumentIsOpenAPI: it is what the OpenAPI Initiative's own schema of version 3.1 wants, and
// each schema in it is one of JSON Schema's dialect of 2020-12.
func TestDocumentIsOpenAPI(t *testing.T) {
	c := jsonschema.NewCompiler()
	const oas = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	if err := c.AddResource(oas, read(t, "testdata/oas-3.1-schema.json")); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(oas)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(read(t, document)); err != nil {
		t.Error(err)
	}
	doc := read(t, document).(Schema)
	doc["openapi"] = "3"
	delete(doc, "paths")
	if schema.Validate(doc) == nil {
		t.Error("a document of another version without paths passes")
	}

	d, err := Read(document)
	if err != nil {
		t.Fatal(err)
	}
	for name := range d.at("#/components/schemas") {
		if _, err := d.compiler.Compile(resource + "#/components/schemas/" + name); err != nil {
			t.Error(err)
		}
	}
}

// TestSchemasAreSingleTyped: generators make the best of schemas with one type, without unions.
func TestSchemasAreSingleTyped(t *testing.T) {
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(where, e)
			}
		case Schema:
			if kind, ok := v["type"]; ok {
				if _, single := kind.(string); !single {
					if _, named := kind.(Schema); !named { // a property called type
						t.Errorf("%s has the type %v", where, kind)
					}
				}
			}
			for name, e := range v {
				if name == "anyOf" || name == "oneOf" || name == "allOf" || name == "nullable" {
					t.Errorf("%s has %s", where, name)
				}
				walk(where+"/"+name, e)
			}
		}
	}
	walk("", read(t, document).(Schema)["components"])
	walk("", read(t, document).(Schema)["paths"])
}

// TestOperationsAreNamed: each once.
func TestOperationsAreNamed(t *testing.T) {
	d, err := Read(document)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, op := range d.Operations() {
		if op.ID == "" || seen[op.ID] {
			t.Errorf("%s %s has the id %q", op.Method, op.Path, op.ID)
		}
		seen[op.ID] = true
	}
	if len(seen) < 35 {
		t.Errorf("%d operations", len(seen))
	}
}

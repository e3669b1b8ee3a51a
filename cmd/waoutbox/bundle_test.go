package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// bundleDir has what the MCP bundle and server.json are made of.
const bundleDir = repository + "/.ci/mcpb"

// publishedSchema is a schema that others published, and the copy of it.
func publishedSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(bundleDir, "schemas", name))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// filled is a file of bundleDir with what .ci/mcpb/run fills in.
func filled(t *testing.T, name string, fill func(document map[string]any)) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(bundleDir, name))
	if err != nil {
		t.Fatal(err)
	}
	document := map[string]any{}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	fill(document)
	return document
}

// validate checks a document as a reader of its JSON does.
func validate(t *testing.T, schema *jsonschema.Schema, document any) error {
	t.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(plain)
}

// TestServerJSON: what the registry of MCP servers gets is what its published schema asks for,
// which it names.
func TestServerJSON(t *testing.T) {
	t.Parallel()
	schema := publishedSchema(t, "server-2025-12-11.json")
	document := func() map[string]any {
		return filled(t, "server.json", func(d map[string]any) {
			d["version"] = "0.1.0"
			p := d["packages"].([]any)[0].(map[string]any)
			p["identifier"] = strings.ReplaceAll(p["identifier"].(string), "{version}", "0.1.0")
			p["fileSha256"] = strings.Repeat("0f", 32)
		})
	}
	if err := validate(t, schema, document()); err != nil {
		t.Error(err)
	}
	if named := document()["$schema"]; named != schemaID(t, "server-2025-12-11.json") {
		t.Errorf("server.json names the schema %v", named)
	}
	for name, spoil := range map[string]func(d map[string]any){
		"a name without a namespace": func(d map[string]any) { d["name"] = "waoutbox" },
		"a long description":         func(d map[string]any) { d["description"] = strings.Repeat("x", 101) },
		"no version":                 func(d map[string]any) { delete(d, "version") },
		"no hash":                    func(d map[string]any) { d["packages"].([]any)[0].(map[string]any)["fileSha256"] = "0f" },
		"no transport":               func(d map[string]any) { delete(d["packages"].([]any)[0].(map[string]any), "transport") },
	} {
		d := document()
		spoil(d)
		if validate(t, schema, d) == nil {
			t.Errorf("%s is accepted: the schema checks nothing", name)
		}
	}
}

// schemaID is the address at which a schema was published.
func schemaID(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(bundleDir, "schemas", name))
	if err != nil {
		t.Fatal(err)
	}
	var id struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(raw, &id); err != nil {
		t.Fatal(err)
	}
	return id.ID
}

// TestBundleManifest: the manifest of the MCP bundle, with the tools that there are, is what the
// published schema of its version asks for.
func TestBundleManifest(t *testing.T) {
	t.Parallel()
	schema := publishedSchema(t, "manifest-0.3.json")
	document := func() map[string]any {
		return filled(t, "manifest.json", func(d map[string]any) {
			d["version"] = "0.1.0"
			var tools []map[string]string
			for _, tool := range listedTools(t) {
				tools = append(tools, map[string]string{"name": tool.Name, "description": tool.Description})
			}
			d["tools"] = tools
		})
	}
	if err := validate(t, schema, document()); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(d map[string]any){
		"another version of the format": func(d map[string]any) { d["manifest_version"] = "9.9" },
		"no name":                       func(d map[string]any) { delete(d, "name") },
		"an unknown type of server":     func(d map[string]any) { d["server"].(map[string]any)["type"] = "elf" },
		"an unknown member":             func(d map[string]any) { d["secrets"] = true },
	} {
		d := document()
		spoil(d)
		if validate(t, schema, d) == nil {
			t.Errorf("%s is accepted: the schema checks nothing", name)
		}
	}
}

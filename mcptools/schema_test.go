package mcptools

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// toolsListed is how many tools there are.
const toolsListed = 29

var update = flag.Bool("update", false, "rewrite testdata/schema")

// listed are the tools as a client sees them, and the raw list.
func listed(t *testing.T, o Options) (map[string]map[string]any, string) {
	t.Helper()
	s := start(t, o)
	s.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	r := s.response("1")
	var list struct {
		Result struct {
			Tools []map[string]any `json:"tools"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(r.raw), &list); err != nil {
		t.Fatal(err)
	}
	tools := map[string]map[string]any{}
	for _, tool := range list.Result.Tools {
		tools[tool["name"].(string)] = tool
	}
	return tools, r.raw
}

// TestSchemaSnapshots shows in review what agents would see change. Rewrite them with: go test
// ./mcptools -run Snapshots -update
func TestSchemaSnapshots(t *testing.T) {
	tools, _ := listed(t, optionsFor(newFake()))
	dir := filepath.Join("testdata", "schema")
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for name, tool := range tools {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(tool); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".json")
		want = append(want, path)
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; run the test with -update", err)
		} else if !bytes.Equal(bytes.ReplaceAll(stored, []byte("\r\n"), []byte("\n")), b.Bytes()) {
			t.Errorf("%s is not what is listed; look at it and run with -update:\n%s", path, b.Bytes())
		}
	}
	have, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("snapshots %v, tools %v", have, want)
	}
}

func TestHintsAndTitles(t *testing.T) {
	tools, _ := listed(t, optionsFor(newFake()))
	// title, then readOnly destructive idempotent openWorld
	for name, want := range map[string]string{
		"whatsapp_webhook_register":   "Register webhook FTTT",
		"whatsapp_webhook_unregister": "Remove webhook FTTF",
		"whatsapp_webhook_list":       "List webhooks TFTF",
		"whatsapp_webhook_test":       "Test webhook FFFT",
		"whatsapp_connection_status":  "Connection status TFTF",
		"whatsapp_get_qr_code":        "Pair with QR code FFFT",

		"whatsapp_request_pairing_code": "Pair with phone code FFFT",
		"whatsapp_connect":              "Connect FFTT",
		"whatsapp_disconnect":           "Disconnect FTTT",
		"whatsapp_webhook_pause":        "Pause webhook FFTF",
		"whatsapp_webhook_resume":       "Resume webhook FFTT",
		"whatsapp_event_list":           "List events TFTF",
		"whatsapp_event_show":           "Show event TFTF",
		"whatsapp_wait_for_events":      "Wait for events TFTF",
		"whatsapp_dead_letter_purge":    "Discard failed deliveries FTTF",
		"whatsapp_group_list":           "List groups TFTF",
		"whatsapp_send_location":        "Send location FTFT",
		"whatsapp_send_contact":         "Send contact FTFT",
		"whatsapp_edit_message":         "Edit own message FTTT",
		"whatsapp_delete_message":       "Delete own message FTTT",
		"whatsapp_send_text":            "Send text FTFT",
		"whatsapp_send_reaction":        "React FTTT",
		"whatsapp_find_recipient":       "Find contact or group TFTF",
		"whatsapp_read_messages":        "Mark as read FFTT",
		"whatsapp_subscribe_presence":   "Watch presence FFTT",
		"whatsapp_dead_letter_list":     "List failed deliveries TFTF",
		"whatsapp_dead_letter_replay":   "Retry failed deliveries FFFT",
		"whatsapp_send_media":           "Send media FTFT",
		"whatsapp_download_media":       "Download media FFTT",
	} {
		tool := tools[name]
		if tool == nil {
			t.Errorf("%s is not listed", name)
			continue
		}
		annotations := tool["annotations"].(map[string]any)
		got := fmt.Sprint(tool["title"], " ")
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
			set, ok := annotations[hint].(bool)
			if !ok {
				t.Errorf("%s lacks %s", name, hint)
			}
			got += strings.ToUpper(fmt.Sprint(set)[:1])
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(tools) != toolsListed {
		t.Errorf("%d tools are listed, want %d", len(tools), toolsListed)
	}
}

// TestSchemaDialect keeps the schemas within what every known client understands.
func TestSchemaDialect(t *testing.T) {
	tools, raw := listed(t, optionsFor(newFake()))
	if strings.Contains(raw, "null") {
		t.Errorf("the list holds null: %s", raw)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		schema, ok := v.(map[string]any)
		if !ok {
			t.Errorf("%s is no object", path)
			return
		}
		kind, ok := schema["type"].(string)
		if !ok {
			t.Errorf("%s has the type %v, want a single one", path, schema["type"])
		}
		switch kind {
		case "object":
			if schema["additionalProperties"] != false {
				t.Errorf("%s allows more properties", path)
			}
			properties, _ := schema["properties"].(map[string]any)
			required, _ := schema["required"].([]any)
			for _, name := range required {
				if properties[name.(string)] == nil {
					t.Errorf("%s requires %v, which it lacks", path, name)
				}
			}
			for name, p := range properties {
				walk(path+"."+name, p)
			}
		case "array":
			walk(path+"[]", schema["items"])
		case "string", "boolean", "integer", "number":
		default:
			t.Errorf("%s has the type %q", path, kind)
		}
	}
	for name, tool := range tools {
		walk(name+" input", tool["inputSchema"])
		walk(name+" output", tool["outputSchema"])
		properties, _ := tool["inputSchema"].(map[string]any)["properties"].(map[string]any)
		for arg, p := range properties {
			if d, _ := p.(map[string]any)["description"].(string); d == "" || strings.HasSuffix(d, ".") {
				t.Errorf("the argument %s of %s needs a description without a full stop: %q", arg, name, d)
			}
		}
	}
}

// What the tools cost an agent before the first call. A byte is about a quarter of a token.
func TestSizeBudget(t *testing.T) {
	tools, raw := listed(t, optionsFor(newFake()))
	if n := len(raw); n > 34_000 {
		t.Errorf("tools/list is %d bytes, at most 34000", n)
	}
	input := 0
	for name, tool := range tools {
		schema, err := jsonText(tool["inputSchema"])
		if err != nil {
			t.Fatal(err)
		}
		description := tool["description"].(string)
		if inner := strings.TrimSuffix(description, "."); inner == description || strings.ContainsAny(inner, "!?;\n") || strings.Contains(inner, ". ") {
			t.Errorf("the description of %s is not one sentence: %q", name, description)
		}
		if len(description) > 250 {
			t.Errorf("the description of %s has %d bytes, at most 250", name, len(description))
		}
		input += len(name) + len(description) + len(schema)
	}
	if input > 15_000 {
		t.Errorf("names, descriptions and inputs are %d bytes, at most 15000", input)
	}
	t.Logf("tools/list %d bytes, of which %d name, description and input", len(raw), input)
	for _, text := range []string{instructions, readOnlyInstructions} {
		if n := len([]rune(text)); n > 500 {
			t.Errorf("instructions of %d characters, at most 500", n)
		}
	}
}

// outputs validates structured results against what the tools declare.
type outputs map[string]*jsonschema.Schema

func compileOutputs(t *testing.T) outputs {
	t.Helper()
	out := outputs{}
	for _, tool := range New(optionsFor(newFake())).tools() {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(tool.output))
		if err != nil {
			t.Fatalf("%s: %v", tool.name, err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(tool.name, doc); err != nil {
			t.Fatalf("%s: %v", tool.name, err)
		}
		if out[tool.name], err = c.Compile(tool.name); err != nil {
			t.Fatalf("%s: %v", tool.name, err)
		}
	}
	return out
}

func (o outputs) check(t *testing.T, tool string, structured []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(structured))
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if err := o[tool].Validate(v); err != nil {
		t.Errorf("%s returned what its output schema forbids: %v\n%s", tool, err, structured)
	}
}

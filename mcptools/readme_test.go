package mcptools

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestREADMEHasTheTools: the README's table of tools is made of the tools. Rewrite it with: go test
// ./mcptools -run README -update
func TestREADMEHasTheTools(t *testing.T) {
	path := filepath.Join("..", "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	const begin, end = "<!-- tools: written by go test ./mcptools -run README -update -->\n", "<!-- end of tools -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the tools between %q and %q", path, begin, end)
	}
	want := before + begin + toolTable(t) + end + after
	if text == want {
		return
	}
	if !*update {
		t.Fatal("the table of tools in README.md is not what is listed: run the test with -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// toolTable is what the README says of the tools.
func toolTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| tool | does | arguments | |\n|---|---|---|---|\n")
	for _, tool := range New(optionsFor(newFake())).tools() {
		var input struct {
			Required   []string
			Properties json.RawMessage
		}
		if err := json.Unmarshal([]byte(tool.input), &input); err != nil {
			t.Fatal(err)
		}
		var arguments []string
		for _, name := range inOrder(t, input.Properties) {
			shown := "`" + name + "`"
			if !strings.Contains(" "+strings.Join(input.Required, " ")+" ", " "+name+" ") {
				shown += "?"
			}
			arguments = append(arguments, shown)
		}
		kind := "changes"
		switch {
		case tool.hints.readOnly:
			kind = "*reads*"
		case tool.hints.destructive:
			kind = "**destructive**"
		}
		does, _, _ := strings.Cut(tool.description, ". ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", tool.name, strings.TrimSuffix(does, "."), strings.Join(arguments, ", "), kind)
	}
	return b.String() + "\n"
}

// inOrder are the members of a JSON object in the order in which they are written.
func inOrder(t *testing.T, object json.RawMessage) (names []string) {
	t.Helper()
	if len(object) == 0 {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

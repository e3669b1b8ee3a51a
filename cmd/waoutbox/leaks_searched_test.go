package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// notSearched are commands whose output TestNothingLeaks does not look at, and why.
var notSearched = map[string]string{
	"start": "what it prints is searched as the log of serve", "restart": "as start", "stop": "it says that it stopped", "serve": "its log is searched",
	"service": "help", "service install": "it would change this machine", "service uninstall": "it would change this machine", "demo": "a state of its own, which is removed",
	"listen": "it is there to print messages", "completion": "a script for a shell", "http-token rotate": "the token, which it is there to print",
	"media": "help", "contact": "help", "disconnect": "as connect", "unpair": "as connect", "mcp": "its tools are searched",
}

// TestEveryOutputIsSearchedForLeaks: TestNothingLeaks of cmd/internal/e2e, which has a run with
// tokens in queries of URLs, header values, secrets, names, numbers and texts, looks at what every
// command, tool and route for reading shows, or it stands above why not.
func TestEveryOutputIsSearchedForLeaks(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	search := string(read("cmd/internal/e2e/leak_test.go"))
	want := func(what string, forms ...string) {
		for _, f := range forms {
			if strings.Contains(search, f) {
				return
			}
		}
		t.Errorf("TestNothingLeaks does not look at what %s shows", what)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "waoutbox"), " ")
		if path != "" && cmd.Runnable() && !cmd.Hidden && notSearched[path] == "" {
			want("waoutbox "+path, `"`+path+`"`, `"`+path+" ", `"`+strings.Join(strings.Fields(path), `", "`)+`"`)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(hintsRoot())

	tools, err := filepath.Glob(filepath.Join(repository, "mcptools/testdata/schema/*.json"))
	if err != nil || len(tools) < 20 {
		t.Fatalf("%d tools, %v", len(tools), err)
	}
	for _, file := range tools {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		want("the tool "+name, `"`+name+`"`)
	}

	var routes struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(read("docs/openapi.json"), &routes); err != nil || len(routes.Paths) < 20 {
		t.Fatalf("%d paths, %v", len(routes.Paths), err)
	}
	for path, methods := range routes.Paths {
		if methods["get"] == nil {
			continue
		}
		before, after, id := strings.Cut(path, "{")
		if _, rest, _ := strings.Cut(after, "}"); id {
			want("GET "+path, `"`+before+`" + hook.ID`+map[bool]string{true: `: `}[rest == ""], `"`+before+`" + dead.ID + "`+rest, `"`+before+"1"+rest+`"`, `"`+strings.TrimPrefix(before, "/v1/dead-letters/")+`deadletters/" + `)
			continue
		}
		want("GET "+path, `"`+path+`"`, `"`+path+"?")
	}
}

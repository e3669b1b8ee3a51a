package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waoutbox/mcptools"
	"waoutbox/outbox/api/wording"
)

// sentencesOf are the directories whose sentences reach agents and programs.
var sentencesOf = []string{
	"cmd/internal/admin", "cmd/internal/attach", "cmd/internal/config", "cmd/internal/control", "cmd/internal/explain", "cmd/internal/hosts",
	"cmd/internal/httpserver", "connection", "dispatcher", "outbox", "store",
}

// TestSentencesNameKnownCommands: a command that a sentence of the service names is in the one list
// of what agents and programs do instead, or among those that are its owner's alone.
func TestSentencesNameKnownCommands(t *testing.T) {
	t.Parallel()
	first := map[string]bool{}
	for _, c := range hintsRoot().Commands() {
		first[c.Name()] = true
	}
	named := regexp.MustCompile(`waoutbox ([a-z][a-z-]*)(?: [a-z-]+)*`)
	seen := 0
	check := func(at token.Position, line string) {
		seen++
		owner := slices.ContainsFunc(wording.Owners(), func(c string) bool { return line == "waoutbox "+c || strings.HasPrefix(line, "waoutbox "+c+" ") })
		if !owner && wording.ForPrograms(line) == line && wording.ForAgents(line, func(string) bool { return true }) == line {
			t.Errorf("%s: %q is in neither list of outbox/api/wording/ways.go", at, line)
		}
	}
	for _, name := range repositoryFiles(t, ".go") {
		within := slices.ContainsFunc(sentencesOf, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
		if !within || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "wording/") || strings.Contains(name, "wasim/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(repository, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, _ := strconv.Unquote(n.Value)
				for _, m := range named.FindAllStringSubmatch(text, -1) {
					if n.Kind == token.STRING && first[m[1]] {
						check(fset.Position(n.Pos()), m[0])
					}
				}
			case *ast.CallExpr:
				if line, ok := commandOfCall(n); ok {
					check(fset.Position(n.Pos()), line)
				}
			}
			return true
		})
	}
	if seen < 60 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestTextsCallItTheService: the process that runs is "the service" in every text that people read.
// Before, `status` and errors called it the daemon, too.
func TestTextsCallItTheService(t *testing.T) {
	t.Parallel()
	other := regexp.MustCompile(`(?i)(?:^|[\s(])daemon(?:$|[\s.,;:)])`)
	for _, name := range repositoryFiles(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && other.MatchString(strings.Trim(lit.Value, "`\"")) {
				t.Errorf("%s says %s", name, lit.Value)
			}
			return true
		})
	}
}

// commandOfCall is the command line that a call makes, with wh_1 for what is known at run time.
func commandOfCall(call *ast.CallExpr) (line string, ok bool) {
	var name string
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	args := call.Args
	switch {
	case name == "Command" && len(args) > 1, name == "command" && len(args) == 2 && isIdent(args[0], "path"):
		args = args[1:]
	case name != "command" || len(args) == 0:
		return "", false
	}
	words := []string{"waoutbox"}
	for i, a := range args {
		lit, literal := a.(*ast.BasicLit)
		switch {
		case literal && lit.Kind == token.STRING:
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				return "", false
			}
			words = append(words, text)
		case i == 0: // what is written elsewhere
			return "", false
		default:
			words = append(words, "wh_1")
		}
	}
	return strings.Join(words, " "), true
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// TestWaysAreThere: what an agent or a program is told to do instead of a command exists, and so
// does the command.
func TestWaysAreThere(t *testing.T) {
	t.Parallel()
	tools := map[string]map[string]any{}
	for _, tool := range listedTools(t) {
		tools[tool.Name] = tool.InputSchema.Properties
	}
	raw, err := os.ReadFile(filepath.Join(repository, "docs", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(raw, &description); err != nil {
		t.Fatal(err)
	}
	root := hintsRoot()
	for _, w := range wording.Ways() {
		command, _, _ := strings.Cut(w.Command, " --")
		if found, _, err := root.Find(strings.Fields(command)); err != nil || found == root || !strings.HasSuffix(found.CommandPath(), command) {
			t.Errorf("there is no command %q: %v", w.Command, err)
		} else if _, flag, ok := strings.Cut(w.Command, " --"); ok && found.Flags().Lookup(flag) == nil {
			t.Errorf("there is no flag of %q", w.Command)
		} else {
			for _, names := range []map[string]string{w.Arguments, w.Fields} {
				for flag := range names {
					if flag != "" && found.Flags().Lookup(strings.TrimPrefix(flag, "--")) == nil {
						t.Errorf("%q has no flag %s", w.Command, flag)
					}
				}
			}
		}
		if name, _, _ := strings.Cut(w.Tool, " "); name != "" {
			if tools[name] == nil && name != "whatsapp_connection_status" && name != "whatsapp_connect" && name != "whatsapp_webhook_list" {
				t.Errorf("%q: there is no tool %s with arguments", w.Command, name)
			}
			for _, argument := range w.Arguments {
				if argument, _, _ = strings.Cut(argument, " "); argument != "" && tools[name][argument] == nil {
					t.Errorf("%q: the tool %s has no argument %s", w.Command, name, argument)
				}
			}
		}
		if w.Route == "" {
			continue
		}
		parts := strings.Fields(w.Route)
		operation := string(description.Paths[parts[1]][strings.ToLower(parts[0])])
		if operation == "" {
			t.Errorf("%q: there is no %s", w.Command, w.Route)
		}
		if _, schema, ok := strings.Cut(operation, `"#/components/schemas/`); ok && parts[0] == "POST" {
			schema, _, _ = strings.Cut(schema, `"`)
			operation += string(description.Components.Schemas[schema])
		}
		for _, field := range w.Fields {
			if field, _, _ = strings.Cut(field, " "); !strings.Contains(operation, `"`+field+`"`) {
				t.Errorf("%q: %s has no field %s", w.Command, w.Route, field)
			}
		}
	}
}

type listedTool struct {
	Name, Description string
	InputSchema       struct{ Properties map[string]any }
}

// listedTools are the tools as a client sees them.
func listedTools(t *testing.T) []listedTool {
	t.Helper()
	in := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}` + "\n")
	var out bytes.Buffer
	if err := mcptools.New(mcptools.Options{Version: "0", Events: eventNames()}).ServeStdio(t.Context(), in, &out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		var r struct {
			ID     int
			Result struct{ Tools []listedTool }
		}
		if json.Unmarshal([]byte(line), &r) == nil && r.ID == 2 {
			return r.Result.Tools
		}
	}
	t.Fatalf("no list of tools in %s", out.String())
	return nil
}

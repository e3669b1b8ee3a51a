package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestJSONDocument holds docs/JSON.md, which is written from the types of what is printed, and
// that every command is in it. cmd/internal/e2e compares it with what the program prints.
func TestJSONDocument(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, o := range jsonOutputs() {
		command, _, _ := strings.Cut(o.command, " --")
		named[command] = true
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "waoutbox"), " ")
		group := cmd.HasSubCommands() && !named[path] // alone it shows its help
		if path != "" && !group && !named[path] && noJSON[path] == "" && !slices.Contains(likeText, path) {
			t.Errorf("what %q prints with --json stands nowhere", path)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(hintsRoot())

	path := filepath.Join(repository, "docs", "JSON.md")
	got := writeJSONDocument(readStructs(t, "*.go", "../../outbox/api/*.go", "../internal/demo/*.go"))
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/JSON.md is not what the types say; if that is wanted, run the test with -update")
	}
}

const jsonIntroduction = `# The JSON of the commands

Written from the program's types by ` + "`go test ./cmd/waoutbox -run JSONDocument -update`" + `; a test compares it with what each command prints.

- With ` + "`--json`" + ` every command prints JSON: one object a line. A list is any number of such lines (NDJSON), none where it is empty, and streams:
  ` + "`waoutbox deadletter list --json | jq -r .id`" + `.
- ` + "`metrics`, `completion`" + ` and ` + "`man`" + ` have a format of their own, and refuse ` + "`--json`" + ` (exit 2).
- On stderr there is nothing, or one line ` + "`" + `{"error":{"code","message"}}` + "`" + ` with an exit code that is not 0: 1 failed, 2 what was typed is wrong, 3 no
  daemon runs or responds. Branch on the code, never on the message.
- Times are RFC 3339 in UTC. What may be absent is left out, never null. Characters that a terminal would obey are escaped.
- Fields may be added, never renamed, and none changes its type. Programs ignore those they do not know.
- Nothing asks: what is destructive needs ` + "`--yes`" + `. Secrets are shown once, by the command that makes them, and nowhere else.

The same shapes, as JSON Schema, are those of the HTTP API in [openapi.json](openapi.json).

| command | prints | |
|---|---|---|
`

// writeJSONDocument renders the commands and the shapes.
func writeJSONDocument(structs map[string]structComments) []byte {
	var b bytes.Buffer
	b.WriteString(jsonIntroduction)
	shapes := map[string]reflect.Type{}
	link := func(t reflect.Type) string {
		name := shapeName(t)
		shapes[name] = t
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	for _, o := range jsonOutputs() {
		var links []string
		for _, v := range o.of {
			links = append(links, link(reflect.TypeOf(v)))
		}
		prints := strings.Join(links, ", then ")
		if o.lines && len(o.of) == 1 {
			prints = "lines of " + prints
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.command, prints, o.note)
	}
	b.WriteString("\n## Shapes\n")
	done := map[string]bool{}
	for len(done) < len(shapes) {
		names := make([]string, 0, len(shapes))
		for name := range shapes {
			if !done[name] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		name := names[0]
		done[name] = true
		fmt.Fprintf(&b, "\n### %s\n\n| field | | |\n|---|---|---|\n", name)
		for _, f := range shapeFields(shapes[name]) {
			what := typeText(f.of, link)
			if f.optional {
				what += ", may be absent"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, what, structs[f.owner].fields[f.goName])
		}
	}
	return sortShapes(b.Bytes())
}

// sortShapes puts the shapes in the order of their names: one may name another that comes before.
func sortShapes(doc []byte) []byte {
	head, rest, _ := strings.Cut(string(doc), "\n### ")
	shapes := strings.Split(rest, "\n### ")
	slices.Sort(shapes)
	return []byte(head + "\n### " + strings.Join(shapes, "\n### "))
}

func shapeName(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "Line")
	name = cmp.Or(map[string]string{"Summary": "DemoSummary", "Status": "Status", "restarted": "Restarted"}[t.Name()], name)
	return strings.ToUpper(name[:1]) + name[1:]
}

// shapeField is one field of an object.
type shapeField struct {
	name, goName, owner string
	of                  reflect.Type
	optional            bool
}

// shapeFields are the fields of a struct as JSON has them, embedded ones too.
func shapeFields(t reflect.Type) (all []shapeField) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			all = append(all, shapeFields(f.Type)...)
		case tag != "" && tag != "-":
			all = append(all, shapeField{tag, f.Name, t.Name(), f.Type, strings.Contains(options, "omit")})
		}
	}
	return all
}

// typeText says what a field holds.
func typeText(t reflect.Type, link func(reflect.Type) string) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[json.RawMessage]():
		return "any JSON"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem(), link)
	case reflect.Slice:
		return "list of " + typeText(t.Elem(), link)
	case reflect.Struct:
		return link(t)
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Map:
		return "object"
	}
	return "number"
}

// structComments are the comments of a struct's fields.
type structComments struct{ fields map[string]string }

// readStructs reads the comments of the structs of some sources.
func readStructs(t *testing.T, patterns ...string) map[string]structComments {
	t.Helper()
	all := map[string]structComments{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				if body, ok := spec.Type.(*ast.StructType); ok {
					all[spec.Name.Name] = structComments{fieldComments(body)}
				}
				return true
			})
		}
	}
	return all
}

func fieldComments(body *ast.StructType) map[string]string {
	fields := map[string]string{}
	for _, f := range body.Fields.List {
		text := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
		for _, name := range f.Names {
			fields[name.Name] = strings.ReplaceAll(text, "|", `\|`)
		}
	}
	return fields
}

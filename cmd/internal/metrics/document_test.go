package metrics

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

const (
	document   = "../../../docs/METRICS.md"
	tableBegin = "<!-- metrics -->\n"
	tableEnd   = "<!-- /metrics -->"
)

var update = flag.Bool("update", false, "rewrite the table in docs/METRICS.md")

func readDocument(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// TestDocument: docs/METRICS.md has every metric with its type, labels and meaning.
func TestDocument(t *testing.T) {
	text := readDocument(t)
	before, rest, ok := strings.Cut(text, tableBegin)
	have, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	var want strings.Builder
	want.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range descriptions() {
		labels := ""
		if len(d.labels) > 0 {
			labels = "`" + strings.Join(d.labels, "`, `") + "`"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", d.name, d.kind, labels, d.help)
	}
	if have == want.String() {
		return
	}
	if !*update {
		t.Errorf("%s has\n%s\nwant\n%s\nrun: go test ./cmd/internal/metrics -update", document, have, want.String())
		return
	}
	if err := os.WriteFile(document, []byte(before+tableBegin+want.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAlarmCodes: docs/OPERATIONS.md explains every alarm, and the list has every code that the
// sources raise.
func TestAlarmCodes(t *testing.T) {
	var explained []string
	operations, err := os.ReadFile("../../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(operations), "## Alarms")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(table, -1) {
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			explained = append(explained, m[1])
		}
	}
	slices.Sort(explained)
	if !slices.Equal(explained, api.AlarmCodes()) {
		t.Errorf("docs/OPERATIONS.md explains %q, api.AlarmCodes has %q", explained, api.AlarmCodes())
	}
	raised := alarmCodes(t, "../../..")
	if len(raised) < 30 {
		t.Errorf("only %d codes were found in the sources: %q", len(raised), raised)
	}
	if !slices.Equal(raised, api.AlarmCodes()) {
		t.Errorf("the sources raise %q, api.AlarmCodes has %q", raised, api.AlarmCodes())
	}
}

// alarmCodes returns the codes in the sources below root, sorted: of literals of api.Alarm, of
// constants named alarm… or Alarm…, of the outbox's faults, and of the key file.
func alarmCodes(t *testing.T, root string) (codes []string) {
	t.Helper()
	add := func(prefix string, e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && text != "outbox_" {
			codes = append(codes, prefix+text)
		}
	}
	visit := func(path string) error {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" && !strings.Contains(filepath.ToSlash(path), "/control/") {
					add("", n.Value)
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					switch {
					case i >= len(n.Values):
					case strings.HasPrefix(strings.ToLower(name.Name), "alarm"):
						add("", n.Values[i])
					case strings.HasPrefix(name.Name, "Fault") && strings.HasSuffix(filepath.ToSlash(path), "outbox/stats.go"):
						add("outbox_", n.Values[i])
					}
				}
			case *ast.AssignStmt:
				if name, ok := n.Lhs[0].(*ast.Ident); ok && name.Name == "code" && strings.HasSuffix(path, "keyring.go") {
					add("", n.Rhs[0])
				}
			}
			return true
		})
		return nil
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return visit(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

package main

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDependenciesNameTheirImporters: of each module in the program docs/DEPENDENCIES.md names the
// packages that import it, or one above them, and no other. Before, four rows were wrong.
func TestDependenciesNameTheirImporters(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join(repository, "docs/DEPENDENCIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	importers := map[string]map[string]bool{} // by what is imported
	for _, name := range repositoryFiles(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if importers[imported] == nil {
				importers[imported] = map[string]bool{}
			}
			importers[imported][path.Dir(name)] = true
		}
	}
	below := func(dir, above string) bool { return dir == above || strings.HasPrefix(dir, above+"/") }
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	section, _, _ := strings.Cut(string(doc), "\n## For tests")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|[^|]*\\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
		rows++
		users := map[string]bool{}
		for _, m := range quoted.FindAllStringSubmatch(row[1], -1) {
			for imported, dirs := range importers {
				if below(imported, m[1]) {
					maps.Copy(users, dirs)
				}
			}
		}
		var named []string
		for _, m := range quoted.FindAllStringSubmatch(row[2], -1) {
			named = append(named, m[1])
			if !slices.ContainsFunc(slices.Collect(maps.Keys(users)), func(dir string) bool { return below(dir, m[1]) }) {
				t.Errorf("%s is not imported by %s", row[1], m[1])
			}
		}
		for dir := range users {
			if !slices.ContainsFunc(named, func(above string) bool { return below(dir, above) }) {
				t.Errorf("%s is imported by %s too", row[1], dir)
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d modules were found", rows)
	}
}

package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"waoutbox/connection/translate"
)

// repository is the root of the tree, seen from this package.
const repository = "../.."

const (
	// commentWidth is the last column of a comment; a tab counts four.
	commentWidth = 100
	// packageFiles is how many files, tests left out, a package has before it is two packages.
	packageFiles = 18
)

// largePackages may have more files than packageFiles, each for its reason.
var largePackages = map[string]string{
	"cmd/internal/admin":   "the operations of one method set over one state: a family of them a file",
	"cmd/internal/page":    "one page, one file, beside what all of them share",
	"cmd/waoutbox":         "one command, one file: the file's name is the command's",
	"cmd/wabench":          "one measurement, one file, and three that differ by system",
	"connection":           "one client of the library, whose session, state and stopping the link, pairing, sending and ingest share",
	"connection/wasim":     "a WhatsApp server in small: one file for each thing the protocol can do; nothing but tests and the demo uses it",
	"connection/translate": "the rules of the events, pure: one file for each kind of thing that is told, over one table",
	"dispatcher":           "one lane's goroutine owns all of its state: a file for each thing that it does",
	"dispatcher/webhook":   "one request and its checks, two files of which differ by system, and what the receivers of leases get instead",
	"outbox/api":           "what is asked for and returned, a file for each family of operations",
	"outbox":               "the words of the seam, a file each, with their encoding",
	"outbox/outboxtest":    "the suite has a file for each group of operations, beside the engine in memory and the slow one",
	"outbox/boltbox":       "the engine with its dedupe index (seen*.go), which works inside the transactions of the appends",
	"store":                "four of its files differ by system and hold a few lines each",
}

// outsideDocuments are names that mean nothing to somebody who has only this repository.
var outsideDocuments = regexp.MustCompile(`\bDESIGN\b|\b(EXAMPLES|ENGINE|WHATSAPP|MCP|CLI)\.md\b|\bEXAMPLES\b|\b[Ii]ssue #?\d`)

// machinePaths are directories of the machine somebody worked on.
var machinePaths = regexp.MustCompile("(^|[\\s\"'(`=])/(work|root|tmp/wt|home/[a-z]+|Users/[A-Za-z]+)/")

// TestComments: a comment ends at column 100, and cites only what is in the repository.
func TestComments(t *testing.T) {
	t.Parallel()
	for _, name := range repositoryFiles(t, ".go") {
		src, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(src), "\n")
		for _, group := range file.Comments {
			if strings.HasPrefix(group.List[0].Text, "// Output:") {
				continue // of an example: as wide as what it prints
			}
			for _, c := range group.List {
				for i, text := range strings.Split(c.Text, "\n") {
					at := fset.Position(c.Pos())
					at.Line += i
					checkComment(t, at, lines[at.Line-1], text)
				}
			}
		}
	}
}

func checkComment(t *testing.T, at token.Position, line, text string) {
	if w := columns(line); w > commentWidth && !unbreakable(text) {
		t.Errorf("%s:%d: the comment ends at column %d, past %d", at.Filename, at.Line, w, commentWidth)
	}
	if m := outsideDocuments.FindString(text); m != "" {
		t.Errorf("%s:%d: the comment cites %q, which is not in this repository", at.Filename, at.Line, m)
	}
	if m := machinePaths.FindString(text); m != "" {
		t.Errorf("%s:%d: the comment names the path %q of some machine", at.Filename, at.Line, m)
	}
}

// columns is the width of a line whose tabs count four.
func columns(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

// unbreakable reports whether a comment line could not be shorter: a directive, or one long word.
func unbreakable(text string) bool {
	words := strings.Fields(strings.TrimPrefix(text, "//"))
	return strings.HasPrefix(text, "//go:") || strings.HasPrefix(text, "//nolint") ||
		len(words) == 1
}

// TestDocuments: what README and docs name in this repository is there, and they name no document
// and no machine outside it.
func TestDocuments(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, name := range repositoryFiles(t, ".md") {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(m[1], "://") && !exists(path.Join(path.Dir(name), m[1])) {
					t.Errorf("%s:%d: the link to %s leads nowhere", name, i+1, m[1])
				}
			}
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				if p, isPath := repositoryPath(m[1]); isPath && !exists(p) {
					t.Errorf("%s:%d: there is no %s", name, i+1, p)
				}
			}
			if m := outsideDocuments.FindString(line); m != "" {
				t.Errorf("%s:%d: %q is not in this repository", name, i+1, m)
			}
			if m := machinePaths.FindString(line); m != "" {
				t.Errorf("%s:%d: names the path %q of some machine", name, i+1, m)
			}
		}
	}
}

// repositoryPath takes what a document quotes for a path, if it begins like one of ours. It may end
// in a star.
func repositoryPath(text string) (string, bool) {
	if strings.ContainsAny(text, " {}<>…:") {
		return "", false
	}
	top, rest, _ := strings.Cut(text, "/")
	switch top {
	case "cmd", "connection", "dispatcher", "docs", "mcptools", "outbox", "store", ".ci", ".github":
		return strings.TrimSuffix(text, "/"), rest != ""
	}
	return "", false
}

// exists reports whether a path of the repository is there; stars match as in a shell.
func exists(name string) bool {
	found, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(name)))
	return err == nil && len(found) > 0
}

// TestLeaks: every package that has tests looks for goroutines that are left behind. One without
// tests of its own is looked at by those of its users.
func TestLeaks(t *testing.T) {
	t.Parallel()
	looks := map[string]bool{} // by directory
	for _, name := range repositoryFiles(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(filepath.ToSlash(name))
		looks[dir] = looks[dir] || strings.Contains(string(src), "goleak.")
	}
	for dir, ok := range looks {
		if !ok {
			t.Errorf("no TestMain of %s looks for leaks (goleak.VerifyTestMain)", dir)
		}
	}
}

// TestPackageSizes: a package with many files is several packages, or has a reason.
func TestPackageSizes(t *testing.T) {
	t.Parallel()
	files := map[string]int{}
	for _, name := range repositoryFiles(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") {
			files[path.Dir(name)]++
		}
	}
	for dir, n := range files {
		if n > packageFiles && largePackages[dir] == "" {
			t.Errorf("%s has %d files, tests left out; up to %d is one package", dir, n, packageFiles)
		}
	}
	for dir, reason := range largePackages {
		if files[dir] <= packageFiles {
			t.Errorf("%s has %d files and needs no reason any more (%s)", dir, files[dir], reason)
		}
	}
}

// TestArchitectureNamesEveryPackage: docs/ARCHITECTURE.md has a row for every package, and no
// other, and each row names what the package imports of this project.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(repository, "docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // package → its imports
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z][a-z0-9/]*)` \\|[^|]*\\| *([^|]*?) *\\|$").FindAllStringSubmatch(string(b), -1) {
		rows[m[1]] = m[2]
	}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		got, ok := rows[name]
		delete(rows, name)
		var imports []string
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok {
				imports = append(imports, "`"+own+"`")
			}
		}
		want := strings.Join(imports, ", ")
		switch {
		case !ok:
			t.Errorf("docs/ARCHITECTURE.md has no row for %s", name)
		case got != want && got != "everything":
			t.Errorf("docs/ARCHITECTURE.md: the row of %s ends in\n%s\nand must end in\n%s |", name, got, want)
		}
	}
	for name := range rows {
		t.Errorf("docs/ARCHITECTURE.md has a row for %s, which is no package", name)
	}
}

// repositoryFiles lists the files with an ending, slash-separated and from the root. Directories
// that begin with a dot are left out, and so is testdata.
func repositoryFiles(t *testing.T, ext string) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(repository), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(name) == ext:
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("no %s files below %s", ext, repository)
	}
	return out
}

// TestStyleRules proves that the rules above can be broken.
func TestStyleRules(t *testing.T) {
	t.Parallel()
	for text, bad := range map[string]bool{
		"// see DESIGN section 3": true, "// as ENGINE" + ".md says": true, "// mends issue" + " 12": true, "// an issue of taste": false,
		"// the design of it": false, "// see docs/FORMAT.md": false,
	} {
		if got := outsideDocuments.MatchString(text); got != bad {
			t.Errorf("%q cites something outside: %v, want %v", text, got, bad)
		}
	}
	for text, bad := range map[string]bool{
		"// in |work|main": true, "see `|root|x`": true, "|home|alice|state": true, "// below |var|lib": false, "// outbox|work|x": false,
	} {
		if got := machinePaths.MatchString(strings.ReplaceAll(text, "|", "/")); got != bad {
			t.Errorf("%q names a machine's path: %v, want %v", text, got, bad)
		}
	}
	for text, want := range map[string]string{
		"docs/FORMAT.md": "docs/FORMAT.md", "connection/translate/": "connection/translate", "cmd/waoutbox/cmd_*.go": "cmd/waoutbox/cmd_*.go",
		"store": "", "go test ./store/...": "", "outbox.db": "", "message/received": "",
	} {
		if got, ok := repositoryPath(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q taken for the path %q, %v, want %q", text, got, ok, want)
		}
	}
	if columns("\t\tab") != 10 {
		t.Errorf("a tab does not count four: %d", columns("\t\tab"))
	}
}

// TestDependenciesAreExplained: docs/DEPENDENCIES.md has a row for every module that go.mod
// requires directly, and for no other but those of its tools.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	var docs, mod []byte
	var err error
	if docs, err = os.ReadFile(filepath.Join(repository, "docs/DEPENDENCIES.md")); err != nil {
		t.Fatal(err)
	}
	if mod, err = os.ReadFile(filepath.Join(repository, "go.mod")); err != nil {
		t.Fatal(err)
	}
	explained := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(string(docs), -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			explained[m[1]] = true
		}
	}
	direct := 0
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*([a-z][^\s]*\.[^\s]+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		direct++
		if !explained[m[1]] {
			t.Errorf("docs/DEPENDENCIES.md does not explain %s", m[1])
		}
		delete(explained, m[1])
	}
	if direct < 20 {
		t.Errorf("only %d direct requirements were found in go.mod", direct)
	}
	_, tools, _ := strings.Cut(string(mod), "\ntool (")
	for module := range explained {
		if !strings.Contains(tools, "\t"+module+"/") {
			t.Errorf("docs/DEPENDENCIES.md explains %s, which go.mod does not require", module)
		}
	}
}

// TestREADMEListsEveryEvent: the README's table of events is the catalogue.
func TestREADMEListsEveryEvent(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range translate.Catalog() {
		if !strings.Contains(string(b), "\n| `"+e.Name+"` |") {
			t.Errorf("README.md has no row for %s", e.Name)
		}
	}
}

package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutation is one block of docs/MUTATIONS.md.
type mutation struct {
	what     string // the sentence above it, or above the mutation right before it
	file     string
	before   string // the lines that go
	after    string // those that come instead
	block    string
	command  string
	packages []string
	test     string
}

// TestMutationsNameWhatIsThere: every mutation of docs/MUTATIONS.md names lines that its file has
// exactly once, and a test that is there and whose comment names the mutation; none stands there
// twice. That the test goes red is what `go run ./.ci/mutations` shows, which takes minutes.
func TestMutationsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	all := listedMutations(t)
	if len(all) < 500 {
		t.Fatalf("%d mutations were found", len(all))
	}
	comments := map[string]string{} // package and test → its comment
	read := map[string]bool{}
	for _, m := range all {
		for _, dir := range m.packages {
			if !read[dir] {
				read[dir] = true
				readTestComments(t, dir, comments)
			}
		}
	}
	wanted := map[string][]string{}
	seen := map[string]bool{}
	for _, m := range all {
		source, err := os.ReadFile(filepath.Join(repository, m.file))
		if err != nil {
			t.Errorf("docs/MUTATIONS.md: %v", err)
			continue
		}
		if n := strings.Count(string(source), m.before); m.before == "" || n != 1 {
			t.Errorf("docs/MUTATIONS.md: %s has these lines %d times, want once:\n%s", m.file, n, m.before)
		}
		checkSyntax(t, m, string(source))
		if seen[m.block] {
			t.Errorf("docs/MUTATIONS.md: the mutation of %s stands there twice:\n%s", m.file, m.before)
		} else {
			seen[m.block] = true
		}
		found := false
		for _, dir := range m.packages {
			key := dir + " " + m.test
			if _, ok := comments[key]; ok && !found {
				found = true
				wanted[key] = append(wanted[key], m.name(dir))
			}
		}
		if !found {
			t.Errorf("docs/MUTATIONS.md: there is no %s in %v", m.test, m.packages)
		}
	}
	for key, comment := range comments {
		checkMutationsOfATest(t, key, comment, wanted[key])
	}
}

// checkSyntax wants a Go file that can still be read: a test that does not compile shows nothing.
func checkSyntax(t *testing.T, m mutation, source string) {
	t.Helper()
	if path.Ext(m.file) != ".go" {
		return
	}
	mutated := strings.Replace(source, m.before, m.after, 1)
	if _, err := parser.ParseFile(token.NewFileSet(), m.file, mutated, parser.SkipObjectResolution); err != nil {
		t.Errorf("docs/MUTATIONS.md: with this mutation the file is no Go: %v\n%s", err, m.block)
	}
}

// checkMutationsOfATest wants each mutation that a test catches in its comment, and no other.
func checkMutationsOfATest(t *testing.T, key, comment string, wanted []string) {
	t.Helper()
	text := strings.Join(strings.Fields(strings.ReplaceAll(comment, "\n//", "\n")), " ")
	named := strings.Split(text, "Mutation of ")[1:]
	left := map[string]bool{}
	for _, name := range named {
		left[strings.ToLower("Mutation of "+strings.TrimSpace(name))] = true
	}
	has := len(left)
	for _, name := range wanted {
		if has == 0 || !strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
			t.Errorf("the comment of %s misses, at its end, a line of a mutation that it catches:\n// %s", key, name)
		}
		delete(left, strings.ToLower(name))
	}
	for name := range left {
		t.Errorf("the comment of %s names a mutation that docs/MUTATIONS.md has not, or has in other words: %s", key, name)
	}
}

// name is how the comment of a test in dir names the mutation.
func (m mutation) name(dir string) string {
	file := m.file
	if path.Dir(file) == dir {
		file = path.Base(file)
	}
	what := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m.what, "$1")
	return fmt.Sprintf("Mutation of %s: %s.", file, strings.TrimRight(strings.ReplaceAll(what, "`", ""), ":."))
}

// listedMutations reads docs/MUTATIONS.md.
func listedMutations(t *testing.T) (all []mutation) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, "docs/MUTATIONS.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`^go test((?: \./\S+)+) -run (Test\w+)\$$`)
	what := ""
	for _, paragraph := range strings.Split(string(b), "\n\n") {
		block, ok := strings.CutPrefix(paragraph, "```mutation\n")
		if !ok {
			what = strings.Join(strings.Fields(paragraph), " ")
			continue
		}
		if what == "" || strings.HasPrefix(what, "#") || strings.HasPrefix(what, "```") {
			t.Errorf("docs/MUTATIONS.md: no sentence above this mutation says what it breaks:\n%s", block)
		}
		block, _, _ = strings.Cut(block, "\n```")
		lines := strings.Split(block, "\n")
		m := mutation{what: what, block: block, file: lines[0], command: lines[len(lines)-1]}
		var before, after []string
		for _, line := range lines[1:] {
			if gone, ok := strings.CutPrefix(line, "-"); ok {
				before = append(before, gone)
			}
			if come, ok := strings.CutPrefix(line, "+"); ok {
				after = append(after, come)
			}
		}
		m.before, m.after = strings.Join(before, "\n"), strings.Join(after, "\n")
		parts := command.FindStringSubmatch(m.command)
		if parts == nil {
			t.Errorf("docs/MUTATIONS.md: %q is no go test ./PACKAGE -run NAME$", m.command)
			continue
		}
		for _, dir := range strings.Fields(parts[1]) {
			m.packages = append(m.packages, strings.TrimPrefix(dir, "./"))
		}
		m.test = parts[2]
		all = append(all, m)
	}
	return all
}

// readTestComments adds the comment of each test of a package.
func readTestComments(t *testing.T, dir string, comments map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("docs/MUTATIONS.md: %s has no tests (%v)", dir, err)
	}
	test := regexp.MustCompile(`(?m)((?:^//.*\n)*)^func (Test\w+)\(t \*testing\.T\)`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range test.FindAllStringSubmatch(string(b), -1) {
			comments[dir+" "+m[2]] = m[1]
		}
	}
}

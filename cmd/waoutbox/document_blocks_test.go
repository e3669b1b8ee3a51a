package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// blockRunners are who runs or checks the blocks of a document, by document and language; no
// language is lines for a shell. What begins with "no:" cannot be run, and says why. README.md and
// docs have no block that is not in it.
var blockRunners = map[string]string{
	"* json": "TestDocumentsHaveJSON",

	"README.md json":    "TestREADMEHasASample",
	"README.md js":      "TestREADMEVerifies",
	"README.md python":  "TestREADMEVerifies",
	"README.md go":      "TestREADMEVerifies",
	"README.md ":        "TestDocumentLines",
	"AGENTS.md ":        "TestDocumentLines",
	"HTTP.md ":          "TestDocumentLines",
	"HTTP.md sh":        "TestHTTPExamples",
	"MCP-EVENTS.md ":    "TestDocumentLines",
	"METRICS.md ":       "TestDocumentLines",
	"OPERATIONS.md ":    "TestDocumentLines",
	"REAL-PHONE.md sh":  "TestDocumentLines",
	"RECIPES.md ":       "TestDocumentLines",
	"EVENTS.md json":    "TestDocument",
	"FIRST-RUN.md sh":   ".ci/firstrun/run",
	"METRICS.md yaml":   "TestGrafanaNamesWhatThereIs",
	"RECIPES.md go":     ".ci/recipes/run",
	"RECIPES.md js":     ".ci/recipes/run",
	"RECIPES.md json":   ".ci/recipes/run",
	"RECIPES.md python": ".ci/recipes/run",

	"MCP-EVENTS.md jsonl":   "TestEventLinesByHand",
	"MUTATIONS.md mutation": "TestMutationsNameWhatIsThere",
	"MUTATIONS.md ":         "TestDocumentsSelectTests",
	"STATES.md mermaid":     "TestDiagrams",
	"ARCHITECTURE.md text":  "TestPicturesNamePackages",

	"BENCHMARKS.md ":   "no: they take hours; TestDocumentsSelectTests and cmd/wabench know that what they name is there",
	"CONTRIBUTING.md ": "no: they are the checks themselves; TestDocumentsSelectTests knows that what they name is there",
}

// documentBlock is a fenced block of a document.
type documentBlock struct{ file, language, text string }

func documentBlocks(t *testing.T) (all []documentBlock) {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	for _, name := range slices.DeleteFunc(repositoryFiles(t, ".md"), func(name string) bool {
		return name != "README.md" && !strings.HasPrefix(name, "docs/")
	}) {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(b), -1) {
			all = append(all, documentBlock{filepath.Base(name), m[1], m[2]})
		}
	}
	return all
}

// TestDocumentBlocksHaveARunner: every block of README.md and docs is run or checked by a test or a
// command that is there, or it is said why it cannot be. Before it, a block in a language that
// nobody looked for was checked by nobody.
func TestDocumentBlocksHaveARunner(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, b := range documentBlocks(t) {
		found := false
		for _, key := range []string{b.file + " " + b.language, "* " + b.language} {
			if blockRunners[key] != "" {
				used[key], found = true, true
			}
		}
		if !found {
			t.Errorf("%s: nobody runs this block (%q):\n%.200s", b.file, b.language, b.text)
		}
	}
	var tests strings.Builder
	for _, name := range repositoryFiles(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for key, runner := range blockRunners {
		if !used[key] {
			t.Errorf("there is no block %q", key)
		}
		switch {
		case strings.HasPrefix(runner, "no: "):
		case strings.HasPrefix(runner, "Test"):
			if !strings.Contains(tests.String(), "\nfunc "+runner+"(t *testing.T)") {
				t.Errorf("%q: there is no %s", key, runner)
			}
		case !exists(runner):
			t.Errorf("%q: there is no %s", key, runner)
		}
	}
}

// TestDiagrams: every line of a diagram in docs/STATES.md is one move, and each state is reached.
// That the moves are those of the code is for the tests of the packages that make them.
func TestDiagrams(t *testing.T) {
	t.Parallel()
	move := regexp.MustCompile(`^    (\[\*\]|\w+) --> (\[\*\]|\w+)(: [^:;#]+)?$`)
	diagrams := 0
	for _, b := range documentBlocks(t) {
		if b.language != "mermaid" {
			continue
		}
		diagrams++
		from, to := map[string]bool{}, map[string]bool{"[*]": true}
		first, rest, _ := strings.Cut(b.text, "\n")
		if first != "stateDiagram-v2" {
			t.Errorf("%s: a diagram of another kind: %s", b.file, first)
		}
		for line := range strings.Lines(rest) {
			m := move.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
			if m == nil {
				t.Errorf("%s: %q is no move", b.file, line)
				continue
			}
			from[m[1]], to[m[2]] = true, true
		}
		for state := range from {
			if !to[state] {
				t.Errorf("%s: nothing leads to %s", b.file, state)
			}
		}
	}
	if diagrams < 8 {
		t.Errorf("only %d diagrams were found", diagrams)
	}
}

// TestPicturesNamePackages: the pictures of docs/ARCHITECTURE.md name packages that are there.
func TestPicturesNamePackages(t *testing.T) {
	t.Parallel()
	named := 0
	for _, b := range documentBlocks(t) {
		if b.file != "ARCHITECTURE.md" {
			continue
		}
		for _, name := range regexp.MustCompile(`\b(?:cmd|connection|dispatcher|mcptools|outbox|store)(?:/\w+)*`).FindAllString(b.text, -1) {
			if named++; !exists(name) {
				t.Errorf("there is no %s", name)
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d packages were found in the pictures", named)
	}
}

// TestDocumentSpansNameWhatExists checks what stands in the sentences of the documents: a command
// line takes its flags and arguments, as far as that goes without running it, and what is named
// without the program's name, a command or a flag, is there.
func TestDocumentSpansNameWhatExists(t *testing.T) {
	t.Parallel()
	root := hintsRoot()
	groups := map[string]bool{} // commands that have commands: what follows them is one
	for _, c := range root.Commands() {
		groups[c.Name()] = c.HasSubCommands()
	}
	flags, others := knownFlags(root), map[string]bool{}
	for _, name := range strings.Fields(flagsOfOthers) {
		others[name] = true
	}
	span := regexp.MustCompile("`([^`\n]+)`")
	lines, commands, named := 0, 0, 0
	for _, name := range repositoryFiles(t, ".md") {
		if name == "docs/MUTATIONS.md" || name == "docs/BENCHMARKS.md" || strings.HasPrefix(name, "docs/adr/") {
			continue // they name what is not there any more, and flags of wabench
		}
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range span.FindAllStringSubmatch(fenced.ReplaceAllString(string(b), ""), -1) {
			words := strings.Fields(m[1])
			if rest, ok := strings.CutPrefix(m[1], "waoutbox "); ok && !strings.HasSuffix(rest, "…") {
				lines++
				_, more, err := root.Find(strings.Fields(rest))
				if err == nil && len(more) > 0 { // else it is the command's name
					err = exampleFault(rest)
				}
				if err != nil {
					t.Errorf("%s: `%s`: %v", name, m[1], err)
				}
			}
			if len(words) > 1 && groups[words[0]] && name != "docs/CHANGELOG.md" && word.MatchString(words[1]) {
				commands++
				if fault := commandFault(root, m[1]); fault != "" {
					t.Errorf("%s: `%s`: %s", name, m[1], fault)
				}
			}
			for _, f := range flagName.FindAllStringSubmatch(m[1], -1) {
				if named++; !flags[f[1]] && !others[f[1]] {
					t.Errorf("%s: `%s`: no command has the flag --%s", name, m[1], f[1])
				}
			}
		}
	}
	t.Logf("%d command lines, %d commands, %d flags", lines, commands, named)
	if lines < 100 || commands < 40 || named < 100 {
		t.Errorf("only %d command lines, %d commands and %d flags were found: they are no longer seen", lines, commands, named)
	}
}

// flagsOfOthers are those of other programs, and one that is no flag: there is a hint for it.
const flagsOfOthers = `ignore-scripts port secret strict version`

var fenced = regexp.MustCompile("(?ms)^ *```.*?^ *```$")

// TestDocumentAnchors: a link to a section leads to a heading that is there.
func TestDocumentAnchors(t *testing.T) {
	t.Parallel()
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	left := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	anchors := map[string]bool{}
	texts := map[string]string{}
	for _, name := range repositoryFiles(t, ".md") {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = fenced.ReplaceAllString(string(b), "")
		for _, m := range heading.FindAllStringSubmatch(texts[name], -1) {
			anchors[name+"#"+strings.ReplaceAll(left.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
		}
	}
	found := 0
	for name, text := range texts {
		for _, m := range regexp.MustCompile(`\]\(([^)#:\s]*)#([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target := name
			if m[1] != "" {
				target = path.Join(path.Dir(name), m[1])
			}
			if found++; !anchors[target+"#"+m[2]] {
				t.Errorf("%s: there is no section %s#%s", name, target, m[2])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d links to sections were found", found)
	}
}

// TestChangelogTellsOnce: no two entries of the changelog begin alike. Four stood there twice, one
// of them with what the program had done before.
func TestChangelogTellsOnce(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(repository, "docs", "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, entry := range strings.Split(string(b), "\n- ")[1:] {
		beginning := fmt.Sprintf("%.60s", strings.Join(strings.Fields(entry), " "))
		if told[beginning] {
			t.Errorf("two entries of docs/CHANGELOG.md begin with %q", beginning)
		}
		told[beginning] = true
	}
	if len(told) < 50 {
		t.Errorf("only %d entries were found", len(told))
	}
}

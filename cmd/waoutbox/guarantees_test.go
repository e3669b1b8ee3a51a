package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentsSelectTests: every go command that README.md and docs name runs packages that are
// there, and each part of what it selects them by selects a test, a fuzz target or a benchmark.
func TestDocumentsSelectTests(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile("(?m)(?:^ *|`)(?:\\w+=\\S+ )?go (?:test|run|build) [^`#\n]+")
	selected := regexp.MustCompile(` -(?:run|fuzz|bench) '?([^' ]+)'?`)
	tests, n := testNames(t), 0
	for _, name := range repositoryFiles(t, ".md") {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range command.FindAllString(string(b), -1) {
			dirs := packagesOf(t, c)
			for _, m := range selected.FindAllStringSubmatch(c, -1) {
				if len(dirs) == 0 || m[1] == "NAME" || m[1] == "^$" || m[1] == "." {
					continue
				}
				for part := range strings.SplitSeq(m[1], "|") {
					n++
					if !slices.ContainsFunc(dirs, func(dir string) bool { return slices.ContainsFunc(tests[dir], regexp.MustCompile(part).MatchString) }) {
						t.Errorf("%s: %q selects no test by %q", name, c, part)
					}
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("%d selections were found", n)
	}
}

// packagesOf returns the directories that a go command names.
func packagesOf(t *testing.T, command string) (dirs []string) {
	t.Helper()
	fields := strings.Fields(command)
	for i, field := range fields {
		dir, ok := strings.CutPrefix(strings.Trim(field, "`"), "./")
		if !ok || fields[i-1] == "--program" || dir == "PACKAGE" || dir == "..." {
			continue
		}
		dir, all := strings.CutSuffix(dir, "/...")
		found := []string{dir}
		if !exists(dir) {
			t.Errorf("%q names %s, which is not there", command, dir)
		}
		if all {
			err := filepath.WalkDir(filepath.Join(repository, dir), func(name string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					rel, relErr := filepath.Rel(repository, name)
					found, err = append(found, rel), relErr
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		dirs = append(dirs, found...)
	}
	return dirs
}

// testNames are the tests, fuzz targets and benchmarks of each directory.
func testNames(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	test := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	for _, name := range repositoryFiles(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range test.FindAllStringSubmatch(string(b), -1) {
			if m[1] != "TestMain" {
				names[path.Dir(name)] = append(names[path.Dir(name)], m[1])
			}
		}
	}
	return names
}

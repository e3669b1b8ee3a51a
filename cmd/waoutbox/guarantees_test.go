package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuaranteesRunWhatIsThere: every command that docs/GUARANTEES.md and docs/MUTATIONS.md name
// besides runs packages that are there, and each part of what it selects them by selects a test.
func TestGuaranteesRunWhatIsThere(t *testing.T) {
	t.Parallel()
	var b []byte
	for _, name := range []string{"docs/GUARANTEES.md", "docs/MUTATIONS.md"} {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		b = append(append(b, text...), '\n')
	}
	command := regexp.MustCompile("(?m)(?:^|`)(?:\\w+=\\S+ )?go (?:test|run) [^`#\n]+")
	selected := regexp.MustCompile(` -(?:run|fuzz) '?([^' ]+)'?`)
	n := 0
	for _, c := range command.FindAllString(string(b), -1) {
		dirs := packagesOf(t, c)
		m := selected.FindStringSubmatch(c)
		if len(dirs) == 0 || m == nil || m[1] == "NAME" || m[1] == "^$" && !strings.Contains(c, " -fuzz ") {
			continue
		}
		if m[1] == "^$" {
			m = regexp.MustCompile(` -fuzz (\w+)`).FindStringSubmatch(c)
		}
		for part := range strings.SplitSeq(m[1], "|") {
			n++
			if !hasTest(t, dirs, part) {
				t.Errorf("%q selects no test by %q", c, part)
			}
		}
	}
	if n < 50 {
		t.Errorf("%d selections were found", n)
	}
}

// packagesOf returns the directories that a go command names.
func packagesOf(t *testing.T, command string) (dirs []string) {
	t.Helper()
	for _, field := range strings.Fields(command) {
		dir, ok := strings.CutPrefix(strings.Trim(field, "`"), "./")
		if !ok || dir == "PACKAGE" || dir == "..." {
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

// hasTest reports whether a test of one of the packages is selected by part, a regular expression.
func hasTest(t *testing.T, dirs []string, part string) bool {
	t.Helper()
	test := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	wanted := regexp.MustCompile(part)
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(repository, dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range test.FindAllStringSubmatch(string(b), -1) {
				if m[1] != "TestMain" && wanted.MatchString(m[1]) {
					return true
				}
			}
		}
	}
	return false
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNamesWhatIsThere: each control of docs/SECURITY.md names tests that are there, and a
// place that is.
func TestSecurityNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(tests) < 30 {
		t.Errorf("docs/SECURITY.md names %d tests", len(tests))
	}
	for _, m := range tests {
		if !strings.Contains(all.String(), "func "+m[1]+"(t *testing.T)") {
			t.Errorf("docs/SECURITY.md names %s, and there is no such test", m[1])
		}
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[3], "Test") {
			continue
		}
		rows++
		place := strings.Trim(cells[2], " `")
		if _, err := os.Stat(filepath.Join("../..", place)); err != nil {
			t.Errorf("docs/SECURITY.md names the place %q of %s: %v", place, strings.TrimSpace(cells[1]), err)
		}
	}
	if rows < 25 {
		t.Errorf("docs/SECURITY.md has %d controls with a place and a test", rows)
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
)

// documents are README.md, which is the first, and what is below docs, as they are read beside a
// program without a network.
func documents() ([]entry, error) {
	list, err := exec.Command("git", "ls-files", "-z", "README.md", "docs").Output()
	if err != nil {
		return nil, fmt.Errorf("the documents: %w", err)
	}
	var files []entry
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			return nil, err
		}
		files = append(files, entry{name, 0o644, b})
	}
	return files, nil
}

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)

// checkLinks wants what the documents among files link to among them too. Sources are not: examples
// of bodies and tests are what the repository has.
func checkLinks(files []entry) error {
	there := map[string]bool{}
	for _, f := range files {
		there[f.name] = true
	}
	var errs []error
	for _, f := range files {
		if path.Ext(f.name) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(f.data), -1) {
			to := path.Join(path.Dir(f.name), m[1])
			if document := to == "README.md" || strings.HasPrefix(to, "docs/"); document && !there[to] {
				errs = append(errs, fmt.Errorf("%s links to %s, which is not beside it", f.name, to))
			}
		}
	}
	return errors.Join(errs...)
}

package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// licenceFile matches the files in which a module states its terms.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// notices are the terms of everything that a program was linked from, which go with it: Go's own
// and each module's, as its sources have them.
func (r *release) notices(program []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	root, err := r.goCommand("env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("This program contains the following software. The sources of each module are at its import path, in the version that is named.\n")
	if err := addTerms(&out, "Go "+info.GoVersion, strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	args := []string{"mod", "download", "-json"}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		args = append(args, d.Path+"@"+d.Version)
	}
	raw, err := r.goCommand(args...).Output()
	if err != nil {
		return nil, fmt.Errorf("the modules' sources: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if err := addTerms(&out, m.Path+" "+m.Version, m.Dir); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// addTerms writes what stands in the files of dir that state the terms of name.
func addTerms(out *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(out, "\n%s\n%s (%s)\n%s\n\n%s\n", strings.Repeat("=", 80), name, e.Name(), strings.Repeat("=", 80), bytes.TrimSpace(b))
	}
	if !found {
		return fmt.Errorf("%s says nowhere what its terms are", name)
	}
	return nil
}

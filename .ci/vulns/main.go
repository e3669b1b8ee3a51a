// Command vulns looks for known vulnerabilities in a snapshot of Go's database: the module
// golang.org/x/vulndb at the version below, which every module proxy has. `.ci/run` asks the
// database itself, where it can be reached. Run it from the root:
//
//	go run ./.ci/vulns [VERSION]    another snapshot, like latest
//
// It ends with 1 when the program calls what is vulnerable. What the Go release that go.mod names
// has mended is said, and does not count: whoever builds with an older one has it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	database = "golang.org/x/vulndb"
	snapshot = "v0.0.0-20261105234957-e22db6528018" // the time is in it
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	of := snapshot
	if len(os.Args) > 1 {
		of = os.Args[1]
	}
	if err := run(ctx, of); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, of string) (err error) {
	dir, err := os.MkdirTemp("", "vulns-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, entries, err := fetch(ctx, dir, of)
	if err != nil {
		return err
	}
	if err := writeDatabase(dir, entries); err != nil {
		return fmt.Errorf("write the database: %w", err)
	}
	release, err := wantedRelease(ctx)
	if err != nil {
		return err
	}
	found, err := look(ctx, dir)
	if err != nil {
		return err
	}
	bad := 0
	for _, id := range slices.Sorted(maps.Keys(found)) {
		f := found[id]
		if f.mendedBy(release) {
			fmt.Printf("%s  in %s, mended in %s: go.mod names %s, build with it\n", id, f.where(), f.FixedVersion, release)
			continue
		}
		bad++
		fmt.Printf("%s  in %s, called; mended in %q: https://pkg.go.dev/vuln/%s\n", id, f.where(), f.FixedVersion, id)
	}
	fmt.Printf("looked through %d vulnerabilities of %s %s: %d are called, %d of them mended by %s\n", len(entries), database, at, len(found), len(found)-bad, release)
	if bad > 0 {
		return fmt.Errorf("%d known vulnerabilities are called", bad)
	}
	return nil
}

// entry is what the index says of a vulnerability, and its file.
type entry struct {
	ID       string `json:"id"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected"`

	text []byte
}

// fetch has the go command fetch the snapshot, and reads its entries.
func fetch(ctx context.Context, dir, of string) (at string, entries []entry, err error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", database+"@"+of)
	cmd.Dir = dir // not a module of this repository
	out, err := cmd.Output()
	var module struct{ Version, Dir, Error string }
	if e := json.Unmarshal(out, &module); e != nil || module.Dir == "" {
		return "", nil, errors.Join(fmt.Errorf("fetch %s %s: %s", database, of, module.Error), err, e)
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, "data", "osv", "*.json"))
	if err != nil || len(files) == 0 {
		return "", nil, errors.Join(fmt.Errorf("%s %s has no entries", database, module.Version), err)
	}
	for _, name := range files {
		e := entry{}
		if e.text, err = os.ReadFile(name); err != nil {
			return "", nil, err
		}
		if err := json.Unmarshal(e.text, &e); err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		entries = append(entries, e)
	}
	return module.Version, entries, nil
}

// writeDatabase writes what govulncheck reads of a database in a directory
// (https://go.dev/doc/security/vuln/database#api).
func writeDatabase(dir string, entries []entry) error {
	type vuln struct {
		ID       string `json:"id"`
		Modified string `json:"modified"`
	}
	type module struct {
		Path  string `json:"path"`
		Vulns []vuln `json:"vulns"`
	}
	const modified = "2000-01-01T00:00:00Z" // the entries of the module have no time
	modules := map[string]*module{}
	for _, e := range entries {
		for _, a := range e.Affected {
			m := modules[a.Package.Name]
			if m == nil {
				m = &module{Path: a.Package.Name}
				modules[a.Package.Name] = m
			}
			if v := (vuln{e.ID, modified}); !slices.Contains(m.Vulns, v) {
				m.Vulns = append(m.Vulns, v)
			}
		}
		if err := write(filepath.Join(dir, "ID", e.ID+".json"), e.text); err != nil {
			return err
		}
	}
	index, err := json.Marshal(slices.Collect(maps.Values(modules)))
	if err != nil {
		return err
	}
	return errors.Join(
		write(filepath.Join(dir, "index", "modules.json"), index),
		write(filepath.Join(dir, "index", "db.json"), []byte(`{"modified":"`+modified+`"}`)))
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

// finding is one way from the program to a vulnerability.
type finding struct {
	OSV          string `json:"osv"`
	FixedVersion string `json:"fixed_version"`
	Trace        []struct {
		Module   string `json:"module"`
		Version  string `json:"version"`
		Package  string `json:"package"`
		Function string `json:"function"`
	} `json:"trace"`
}

func (f finding) where() string { return f.Trace[0].Package + " " + f.Trace[0].Version }

// mendedBy says whether it is one of the standard library that this release of Go does not have.
func (f finding) mendedBy(release string) bool {
	fixed := "go" + strings.TrimPrefix(f.FixedVersion, "v")
	return f.Trace[0].Module == "stdlib" && version.IsValid(fixed) && version.Compare(fixed, release) <= 0
}

// look returns, by its id, what the program calls.
func look(ctx context.Context, dir string) (map[string]finding, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "govulncheck", "-db", "file://"+filepath.ToSlash(dir), "-format", "json", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	found := map[string]finding{}
	for d := json.NewDecoder(out); ; {
		var message struct {
			Finding *finding `json:"finding"`
		}
		if err := d.Decode(&message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, errors.Join(fmt.Errorf("read what govulncheck writes: %w", err), cmd.Wait())
		}
		// without a function the module or package is there, and nothing of it is called
		if f := message.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Function != "" {
			found[f.OSV] = *f
		}
	}
	return found, cmd.Wait()
}

// wantedRelease is the release of Go that go.mod names.
func wantedRelease(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "mod", "edit", "-json").Output()
	if err != nil {
		return "", fmt.Errorf("read go.mod: %w", err)
	}
	var mod struct{ Go, Toolchain string }
	if err := json.Unmarshal(out, &mod); err != nil {
		return "", err
	}
	if mod.Toolchain != "" {
		return mod.Toolchain, nil
	}
	return "go" + mod.Go, nil
}

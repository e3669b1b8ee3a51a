// Command release makes what a release has: static programs for Linux, macOS and Windows (amd64 and
// arm64) in archives, Debian packages, a Homebrew formula, a bill of materials (CycloneDX), the
// manual page, and SHA256SUMS over all of it. The same tree and the same Go give the same bytes.
//
//	go run ./.ci/release [-out dist] [-url https://…/releases/download/v0.1.0]
//	go run ./.ci/release -check      packs this machine's program for three systems, twice; seconds
//	go run ./.ci/release -reproduce  builds this machine's program twice and compares; minutes
//
// CI runs -check; it ends with an error when the two differ, or when a part of it cannot be read.
// What builds reproducibly is Go's own: -trimpath, no build id, no version control in the program.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// target is one system a program is built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "_" + t.arch }

func main() {
	log.SetFlags(0)
	out := flag.String("out", "dist", "directory for the files")
	url := flag.String("url", "https://example.com/waoutbox", "where the archives will be, for the formula")
	maintainer := flag.String("maintainer", "waoutbox <waoutbox@localhost>", "of the Debian packages")
	check := flag.Bool("check", false, "only this machine's program, twice, into a temporary directory")
	twice := flag.Bool("reproduce", false, "build this machine's program in two directories with caches of their own, and compare")
	flag.Parse()
	r := release{url: *url, maintainer: *maintainer}
	if *check {
		if err := r.check(); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *twice {
		if err := r.reproduce(); err != nil {
			log.Fatal(err)
		}
		return
	}
	r.targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}}
	files, err := r.make(*out)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(filepath.Join(*out, f))
	}
}

// release is one run.
type release struct {
	url, maintainer string
	targets         []target
	quick           bool // this machine's program stands for all, as it was built before
	version         string
	manual          []byte // compressed
	completion      []byte // of bash
}

// check makes the files twice of this machine's program and wants the same bytes.
func (r release) check() error {
	r.quick = true
	r.targets = []target{{runtime.GOOS, runtime.GOARCH}, {"darwin", "arm64"}, {"windows", "amd64"}}
	var sums [2]string
	for i := range sums {
		dir, err := os.MkdirTemp("", "waoutbox-release-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		files, err := r.make(dir)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			return err
		}
		if sums[i] = string(b); i == 0 {
			if err := inspect(dir, files); err != nil {
				return err
			}
			fmt.Print(sums[i])
		}
	}
	if sums[0] != sums[1] {
		return fmt.Errorf("made twice, it is not the same:\n%s\n%s", sums[0], sums[1])
	}
	fmt.Println("made twice, it is the same")
	return nil
}

// make builds everything into dir, and returns the names of the files.
func (r *release) make(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	bin, err := os.MkdirTemp("", "waoutbox-bin-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	if err := r.describe(bin); err != nil {
		return nil, err
	}
	made := map[string][]byte{"waoutbox.1.gz": r.manual}
	for _, t := range r.targets {
		program, err := r.build(bin, t)
		if err != nil {
			return nil, err
		}
		if err := r.pack(made, t, program); err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		if made["waoutbox.cdx.json"] == nil {
			if made["waoutbox.cdx.json"], err = r.materials(program); err != nil {
				return nil, err
			}
		}
	}
	if formula := r.formula(made); formula != nil {
		made["waoutbox.rb"] = formula
	}
	var sums strings.Builder
	names := sorted(made)
	for _, name := range names {
		fmt.Fprintf(&sums, "%s  %s\n", sum(made[name]), name)
	}
	made["SHA256SUMS"] = []byte(sums.String())
	for _, name := range append(names, "SHA256SUMS") {
		if err := os.WriteFile(filepath.Join(dir, name), made[name], 0o644); err != nil {
			return nil, err
		}
	}
	return append(names, "SHA256SUMS"), nil
}

func sorted(m map[string][]byte) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func programName(t target) string {
	if t.os == "windows" {
		return "waoutbox.exe"
	}
	return "waoutbox"
}

// build makes the program of one target and returns it.
func (r *release) build(bin string, t target) ([]byte, error) {
	if r.quick {
		t = target{runtime.GOOS, runtime.GOARCH}
	}
	path := filepath.Join(bin, t.String(), programName(t))
	if err := r.buildCommand(path, t).Run(); err != nil {
		return nil, fmt.Errorf("build for %s: %w", t, err)
	}
	return os.ReadFile(path)
}

// buildCommand makes the program of one target at path.
func (r *release) buildCommand(path string, t target) *exec.Cmd {
	args := []string{"build", "-buildvcs=false", "-o", path}
	if !r.quick {
		args = append(args, "-trimpath", "-ldflags=-s -w -buildid=")
	}
	cmd := exec.Command("go", append(args, "./cmd/waoutbox")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=")
	cmd.Stderr = os.Stderr
	return cmd
}

// describe asks this machine's program for its version, its manual page and its completion.
func (r *release) describe(bin string) error {
	host := target{runtime.GOOS, runtime.GOARCH}
	if _, err := r.build(bin, host); err != nil {
		return err
	}
	ask := func(args ...string) ([]byte, error) {
		return exec.Command(filepath.Join(bin, host.String(), programName(host)), args...).Output()
	}
	raw, err := ask("version", "--json")
	if err != nil {
		return err
	}
	var v struct{ Version string }
	if err := json.Unmarshal(raw, &v); err != nil || v.Version == "" {
		return errors.Join(err, errors.New("the program says no version"))
	}
	r.version = v.Version
	page, err := ask("man")
	if err != nil {
		return err
	}
	if r.completion, err = ask("completion", "bash"); err != nil {
		return err
	}
	r.manual, err = r.compressed(page)
	return err
}

// compressed is gzip without a time.
func (r *release) compressed(b []byte) ([]byte, error) {
	level := gzip.BestCompression
	if r.quick {
		level = gzip.BestSpeed
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

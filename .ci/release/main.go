// Command release makes what a release has: static programs (waoutbox, and wasim, which stands in
// for WhatsApp and a phone) for Linux, macOS and Windows (amd64 and arm64) in archives, Debian
// packages, a Homebrew formula, a bill of materials (CycloneDX), the manual pages, and SHA256SUMS
// over all of it. The same tree and the same Go give the same bytes.
//
//	go run ./.ci/release [-out dist] [-url https://…/releases/download/v0.1.0]
//	go run ./.ci/release -check      packs this machine's programs for three systems, twice
//	go run ./.ci/release -reproduce  builds this machine's programs twice and compares; minutes
//
// Each reads what it has made, and ends with an error when a part of it cannot be read; the first
// has lintian read the packages too, and dpkg install them. CI runs -check, which also ends with an
// error when the two differ. What builds reproducibly is Go's own: -trimpath, no build id, no
// version control in the program.
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

// programs are what a release has: the program, and the simulator that it is tried with where there
// is no phone.
var programs = []string{"./cmd/waoutbox", "./cmd/wasim"}

// target is one system a program is built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "_" + t.arch }

func main() {
	log.SetFlags(0)
	out := flag.String("out", "dist", "directory for the files")
	url := flag.String("url", "https://example.com/waoutbox", "where the archives will be, for the formula")
	maintainer := flag.String("maintainer", nobody, "of the Debian packages")
	check := flag.Bool("check", false, "only this machine's programs, twice, into a temporary directory")
	twice := flag.Bool("reproduce", false, "build this machine's programs in two directories with caches of their own, and compare")
	flag.Parse()
	r := release{url: *url, maintainer: *maintainer}
	if *check {
		if err := r.check(); err != nil {
			log.Fatal(err)
		}
		return
	}
	// What is given to others is built by the release of Go that go.mod names, whichever runs this.
	if err := r.pinGo(); err != nil {
		log.Fatal(err)
	}
	if *twice {
		if err := r.reproduce(); err != nil {
			log.Fatal(err)
		}
		return
	}
	r.targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}}
	files, err := r.make(*out)
	if err == nil {
		err = inspect(*out, files)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".deb") {
			err = errors.Join(err, try(filepath.Join(*out, f)))
		}
	}
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
	simulator       []byte // the simulator's manual page, compressed
	toolchain       string // the release of Go that builds; "" is the one that is there
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
	made := map[string][]byte{"waoutbox.1.gz": r.manual, "wasim.1.gz": r.simulator}
	for _, t := range r.targets {
		program, simulator, err := r.build(bin, t)
		if err != nil {
			return nil, err
		}
		if err := r.pack(made, t, program, simulator); err != nil {
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

// file is what a program is called there.
func (t target) file(program string) string {
	if t.os == "windows" {
		return program + ".exe"
	}
	return program
}

// build makes the two programs of one target and returns them.
func (r *release) build(bin string, t target) (program, simulator []byte, err error) {
	if r.quick {
		t = target{runtime.GOOS, runtime.GOARCH}
	}
	dir := filepath.Join(bin, t.String())
	if _, err := os.Stat(dir); err == nil && r.quick {
		return r.read(dir, t)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := r.buildCommand(dir, t, programs...).Run(); err != nil {
		return nil, nil, fmt.Errorf("build for %s: %w", t, err)
	}
	return r.read(dir, t)
}

// read returns the two programs in dir.
func (r *release) read(dir string, t target) (program, simulator []byte, err error) {
	if program, err = os.ReadFile(filepath.Join(dir, t.file("waoutbox"))); err == nil {
		simulator, err = os.ReadFile(filepath.Join(dir, t.file("wasim")))
	}
	return program, simulator, err
}

// pinGo reads which release of Go go.mod names, and has the go command fetch it where it is not
// there.
func (r *release) pinGo() error {
	raw, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		return fmt.Errorf("read go.mod: %w", err)
	}
	var mod struct{ Toolchain string }
	if err := json.Unmarshal(raw, &mod); err != nil {
		return fmt.Errorf("read go.mod: %w", err)
	}
	r.toolchain = mod.Toolchain
	if out, err := r.goCommand("version").CombinedOutput(); err != nil {
		return fmt.Errorf("a release is built with %s, which go.mod names, and the go command cannot fetch that here: %w\n%s"+
			"Run this where a proxy of Go modules is reached. -check packs this machine's programs with the Go that is there", r.toolchain, err, out)
	}
	return nil
}

// goCommand is the go command of the release that builds.
func (r *release) goCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Env = os.Environ()
	if r.toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+r.toolchain)
	}
	return cmd
}

// buildCommand makes programs of one target at path: a file, or a directory.
func (r *release) buildCommand(path string, t target, packages ...string) *exec.Cmd {
	args := []string{"build", "-buildvcs=false", "-o", path}
	if !r.quick {
		args = append(args, "-trimpath", "-ldflags=-s -w -buildid=")
	}
	cmd := r.goCommand(append(args, packages...)...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=")
	cmd.Stderr = os.Stderr
	return cmd
}

// describe asks this machine's program for its version, its manual page and its completion.
func (r *release) describe(bin string) error {
	host := target{runtime.GOOS, runtime.GOARCH}
	if _, _, err := r.build(bin, host); err != nil {
		return err
	}
	ask := func(program string, args ...string) ([]byte, error) {
		return exec.Command(filepath.Join(bin, host.String(), host.file(program)), args...).Output()
	}
	raw, err := ask("waoutbox", "version", "--json")
	if err != nil {
		return err
	}
	var v struct{ Version string }
	if err := json.Unmarshal(raw, &v); err != nil || v.Version == "" {
		return errors.Join(err, errors.New("the program says no version"))
	}
	r.version = v.Version
	page, err := ask("waoutbox", "man")
	if err != nil {
		return err
	}
	if r.completion, err = ask("waoutbox", "completion", "bash"); err != nil {
		return err
	}
	if r.manual, err = r.compressed(page); err != nil {
		return err
	}
	usage, err := ask("wasim", "--help")
	if err != nil {
		return err
	}
	r.simulator, err = r.compressed(simulatorPage(r.version, string(usage)))
	return err
}

// simulatorPage is wasim(1): what its --help says.
func simulatorPage(version, usage string) []byte {
	usage = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(usage)
	return fmt.Appendf(nil, ".TH WASIM 1 \"\" \"waoutbox %s\" \"User Commands\"\n.SH NAME\nwasim \\- a WhatsApp server on loopback, to try waoutbox(1) without a phone\n"+
		".SH DESCRIPTION\n.nf\n%s.fi\n.SH SEE ALSO\nwaoutbox(1)\n", version, usage)
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

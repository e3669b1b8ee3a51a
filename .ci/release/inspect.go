package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// inspect reads every file of a release as those who get it do.
func inspect(dir string, files []string) error {
	var errs []error
	for _, name := range files {
		path := filepath.Join(dir, name)
		var err error
		switch {
		case strings.HasSuffix(name, ".tar.gz"):
			err = readTar(path)
		case strings.HasSuffix(name, ".zip"):
			err = readZip(path)
		case strings.HasSuffix(name, ".deb"):
			err = readPackage(path)
		case strings.HasSuffix(name, ".json"):
			err = readMaterials(path)
		case strings.HasSuffix(name, ".1.gz"):
			err = readManual(path)
		case strings.HasSuffix(name, ".rb"):
			err = readFormula(path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// readTar wants the two programs in it, static ones, and documents that are whole.
func readTar(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for _, want := range []string{"waoutbox", "wasim"} {
		h, err := r.Next()
		if err != nil || h.Name != want || h.Mode != 0o755 {
			return fmt.Errorf("%s is %+v, %v", want, h, err)
		}
		program, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if !strings.Contains(path, "_linux_") {
			continue
		}
		file, err := elf.NewFile(bytes.NewReader(program))
		if err != nil {
			return err
		}
		if libs, err := file.ImportedLibraries(); err != nil || len(libs) > 0 {
			return fmt.Errorf("%s is not static: %v, %v", want, libs, err)
		}
	}
	var texts []entry
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return checkTexts(texts)
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		texts = append(texts, entry{h.Name, h.Mode, b})
	}
}

// checkTexts wants README.md among the files of an archive, and what the documents link to.
func checkTexts(texts []entry) error {
	if !slices.ContainsFunc(texts, func(e entry) bool { return e.name == "README.md" }) {
		return errors.New("there is no README.md in it")
	}
	return checkLinks(texts)
}

func readZip(path string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	if len(z.File) < 4 || z.File[0].Name != "waoutbox.exe" || z.File[1].Name != "wasim.exe" {
		return errors.New("there is no program in it")
	}
	var texts []entry
	for _, f := range z.File[2:] {
		r, err := f.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		texts = append(texts, entry{f.Name, int64(f.Mode()), b})
	}
	return checkTexts(texts)
}

// readPackage has dpkg look, where there is one.
func readPackage(path string) error {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		fmt.Println("NOT RUN: dpkg-deb is not on this machine")
		return nil
	}
	out, err := exec.Command("dpkg-deb", "-c", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "./usr/bin/waoutbox") || !strings.Contains(string(out), "./usr/share/doc/waoutbox/copyright") {
		return fmt.Errorf("%v: %s", err, out)
	}
	out, err = exec.Command("dpkg-deb", "-f", path, "Package").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "waoutbox" {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}

func readMaterials(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var bill struct{ Components []struct{ PURL string } }
	if err := json.Unmarshal(b, &bill); err != nil {
		return err
	}
	for _, c := range bill.Components {
		if strings.HasPrefix(c.PURL, "pkg:golang/go.etcd.io/bbolt@v") {
			return nil
		}
	}
	return errors.New("it has no bbolt")
}

// readManual has man read the page, where there is one.
func readManual(path string) error {
	if _, err := exec.LookPath("man"); err != nil {
		fmt.Println("NOT RUN: man is not on this machine")
		return nil
	}
	cmd := exec.Command("man", "-l", path)
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 || !strings.Contains(string(out), "User Commands") {
		return fmt.Errorf("%v: %.500s", err, errs.String())
	}
	return nil
}

// readFormula has ruby read it, where there is one.
func readFormula(path string) error {
	if _, err := exec.LookPath("ruby"); err != nil {
		fmt.Println("NOT RUN: ruby is not on this machine")
		return nil
	}
	if out, err := exec.Command("ruby", "-c", path).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

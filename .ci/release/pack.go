package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// epoch is the time of every file in an archive.
var epoch = time.Unix(946684800, 0).UTC() // 2000-01-01

// entry is one file in an archive.
type entry struct {
	name string
	mode int64
	data []byte
}

// pack makes the archive of one target, and for Linux the Debian package: the program, and the
// simulator that it is tried with where there is no phone.
func (r *release) pack(made map[string][]byte, t target, program, simulator []byte) error {
	texts, err := documents()
	if err != nil {
		return err
	}
	if err := sameModules(program, simulator); err != nil {
		return err
	}
	terms, err := r.notices(program)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("waoutbox_%s_%s", r.version, t)
	files := append([]entry{{t.file("waoutbox"), 0o755, program}, {t.file("wasim"), 0o755, simulator}, {"NOTICES.txt", 0o644, terms}}, texts...)
	if t.os == "windows" {
		made[name+".zip"], err = zipped(files)
		return err
	}
	files = append(files, entry{"waoutbox.1.gz", 0o644, r.manual}, entry{"wasim.1.gz", 0o644, r.simulator}, entry{"completions/waoutbox.bash", 0o644, r.completion})
	if made[name+".tar.gz"], err = r.tarred(files, ""); err != nil || t.os != "linux" {
		return err
	}
	made[fmt.Sprintf("waoutbox_%s_%s.deb", r.version, t.arch)], err = r.debian(t, program, simulator, terms, texts)
	return err
}

func zipped(files []entry) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
		h.SetMode(os.FileMode(f.mode))
		part, err := w.CreateHeader(h)
		if err == nil {
			_, err = part.Write(f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// tarred is a compressed tar, each name below prefix, whose directories are in it where there is
// one.
func (r *release) tarred(files []entry, prefix string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	dirs := map[string]bool{}
	for _, f := range files {
		if prefix != "" {
			for i, c := range f.name {
				if dir := f.name[:i]; c == '/' && !dirs[dir] {
					dirs[dir] = true
					if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix + dir + "/", Mode: 0o755, ModTime: epoch, Uname: "root", Gname: "root", Format: tar.FormatGNU}); err != nil {
						return nil, err
					}
				}
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: prefix + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: epoch, Uname: "root", Gname: "root", Format: tar.FormatGNU}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return r.compressed(out.Bytes())
}

// formula is Homebrew's, for the archives that were made; nil without any.
func (r *release) formula(made map[string][]byte) []byte {
	var b strings.Builder
	b.WriteString("class Waoutbox < Formula\n  desc \"WhatsApp events, durably stored and delivered to webhooks\"\n")
	fmt.Fprintf(&b, "  homepage %q\n  version %q\n", r.url, r.version)
	any := false
	for _, system := range []struct{ name, os string }{{"macos", "darwin"}, {"linux", "linux"}} {
		var part strings.Builder
		for _, cpu := range []struct{ name, arch string }{{"arm", "arm64"}, {"intel", "amd64"}} {
			name := fmt.Sprintf("waoutbox_%s_%s.tar.gz", r.version, target{system.os, cpu.arch})
			if made[name] != nil {
				fmt.Fprintf(&part, "    on_%s do\n      url %q\n      sha256 %q\n    end\n", cpu.name, r.url+"/"+name, sum(made[name]))
			}
		}
		if part.Len() > 0 {
			any = true
			fmt.Fprintf(&b, "\n  on_%s do\n%s  end\n", system.name, part.String())
		}
	}
	b.WriteString("\n  def install\n    bin.install \"waoutbox\", \"wasim\"\n    man1.install \"waoutbox.1.gz\", \"wasim.1.gz\"\n    bash_completion.install \"completions/waoutbox.bash\" => \"waoutbox\"\n  end\n" +
		"\n  service do\n    run [opt_bin/\"waoutbox\", \"serve\"]\n    keep_alive crashed: true\n  end\n" +
		"\n  test do\n    assert_match version.to_s, shell_output(\"#{bin}/waoutbox version\")\n  end\nend\n")
	if !any {
		return nil
	}
	return []byte(b.String())
}

// sameModules wants nothing in the simulator that is not in the program: the terms and the bill of
// materials are made of the program's modules.
func sameModules(program, simulator []byte) error {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, d := range info.Deps {
		known[d.Path] = true
	}
	if info, err = buildinfo.Read(bytes.NewReader(simulator)); err != nil {
		return err
	}
	for _, d := range info.Deps {
		if !known[d.Path] {
			return fmt.Errorf("wasim is linked from %s, of which the terms and the bill of materials say nothing", d.Path)
		}
	}
	return nil
}

// materials is the bill of materials of a program: the modules that it was linked from.
func (r *release) materials(program []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	type component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	}
	module := func(path, version string) component {
		purl := "pkg:golang/" + path + "@" + version
		return component{"library", purl, path, version, purl}
	}
	self := module(info.Main.Path, r.version)
	self.Type = "application"
	list := []component{module("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		list = append(list, module(d.Path, d.Version))
	}
	if len(list) < 10 {
		return nil, errors.New("the program names no modules")
	}
	return json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": map[string]any{"component": self}, "components": list,
	}, "", "  ")
}

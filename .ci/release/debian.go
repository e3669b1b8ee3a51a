package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// nobody is who maintains the Debian packages where -maintainer does not say it.
const nobody = "waoutbox <waoutbox@localhost>"

// copyright is what Debian wants to read first; the terms at length are beside it.
const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: waoutbox
Comment: These programs are linked from the software that NOTICES.gz in this
 directory names, with the copyright and the terms of each part. One of them,
 go.mau.fi/libsignal, is under the GNU General Public License, version 3.

Files: *
Copyright: see NOTICES.gz in this directory
License: GPL-3
 The programs as a whole may be passed on under the GNU General Public License,
 version 3. On Debian systems its text is in /usr/share/common-licenses/GPL-3.
`

// overrides tell lintian what is meant to be so.
const overrides = `# programs of Go, without C: nothing is there to be linked to
waoutbox: statically-linked-binary
`

// debian is a package: an ar archive of its version, what is said of it, and its files.
func (r *release) debian(t target, program, simulator, terms []byte, texts []entry) ([]byte, error) {
	changes, err := r.compressed([]byte(r.changes()))
	if err != nil {
		return nil, err
	}
	notices, err := r.compressed(terms)
	if err != nil {
		return nil, err
	}
	files := []entry{
		{"usr/bin/waoutbox", 0o755, program},
		{"usr/bin/wasim", 0o755, simulator},
		{"usr/share/doc/waoutbox/changelog.gz", 0o644, changes},
		{"usr/share/doc/waoutbox/copyright", 0o644, []byte(copyright)},
		{"usr/share/doc/waoutbox/NOTICES.gz", 0o644, notices},
		{"usr/share/lintian/overrides/waoutbox", 0o644, []byte(overrides)},
		{"usr/share/man/man1/waoutbox.1.gz", 0o644, r.manual},
		{"usr/share/man/man1/wasim.1.gz", 0o644, r.simulator},
		{"usr/share/bash-completion/completions/waoutbox", 0o644, r.completion},
	}
	for _, f := range texts {
		files = append(files, entry{"usr/share/doc/waoutbox/" + f.name, f.mode, f.data})
	}
	size := 0
	for _, f := range files {
		size += len(f.data)
	}
	control := fmt.Sprintf(`Package: waoutbox
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Section: net
Priority: optional
Recommends: ca-certificates
Description: WhatsApp events, durably stored and delivered to webhooks
 Links one WhatsApp account, writes every event to a durable outbox before
 WhatsApp is told that it may forget it, and delivers it, signed and in order
 per chat, to every matching webhook. After installing: waoutbox service install
`, r.version, t.arch, r.maintainer, (size+1023)/1024)
	about, err := r.tarred([]entry{{"control", 0o644, []byte(control)}}, "./")
	if err != nil {
		return nil, err
	}
	data, err := r.tarred(files, "./")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, part := range []entry{{"debian-binary", 0, []byte("2.0\n")}, {"control.tar.gz", 0, about}, {"data.tar.gz", 0, data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", part.name, epoch.Unix(), 0, 0, "100644", len(part.data))
		if out.Write(part.data); len(part.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// changes are the Debian package's own, which has no history of its own beside docs/CHANGELOG.md.
func (r *release) changes() string {
	return fmt.Sprintf("waoutbox (%s) unstable; urgency=medium\n\n  * Version %s. What it has is in docs/CHANGELOG.md of its sources.\n\n -- %s  %s\n",
		r.version, r.version, r.maintainer, epoch.Format(time.RFC1123Z))
}

// try has lintian read a package and dpkg install it into an empty directory, where there are such.
func try(path string) error {
	if _, err := exec.LookPath("lintian"); err != nil {
		fmt.Println("NOT RUN: lintian is not on this machine")
	} else {
		args := []string{"--allow-root", "--no-cfg", "--fail-on", "error", path}
		out, err := exec.Command("dpkg-deb", "-f", path, "Maintainer").Output()
		if err != nil { // lintian needs it too
			return err
		}
		if strings.TrimSpace(string(out)) == nobody {
			fmt.Println("NOTE: -maintainer is not given: nobody maintains", filepath.Base(path))
			args = append([]string{"--suppress-tags", "bogus-mail-host,bogus-mail-host-in-debian-changelog"}, args...)
		}
		if out, err := exec.Command("lintian", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("lintian: %w\n%s", err, out)
		}
	}
	if _, err := exec.LookPath("dpkg"); err != nil || os.Geteuid() != 0 {
		fmt.Println("NOT RUN: dpkg installs no package on this machine, or not for this user")
		return nil
	}
	root, err := os.MkdirTemp("", "waoutbox-root-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	for _, file := range []string{"status", "available"} {
		name := filepath.Join(root, "var/lib/dpkg", file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"-i", path}, {"-V", "waoutbox"}, {"-r", "waoutbox"}} {
		args = append([]string{"--root=" + root, "--force-architecture", "--log=/dev/null"}, args...)
		if out, err := exec.Command("dpkg", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		program := filepath.Join(root, "usr/bin/waoutbox")
		if _, err := os.Stat(program); (err == nil) != (args[3] != "-r") {
			return fmt.Errorf("after dpkg %s %s is there: %v", args[3], program, err == nil)
		}
	}
	return nil
}

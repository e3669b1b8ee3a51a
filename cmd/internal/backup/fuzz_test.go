package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzExtract: whatever file somebody is given as a backup, nothing of it lies outside the
// directory or is another kind of file than a plain one; a whole one has what it says.
func FuzzExtract(f *testing.F) {
	var whole bytes.Buffer
	if _, err := Write(&whole, "", About{Version: "1", CreatedAt: time.Unix(1, 0)}, []Source{{Name: "outbox.db", Text: "db"}, {Name: "config.json", Text: "{}"}, {Name: "secrets/wh_1", Text: "x"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:1000])
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAA 1\n"))
	for _, h := range []tar.Header{
		{Name: "../x", Typeflag: tar.TypeReg}, {Name: "secrets/../../x", Typeflag: tar.TypeReg}, {Name: "secrets/x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "secrets", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "/key", Typeflag: tar.TypeReg}, {Name: "key", Typeflag: tar.TypeLink, Linkname: "../x"},
	} {
		var b bytes.Buffer
		w := &tarWriter{tar.NewWriter(&b), time.Unix(1, 0)}
		if err := errors.Join(w.json(aboutName, About{Format: format}), w.WriteHeader(&h), w.json(manifestName, manifest{}), w.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		above := t.TempDir()
		dir := filepath.Join(above, "taken")
		b, err := Extract(bytes.NewReader(file), "", dir)
		var found []string
		walked := filepath.WalkDir(above, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, _ := filepath.Rel(dir, path)
			if !d.Type().IsRegular() || strings.HasPrefix(name, "..") {
				t.Errorf("%q came out, %s", name, d.Type())
			}
			found = append(found, filepath.ToSlash(name))
			return nil
		})
		if walked != nil {
			t.Fatal(walked)
		}
		if err != nil {
			return
		}
		for _, e := range b.Files {
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Name)))
			if err != nil || int64(len(text)) != e.Bytes || !slices.Contains(found, e.Name) {
				t.Errorf("%q has %d bytes, %v", e.Name, len(text), err)
			}
		}
		if len(found) != len(b.Files) {
			t.Errorf("%q came out of a backup of %v", found, b.Files)
		}
	})
}

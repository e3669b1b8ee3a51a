package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/backup"
	"waoutbox/store"
)

// files are a state as it is before a restore, and another one.
func files(t *testing.T, dir, which string) {
	t.Helper()
	for _, name := range []string{store.OutboxFile, store.ConfigFile, store.KeyFile, store.SecretsDir + "/one"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(which+" "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func written(t *testing.T, passphrase string) []byte {
	t.Helper()
	dir := t.TempDir()
	files(t, dir, "new")
	sources, err := backup.Sources(dir, filepath.Join(dir, store.OutboxFile), passphrase != "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := backup.Write(&out, passphrase, backup.About{Version: "1.2.3", CreatedAt: time.Unix(1e9, 0).UTC()}, sources); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestABackupComesBack(t *testing.T) {
	t.Parallel()
	for _, passphrase := range []string{"", "correct horse"} {
		b := written(t, passphrase)
		if secret := bytes.Contains(b, []byte("new key")); secret {
			t.Errorf("passphrase %q: the key stands in it", passphrase)
		}
		if plain := bytes.Contains(b, []byte("new outbox.db")); plain != (passphrase == "") {
			t.Errorf("passphrase %q: the outbox is readable: %v", passphrase, plain)
		}
		dir := filepath.Join(t.TempDir(), "x")
		got, err := backup.Extract(bytes.NewReader(b), passphrase, dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != "1.2.3" || got.CreatedAt.Unix() != 1e9 || got.Encrypted != (passphrase != "") || got.Has(store.KeyFile) != (passphrase != "") {
			t.Errorf("passphrase %q: %+v", passphrase, got)
		}
		for _, f := range got.Files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil || string(text) != "new "+f.Name {
				t.Errorf("%s: %q, %v", f.Name, text, err)
			}
			if info, err := os.Stat(filepath.Join(dir, f.Name)); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
				t.Errorf("%s has mode %v, %v", f.Name, info.Mode(), err)
			}
		}
	}
}

// A file that was cut off anywhere, or has one byte that is another, is refused.
//
// Mutation of read.go: a file whose checksums nobody compares.
func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	b := written(t, "")
	refused := func(what string, b []byte, passphrase string, want ...error) {
		t.Helper()
		_, err := backup.Extract(bytes.NewReader(b), passphrase, filepath.Join(t.TempDir(), "x"))
		for _, w := range want {
			if errors.Is(err, w) {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	end := bytes.LastIndex(b, []byte("manifest.json")) + 600 // what follows is padding
	for n := 0; n < end; n += 97 {
		refused("cut off", b[:n], "", backup.ErrDamaged, backup.ErrNoBackup)
	}
	at := bytes.Index(b, []byte("new outbox.db"))
	b[at] ^= 1
	refused("another byte", b, "", backup.ErrDamaged)

	sealed := written(t, "pass")
	refused("no passphrase", sealed, "", backup.ErrPassphraseNeeded)
	refused("another passphrase", sealed, "word", backup.ErrWrongPassphrase)
	refused("cut off", sealed[:len(sealed)-1], "pass", backup.ErrDamaged)
	sealed[len(sealed)-9] ^= 1
	refused("another byte", sealed, "pass", backup.ErrDamaged)
}

// Nothing is written outside the directory, whatever a file says.
//
// Mutation of read.go: a name that leads elsewhere.
func TestNamesLeadNowhereElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../evil", "/evil", "secrets/../../evil", "secrets/.hidden", "secrets/a/b", "whatsapp.db", "lock", "secrets"} {
		for _, kind := range []byte{tar.TypeReg, tar.TypeSymlink, tar.TypeDir} {
			var out bytes.Buffer
			w := tar.NewWriter(&out)
			about := `{"format":1}`
			for _, h := range []tar.Header{{Name: "waoutbox-backup.json", Typeflag: tar.TypeReg, Size: int64(len(about))}, {Name: name, Typeflag: kind, Linkname: "/etc"}} {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if h.Size > 0 {
					if _, err := w.Write([]byte(about)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			top := t.TempDir()
			if _, err := backup.Extract(&out, "", filepath.Join(top, "x")); !errors.Is(err, backup.ErrNoBackup) {
				t.Errorf("%q, kind %c: %v", name, kind, err)
			}
			if left, err := os.ReadDir(filepath.Join(top, "x")); err != nil || len(left) != 0 {
				t.Errorf("%q left %v, %v", name, left, err)
			}
		}
	}
}

// A few bytes of a file cannot stand for as many as its maker likes: neither one with holes, nor a
// work factor that takes hours, nor a header without end.
//
// Mutation of read.go: a file with holes fills the disk.
func TestABackupCostsWhatItHas(t *testing.T) {
	t.Parallel()
	extract := func(name string, in io.Reader, passphrase string, want error) {
		t.Helper()
		top := t.TempDir()
		if _, err := backup.Extract(in, passphrase, filepath.Join(top, "x")); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		left := int64(0)
		_ = filepath.WalkDir(top, func(path string, _ fs.DirEntry, _ error) error {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				left += info.Size()
			}
			return nil
		})
		if left > 1<<20 {
			t.Errorf("%s left %d bytes", name, left)
		}
	}
	extract("a file with holes", bytes.NewReader(holes(t, 8<<20)), "", backup.ErrNoBackup)
	extract("a work factor of 30", strings.NewReader("age-encryption.org/v1\n-> scrypt bBjlhJVYZeE4aqUdmtRHfw 30\n"+strings.Repeat("A", 43)+"\n--- "+strings.Repeat("A", 43)+"\n"+strings.Repeat("x", 64)),
		"pass", backup.ErrDamaged)
	endless := io.MultiReader(strings.NewReader("age-encryption.org/v1\n-> "), io.LimitReader(letters{}, 1<<40), strings.NewReader("\n"))
	extract("a header without end", endless, "pass", backup.ErrDamaged)
}

// letters are any number of them.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// holes is a backup whose outbox is said to have so many bytes, none of which it has.
func holes(t *testing.T, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, body string) {
		h.Size, h.Mode = int64(len(body)), 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: "waoutbox-backup.json", Typeflag: tar.TypeReg}, `{"format":1}`)
	// archive/tar writes none of these: this is what follows a header of the form PAX 1.0
	pax := ""
	for _, kv := range [][2]string{{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", store.OutboxFile}, {"GNU.sparse.realsize", strconv.FormatInt(size, 10)}} {
		record := " " + kv[0] + "=" + kv[1] + "\n"
		n := len(record) + 2 // of two digits
		pax += strconv.Itoa(n) + record
	}
	none := "1\n" + strconv.FormatInt(size, 10) + "\n0\n"
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	raw := func(name string, kind byte, body string) {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000600\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00", len(body), 0))
		copy(h[148:], "        ")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		out.Write(h)
		out.WriteString(body)
		out.Write(make([]byte, (512-len(body)%512)%512))
	}
	raw("PaxHeaders.0/"+store.OutboxFile, 'x', pax)
	raw(store.OutboxFile, '0', none+strings.Repeat("\x00", 512-len(none)))
	out.Write(make([]byte, 1024))
	return out.Bytes()
}

// stepEnv tells the child of TestKilledInARestore where and when to die.
const stepEnv = "WAOUTBOX_TEST_RESTORE_DIES_AT"

// TestKilledInARestore kills a process at every moment of a restore, twice in a row at each: what
// the next one finds is the old state or the new one, whole.
//
// Mutation of replace.go: a restore that stops where it was killed.
func TestKilledInARestore(t *testing.T) {
	if where := os.Getenv(stepEnv); where != "" {
		restoreAndDie(t, where)
		return
	}
	t.Parallel()
	seen := map[string]int{}
	for _, step := range []string{"staged:1", "committed:1", "moved:1", "moved:2", "moved:3", "moved:4", "placed:1", "placed:2", "placed:3", "placed:4", "kept:1", "never:1"} {
		dir := t.TempDir()
		files(t, dir, "old")
		die := func(step string) {
			c := exec.Command(os.Args[0], "-test.run=^TestKilledInARestore$")
			c.Env = append(os.Environ(), stepEnv+"="+step, "WAOUTBOX_TEST_DIR="+dir)
			_ = c.Run() // it is killed
		}
		die(step)
		if backup.Pending(dir) {
			die(step) // while it goes on with it
		}
		if backup.Pending(dir) {
			if _, err := backup.Finish(dir, time.Now(), func(string) {}); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
		which := ""
		for _, name := range []string{store.OutboxFile, store.ConfigFile, store.KeyFile, store.SecretsDir + "/one"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatalf("%s: %v", step, err)
			}
			is, _, _ := strings.Cut(string(text), " ")
			if which == "" {
				which = is
			}
			if is != which {
				t.Errorf("%s: %s is of the %s state and the outbox of the %s one", step, name, is, which)
			}
		}
		if which == "new" {
			old, err := filepath.Glob(filepath.Join(dir, "replaced-*", store.OutboxFile))
			if err != nil || len(old) != 1 {
				t.Errorf("%s: what was there before is in %v, %v", step, old, err)
			}
		}
		seen[which]++
	}
	if seen["old"] != 1 || seen["new"] != 11 {
		t.Errorf("it ended in %v", seen)
	}
}

func restoreAndDie(t *testing.T, where string) {
	dir := os.Getenv("WAOUTBOX_TEST_DIR")
	name, count, _ := strings.Cut(where, ":")
	left := int(count[0] - '0')
	step := func(s string) {
		if s == name {
			if left--; left == 0 {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				t.Error(err)
				select {}
			}
		}
	}
	if !backup.Pending(dir) {
		staged, err := backup.Staged(dir)
		if err != nil {
			t.Fatal(err)
		}
		files(t, staged, "new")
		if err := backup.Commit(dir, step); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := backup.Finish(dir, time.Now(), step); err != nil {
		t.Fatal(err)
	}
}

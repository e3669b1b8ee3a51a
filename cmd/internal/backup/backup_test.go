package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

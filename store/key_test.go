package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"waoutbox/store"
)

func openKey(t *testing.T, path string) *store.Key {
	t.Helper()
	k, err := store.OpenKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Mutation of key.go: a sealed secret opens for another webhook.
func TestKeySeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	if _, err := store.OpenKey(path, true); !errors.Is(err, store.KeyMissing) || !strings.Contains(err.Error(), path) {
		t.Fatalf("a missing key beside sealed secrets: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a key was made although secrets were sealed with another")
	}
	k, err := store.OpenKey(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && mode(t, path) != 0o600 {
		t.Errorf("key has mode %o", mode(t, path))
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("making a key left %v", entries)
	}
	secret := []byte("whsec_test")
	sealed, err := k.Seal(secret, "wh_a/secret")
	if err != nil || bytes.Contains(sealed, secret) {
		t.Fatalf("Seal = %q, %v", sealed, err)
	}
	if again, _ := k.Seal(secret, "wh_a/secret"); bytes.Equal(again, sealed) {
		t.Error("sealing twice gives the same bytes: the nonce is not random")
	}
	if plain, err := openKey(t, path).Open(sealed, "wh_a/secret"); err != nil || !bytes.Equal(plain, secret) {
		t.Errorf("Open with the key read again = %q, %v", plain, err)
	}
	other, err := store.OpenKey(filepath.Join(t.TempDir(), store.KeyFile), false)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) []byte { b := bytes.Clone(sealed); b[i] ^= 1; return b }
	for what, open := range map[string]func() ([]byte, error){
		"another context": func() ([]byte, error) { return k.Open(sealed, "wh_b/secret") },
		"another key":     func() ([]byte, error) { return other.Open(sealed, "wh_a/secret") },
		"another version": func() ([]byte, error) { return k.Open(flip(0), "wh_a/secret") },
		"a flipped bit":   func() ([]byte, error) { return k.Open(flip(len(sealed)-1), "wh_a/secret") },
		"cut off":         func() ([]byte, error) { return k.Open(sealed[:5], "wh_a/secret") },
		"nothing":         func() ([]byte, error) { return k.Open(nil, "wh_a/secret") },
	} {
		if plain, err := open(); err == nil || strings.Contains(err.Error(), string(secret)) {
			t.Errorf("%s: Open = %q, %v", what, plain, err)
		}
	}
}

// Mutation of store/private/private_unix.go: a key file that others may read stays so.
func TestKeyRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenKey(path, false); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("a short key: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := errors.Join(os.WriteFile(path, make([]byte, 32), 0o600), os.Chmod(path, 0o622)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenKey(path, true); err == nil || !strings.Contains(err.Error(), "written by others") {
		t.Errorf("a key others can write: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openKey(t, path)
	if m := mode(t, path); m != 0o600 {
		t.Errorf("a readable key kept mode %o", m)
	}
}

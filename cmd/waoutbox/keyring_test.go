package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"waoutbox/store"
)

// A lost key: nothing is opened, the alarm is up, and both ways out of it work without a restart.
func TestLostKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	log := slog.New(slog.DiscardHandler)
	first, err := openKeyring(path, false, log)
	if err != nil {
		t.Fatal(err)
	}
	old, err := first.seal([]byte("old"), "wh_1")
	if err != nil {
		t.Fatal(err)
	}
	backup := path + ".backup"
	if err := os.Rename(path, backup); err != nil {
		t.Fatal(err)
	}

	k, err := openKeyring(path, true, log)
	if err != nil {
		t.Fatalf("a missing key must not stop the service: %v", err)
	}
	if _, err := k.unseal(old, "wh_1"); !errors.Is(err, store.ErrKeyMissing) {
		t.Errorf("unseal: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("opening a secret made a new key: the old one could no longer be told from it")
	}
	if a := k.alarms(); len(a) != 1 || a[0].Code != "key_missing" || a[0].Since.IsZero() {
		t.Errorf("alarms %+v", a)
	}

	// The file is put back.
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	if plain, err := k.unseal(old, "wh_1"); err != nil || string(plain) != "old" {
		t.Errorf("with the key back: %q, %v", plain, err)
	}
	if a := k.alarms(); len(a) != 0 {
		t.Errorf("alarms %+v", a)
	}

	// It is lost for good: the secret is set again, as the alarm says.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if k, err = openKeyring(path, true, log); err != nil {
		t.Fatal(err)
	}
	again, err := k.seal([]byte("new"), "wh_1")
	if err != nil {
		t.Fatalf("setting the secret again: %v", err)
	}
	if plain, err := k.unseal(again, "wh_1"); err != nil || string(plain) != "new" {
		t.Errorf("the new secret: %q, %v", plain, err)
	}
	if plain, err := k.unseal(old, "wh_1"); err == nil {
		t.Errorf("a secret sealed with the lost key was opened: %q", plain)
	}
	if a := k.alarms(); len(a) != 0 {
		t.Errorf("alarms %+v", a)
	}
}

func TestUnusableKeyIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.KeyFile)
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeyring(path, true, slog.New(slog.DiscardHandler)); err == nil || errors.Is(err, store.ErrKeyMissing) {
		t.Errorf("got %v", err)
	}
}

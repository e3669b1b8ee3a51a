//go:build !windows

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever may write the settings chooses the server the account is linked through.
func TestSettingsOthersCanWriteAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := Set(path, KeyLogLevel, "warn"); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o666: true, 0o620: true, 0o602: true, 0o600: false, 0o644: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		v, _, err := Get(path, KeyLogLevel)
		if refused != (err != nil) || !refused && v != "warn" || refused && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %q, %v", mode, v, err)
		}
	}
}

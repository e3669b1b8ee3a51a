package servicemanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The library itself, with a systemctl that takes everything: the unit is ours to the byte,
// whatever words a path has, one that is installed is replaced, and nothing is left.
func TestTheLibraryWritesOurUnit(t *testing.T) {
	home, config := t.TempDir(), t.TempDir()
	log := filepath.Join(home, "log")
	if err := os.WriteFile(filepath.Join(home, "systemctl"), []byte("#!/bin/sh\necho \"$@\" >>"+log+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("PATH", home+":"+os.Getenv("PATH"))
	s := Service{Executable: "/opt/{{Name}} 100%/waoutbox", StateDir: "/srv/{{if x}}", GOOS: "linux", UID: 1000, Getenv: os.Getenv}
	for _, executable := range []string{s.Executable, "/opt/new/waoutbox"} {
		s.Executable = executable
		st, err := s.Install(t.Context(), nothing)
		if err != nil || st.Executable != executable || st.File != filepath.Join(home, ".config/systemd/user", st.Name) {
			t.Fatalf("%+v, %v", st, err)
		}
		// where a systemd with XDG_CONFIG_HOME looks
		if unit, err := os.ReadFile(filepath.Join(config, "systemd/user", st.Name)); err != nil || string(unit) != (systemd{s}).text() {
			t.Errorf("%v, the unit is\n%s", err, unit)
		}
	}
	if _, err := s.Uninstall(t.Context()); err != nil {
		t.Error(err)
	}
	for _, dir := range []string{home, config} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".service") {
				t.Errorf("%s is left", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	asked, err := os.ReadFile(log)
	for _, want := range []string{"enable --user waoutbox-", "restart --user waoutbox-", "stop --user waoutbox-", "disable --user waoutbox-"} {
		if err != nil || !strings.Contains(string(asked), want) {
			t.Errorf("%v, nothing was asked like %q:\n%s", err, want, asked)
		}
	}
}

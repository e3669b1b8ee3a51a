package servicemanager

import (
	"os"
	"path/filepath"
	"testing"

	"waoutbox/cmd/internal/windowsservice"
)

// The state directory of a service is made, or taken with what this user has in it; a file in its
// place is not.
func TestCloseDir(t *testing.T) {
	dir, sid := filepath.Join(t.TempDir(), "a", "state"), windowsservice.SID("waoutbox")
	for _, file := range []string{"config.json", "key"} {
		if err := newControl().closeDir(dir, sid); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Errorf("it is closed to who made it: %v", err)
		}
	}
	if err := newControl().closeDir(filepath.Join(dir, "key"), sid); err == nil {
		t.Error("a file became a state directory")
	}
}

// The service control manager says of a service that is not there that it is not installed.
func TestStateOfNone(t *testing.T) {
	if st, err := newControl().state("waoutbox-none"); err != nil || st.Installed {
		t.Errorf("%+v, %v", st, err)
	}
}

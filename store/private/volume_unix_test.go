//go:build unix

package private

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// A volume whose group is the container's own is taken; one that everybody writes to, one of
// another group, and a directory that is no volume are not.
//
// Mutation of private_unix.go: a directory of a group that is no volume is taken for one.
func TestAVolumeOfAContainer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode    fs.FileMode
		gid     int
		mounted bool
		want    bool
	}{
		{0o775 | fs.ModeSetgid, 2000, true, true}, {0o770, 2000, true, true}, {0o777, 2000, true, false},
		{0o770, 3000, true, false}, {0o770, 2000, false, false},
	} {
		if got := isOwnVolume(tt.mode, tt.gid, []int{1000, 2000}, tt.mounted); got != tt.want {
			t.Errorf("mode %v of group %d, mounted %v: %v", tt.mode, tt.gid, tt.mounted, got)
		}
	}
	dir := t.TempDir()
	info, err := os.Lstat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || isMounted(dir, st) {
		t.Errorf("%s is taken for a volume", dir)
	}
}

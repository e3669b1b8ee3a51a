package crash

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"waoutbox/store/failpoint"
)

// The program that people run has no failpoint in it: not even the name of one.
func TestANormalBuildHasNoFailpoints(t *testing.T) {
	for _, tags := range []string{"", "failpoints"} {
		program := filepath.Join(t.TempDir(), "waoutbox")
		if runtime.GOOS == "windows" {
			program += ".exe"
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", program, "waoutbox/cmd/waoutbox")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		in := func(p failpoint.Point) bool { return bytes.Contains(b, []byte(p)) }
		if found := slices.ContainsFunc(failpoint.All(), in); found != (tags != "") {
			t.Errorf("built with tags %q: has failpoints in it: %v", tags, found)
		}
	}
}

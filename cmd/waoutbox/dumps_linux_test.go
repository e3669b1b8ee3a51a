package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Another process of the test binary forbids its dumps and shows what the system says of it.
//
// Mutation of dumps_linux.go: a core file holds keys and messages.
func TestNoDumps(t *testing.T) {
	if os.Getenv("WAOUTBOX_TEST_DUMPS") != "" {
		forbidDumps()
		limits, err := os.ReadFile("/proc/self/limits")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(limits)) {
			if strings.HasPrefix(line, "Max core file size") {
				t.Log(strings.Join(strings.Fields(line), " "))
			}
		}
		t.Logf("dumpable %d", dumpable())
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestNoDumps$", "-test.v")
	cmd.Env = append(os.Environ(), "WAOUTBOX_TEST_DUMPS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Max core file size 0 0 bytes") || !strings.Contains(string(out), "dumpable 0") {
		t.Errorf("%v\n%s", err, out)
	}
	if dumpable() != 1 {
		t.Errorf("before, this process is dumpable %d", dumpable())
	}
}

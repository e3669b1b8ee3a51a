package baileystest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"go.mau.fi/libsignal/logger"
)

// packageVariable names the environment variable with the directory in which npm has installed the
// package, the one that has node_modules; installedThere is where .ci/baileys/run does.
const (
	packageVariable = "WAOUTBOX_BAILEYS"
	installedThere  = "../../.ci/baileys"
)

type silent struct{}

func (silent) Debug(string, string)   {}
func (silent) Info(string, string)    {}
func (silent) Warning(string, string) {}
func (silent) Error(string, string)   {}
func (silent) Configure(string)       {}

func TestMain(m *testing.M) {
	var quiet logger.Loggable = silent{}
	logger.Setup(&quiet)
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// installed returns where node and the package are; false, and a line in the test's log, on a
// machine without them. With the variable set their absence fails the test.
func installed(t *testing.T) (node, pkg string, ok bool) {
	t.Helper()
	dir, absent := os.Getenv(packageVariable), t.Fatalf
	if dir == "" {
		dir, absent = installedThere, func(format string, args ...any) {
			t.Logf("NOT RUN: "+format+"; .ci/baileys/run installs what is missing", args...)
		}
	}
	pkg, err := filepath.Abs(filepath.Join(dir, "node_modules", "@whiskeysockets", "baileys"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(pkg, "lib", "index.js")); err != nil {
		absent("the npm package is not in %s", dir)
		return "", "", false
	}
	if node, err = exec.LookPath("node"); err != nil {
		absent("there is no node: %v", err)
		return "", "", false
	}
	return node, pkg, true
}

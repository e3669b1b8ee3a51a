package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// scriptElsewhere is `elsewhere args...`: it runs the program on the state in $STATE, which is not
// the usual one, whatever its exit code, and wants every command in its output to name the state
// directory. With `file NAME` in the place of the arguments it reads that file.
func scriptElsewhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: elsewhere args... | elsewhere file NAME")
	}
	if args[0] == "file" {
		wantNamed(ts, ts.ReadFile(args[1]))
		return
	}
	if err := ts.Exec("waoutbox", append([]string{"--state-dir", ts.Getenv("STATE")}, args...)...); err != nil {
		ts.Logf("it ended with: %v", err)
	}
	wantNamed(ts, ts.ReadFile("stdout")+ts.ReadFile("stderr"))
}

// wantNamed fails if a text names a command without a state directory.
func wantNamed(ts *testscript.TestScript, text string) {
	for _, m := range regexp.MustCompile(`waoutbox ([a-z][a-z-]*)[^\n]{0,60}`).FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[0], " --help") { // which is the same everywhere
			continue
		}
		if slices.ContainsFunc(hintsRoot().Commands(), func(c *cobra.Command) bool { return c.Name() == m[1] }) {
			ts.Fatalf("%q names no state directory, in:\n%s", m[0], strings.TrimSpace(text))
		}
	}
}

package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// nextLine is a command that a result says to run next.
var nextLine = regexp.MustCompile(`(?m)^Next: waoutbox (.*)$`)

// unrun are commands of Next lines that talk to the real state of the machine, or wait for a person
// or a phone: their words are checked by TestHintsNameWhatExists.
var unrun = []string{"pair", "config set", "event list --follow", "deadletter replay --watch"}

// runNext runs each command that res says to run next, in the state that the command before left: a
// usage error in it would be one that we told somebody to make.
func runNext(t *testing.T, f *fakeService, res result) {
	t.Helper()
	f.prepare = nil // what there was is there
	for _, m := range nextLine.FindAllStringSubmatch(res.out, -1) {
		line, _, _ := strings.Cut(m[1], "   (") // a remark
		_, inner, elsewhere := strings.Cut(line, "--state-dir /srv/wa ")
		if elsewhere {
			line = inner
		}
		if slices.ContainsFunc(unrun, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			continue
		}
		line = strings.ReplaceAll(line, " URL", " http://localhost:5678/webhook/next")
		next := invoke(t, f, "", strings.Fields(line)...)
		if next.code == exitUsage && !strings.Contains(next.err, "Run it with --yes to do so") || next.code == exitFailed && strings.HasPrefix(next.err, "error: no webhook") {
			t.Errorf("it says to run `waoutbox %s` next, which exits %d: %s", line, next.code, next.err)
		}
	}
}

// TestHelpExamplesRun runs every example of every help text as far as it goes without a service:
// the command is there, and takes those flags and arguments.
func TestHelpExamplesRun(t *testing.T) {
	t.Parallel()
	ran := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			rest, ok := strings.CutPrefix(line, "waoutbox ")
			if !ok {
				continue // what it is piped from or set beside
			}
			ran++
			checkExample(t, rest)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRootCmd(newEnv(nil, func(string) string { return "" }, strings.NewReader(""), os.Stderr, os.Stderr)))
	if ran < 30 {
		t.Errorf("only %d examples were found", ran)
	}
}

// checkExample parses an example as the program does and checks its arguments, without running it.
func checkExample(t *testing.T, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "  ") // what it is for
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " >")
	line, _, _ = strings.Cut(line, " <")
	line, _, _ = strings.Cut(line, " && ")
	words := shellWords(line)
	root := newRootCmd(newEnv(nil, func(string) string { return "" }, strings.NewReader(""), os.Stderr, os.Stderr))
	cmd, rest, err := root.Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("the example %q of the help: %v", line, err)
	}
}

// shellWords takes a line apart where there are no escapes but quotes.
func shellWords(line string) (words []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}

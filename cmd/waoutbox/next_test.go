package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/outbox/api"
)

// served are commands that a result names and that do not go through the fake: they are the service
// itself. cmd/internal/e2e runs them.
var served = []string{"serve", "logs", "service"}

// runNext runs each command that res names, in the state that the command before left: a usage
// error in it would be one that we told somebody to make.
func runNext(t *testing.T, f *fakeService, res result) {
	t.Helper()
	f.prepare, f.fail = nil, nil // what there was is there, and what was in the way is mended
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	stateDir := t.TempDir() // for what changes the settings
	for _, line := range printedCommands(res.out + res.err) {
		if slices.ContainsFunc(served, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			continue
		}
		words := shellWords(line)
		for i, w := range words {
			words[i] = cmp.Or(map[string]string{"URL": "http://localhost:5678/webhook/next", "TEXT": "hello", "FILE": file, "ID": "1"}[w], w)
		}
		// in a bubble it takes no time; what follows or watches ends with it
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		next := invokeUntil(ctx, t, f, "", func(e *env) {
			e.getenv = func(name string) string {
				return map[string]string{"WAOUTBOX_STATE_DIR": stateDir, "HOME": "/home/alice"}[name]
			}
		}, words...)
		cancel()
		if next.code == exitUsage && !strings.Contains(next.err, "Run it with --yes to do so") || next.code == exitFailed && strings.HasPrefix(next.err, "error: no webhook") {
			t.Errorf("it says to run `waoutbox %s`, which exits %d: %s", line, next.code, next.err)
		}
	}
}

// printedCommands returns the command lines in what a command printed. One at the end of its line
// is taken as it stands; in the middle of a sentence it ends where the rest is no command any more.
func printedCommands(text string) (lines []string) {
	root := hintsRoot()
	known := func(words []string) bool {
		if len(words) == 0 {
			return false
		}
		cmd, rest, err := root.Find(words)
		return err == nil && cmd != root && len(rest) < len(words)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "{") || strings.Contains(line, "[command]") || strings.Contains(line, "[flags]") {
			continue // of a program's results, and of a usage line
		}
		names := programName.FindAllStringIndex(line, -1)
		for i, at := range names {
			if strings.HasSuffix(line[:at[0]+1], "error: ") {
				continue // what a sentence is about
			}
			end := len(line)
			if i+1 < len(names) {
				end = names[i+1][0]
			}
			command, _, _ := strings.Cut(line[at[1]:end], "   ") // a remark
			if _, inner, elsewhere := strings.Cut(command, "--state-dir "); elsewhere {
				_, command, _ = strings.Cut(inner, " ")
			}
			words := strings.Fields(command)
			whole := end == len(line)
			for n, w := range words {
				if bare := strings.TrimRight(w, ".,;)"); bare != w { // a sentence goes on
					words, whole = append(words[:n:n], bare), false
					break
				}
			}
			for !whole && len(words) > 1 && exampleFault(strings.Join(words, " ")) != nil {
				words = words[:len(words)-1]
			}
			if known(words) {
				lines = append(lines, strings.Join(words, " "))
			}
		}
	}
	return lines
}

// TestPrintedCommands holds what is taken for a command.
func TestPrintedCommands(t *testing.T) {
	for text, want := range map[string]string{
		"Next: waoutbox webhook add URL\n":                                                                "webhook add URL",
		"Next: waoutbox deadletter replay --url wh_9QRT   (23 dead letters)\n":                            "deadletter replay --url wh_9QRT",
		"? cannot be read now; the alarms of waoutbox status say why.\n":                                  "status",
		"waoutbox 0.1.0 runs (pid 4711) on ~/state\n":                                                     "",
		"error: waoutbox webhook pause needs a webhook's URL or id. See: waoutbox webhook pause --help\n": "webhook pause --help",
		"Stop it: waoutbox stop\n":                                                                        "stop",
		"Mend that, then: waoutbox start (its log: waoutbox logs)\n":                                      "start, logs",
		"error: Look: waoutbox --state-dir /srv/wa webhook add wh_1; waoutbox status\n":                   "webhook add wh_1, status",
		"Next: waoutbox status now\n":                                                                     "status now",
	} {
		if got := strings.Join(printedCommands(text), ", "); got != want {
			t.Errorf("%q has the commands %q, want %q", text, got, want)
		}
	}
}

// TestHelpExamplesParse looks at every example of every help text as far as it goes without a
// service: the command is there, and takes those flags and arguments. cmd/internal/e2e runs them.
func TestHelpExamplesParse(t *testing.T) {
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

// checkExample checks an example as far as that goes without running it.
func checkExample(t *testing.T, line string) {
	t.Helper()
	if err := exampleFault(line); err != nil {
		t.Errorf("the example %q of the help: %v", line, err)
	}
}

// exampleFault parses a command line as the program does and checks its arguments.
func exampleFault(line string) error {
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
	return err
}

// shellWords takes a line apart where there are no escapes but quotes.
func shellWords(line string) (words []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}

// What status says to do next is what its alarms want. Before, it was the dead letters while a
// webhook was paused or another program had the session, and the start of a service without its
// key.
func TestNextOfStatusKnowsTheAlarms(t *testing.T) {
	held := replayable(2)
	held.hooks[1].Status = api.WebhookPaused
	keyless := healthy()
	keyless.status.Daemon = nil
	keyless.status.Alarms = []api.Alarm{{Code: "key_missing", Message: "secrets were sealed with key, and that file is missing"}}
	taken := replayable(2)
	taken.status.Alarms = []api.Alarm{{Code: "link_replaced", Message: "Another program uses this session"}}
	for want, f := range map[string]*fakeService{"connect": taken, "webhook resume wh_9QRT": held, "doctor": keyless} {
		if res := invoke(t, f, "", "status"); !strings.HasSuffix(res.out, "\nNext: waoutbox "+want+"\n") {
			t.Errorf("%s is not what comes next: %+v", want, res)
		}
	}
}

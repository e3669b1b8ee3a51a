package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
)

// documentLine is a line for a shell in a block of a document.
type documentLine struct{ file, text string }

// documentLines returns the lines of the blocks that a shell runs, in README.md and docs.
func documentLines(t *testing.T) (all []documentLine) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^ *```(?:sh)?\n(.*?)^ *```$")
	for _, path := range append([]string{filepath.Join(root, "README.md")}, paths...) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Blocks of other languages are taken out, so that their ends are no beginnings.
		text := regexp.MustCompile("(?ms)^ *```[a-z]+\n.*?^ *```$").ReplaceAllStringFunc(string(b), func(s string) string {
			if strings.HasPrefix(strings.TrimSpace(s), "```sh\n") {
				return s
			}
			return ""
		})
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[1]) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					all = append(all, documentLine{filepath.Base(path), line})
				}
			}
		}
	}
	return all
}

// notRun are the documents, and the lines of the others, that TestDocumentLines leaves to somebody
// else, and to whom.
var notRun = map[string]string{
	"BENCHMARKS.md":   "they take hours and decide nothing",
	"CONTRIBUTING.md": "they are the checks themselves",
	"FIRST-RUN.md":    ".ci/firstrun/run, which .ci/run runs",
	"MUTATIONS.md":    "TestDocumentsSelectTests knows the tests, .ci/mutations runs them",

	"HTTP.md: [^w]":         "TestHTTPExamples",
	"README.md: wasim ":     ".ci/firstrun/run",
	"README.md: eval ":      ".ci/firstrun/run",
	"README.md: .*wasim":    ".ci/firstrun/run",
	"README.md: go ":        ".ci/run: the tests, and the demo",
	"README.md: claude ":    "a program of its own",
	"REAL-PHONE.md: export": "the rig has a state directory of its own",
	"RECIPES.md: npm ":      ".ci/recipes/run",
	"RECIPES.md: pip ":      ".ci/recipes/run",
}

// endless are the commands that go on until they are stopped, and what they print first.
var endless = map[string]string{
	"waoutbox event list --follow":  "evt_",
	"waoutbox listen":               "http://127.0.0.1",
	"waoutbox serve ":               "another waoutbox",
	"waoutbox-shop pair":            "Linked devices",
	"waoutbox --state-dir .* start": "runs",
}

// leftTo returns who runs a line in the place of this test, "" if it is this test.
func leftTo(l documentLine) string {
	if why := notRun[l.file]; why != "" {
		return why
	}
	for pattern, why := range notRun {
		if strings.Contains(pattern, ": ") && regexp.MustCompile("^"+pattern).MatchString(l.file+": "+l.text) {
			return why
		}
	}
	return ""
}

// TestDocumentLines runs the lines for a shell that README.md and docs show, in their order, on a
// linked service with dead letters, as far as nobody else runs them.
func TestDocumentLines(t *testing.T) {
	t.Parallel()
	needs(t, "sh", "curl")
	r := newRig(t)
	r.serve("--http", "127.0.0.1:0")
	r.pair()
	bob, carol := r.phone.NewContact("Bob", "15550100123"), r.phone.NewContact("Carol", "15550100456")
	recv, dead := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	r.deadLetters(dead, 3, bob)
	letter := lines[struct{ ID string }](r, "deadletter", "list")[0].ID
	sent := r.write(1, carol)
	quoted, err := bob.SendText(r.within(time.Minute), "Is my order ready?")
	if err != nil {
		t.Fatal(err)
	}
	r.arrived(quoted)
	r.arrived(sent[0])

	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "shop")
	t.Cleanup(func() {
		stop := exec.Command(binary, "--state-dir", other, "stop")
		_ = stop.Run() // it may not run
	})
	here := func(l documentLine) string {
		url := recv.URL()
		if l.file == "OPERATIONS.md" {
			url = dead.URL()
		}
		return strings.NewReplacer("http://127.0.0.1:8080", r.status().Daemon.HTTP.URL, "http://localhost:5678/webhook/whatsapp", url,
			"~/.local/state/waoutbox-shop", other, "~/.local/state/waoutbox", r.stateDir, "dl_wh_7K2M9Q4T_1042", letter,
			"3A5F0C91B7D24E68A113", quoted, "/var/lib/node_exporter", dir, "/srv/backup", dir, "/etc/waoutbox", dir).Replace(l.text)
	}
	env := append(exampleEnv(t, r, dir), "WAOUTBOX_STATE_DIR="+r.stateDir)
	ran := 0
	for _, l := range documentLines(t) {
		if leftTo(l) != "" {
			continue
		}
		ran++
		for _, line := range alternatives(here(l)) {
			cmd := exec.CommandContext(r.within(time.Minute), "sh", "-c", line)
			cmd.Dir, cmd.Env = dir, env
			if strings.Contains(line, " restore ") { // into a state directory without a service
				cmd.Env = append(env[:len(env):len(env)], "WAOUTBOX_STATE_DIR="+filepath.Join(dir, "restored"))
			}
			if err := runLine(cmd, firstOutput(l.text)); err != nil {
				t.Errorf("%s: %s: %v", l.file, l.text, err)
			}
		}
	}
	t.Logf("%d lines", ran)
	if ran < 30 {
		t.Errorf("only %d lines were run: they are no longer seen", ran)
	}
}

// alternatives are the commands of a line that names several of them as a|b|c.
func alternatives(line string) (all []string) {
	m := regexp.MustCompile(`^(.*) ((?:[a-z]+\|)+[a-z]+) (.*)$`).FindStringSubmatch(line)
	if m == nil {
		return []string{line}
	}
	for name := range strings.SplitSeq(m[2], "|") {
		all = append(all, m[1]+" "+name+" "+m[3])
	}
	return all
}

// firstOutput is what an endless command prints first, "" of one that ends.
func firstOutput(line string) string {
	for pattern, first := range endless {
		if regexp.MustCompile(pattern).MatchString(line) {
			return first
		}
	}
	return ""
}

// runLine runs a command, to its end, or until it has printed what an endless one prints.
func runLine(cmd *exec.Cmd, first string) error {
	if first == "" {
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%.1500s", err, out)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	endless := exec.CommandContext(ctx, cmd.Args[0], "-c", "exec "+cmd.Args[2])
	endless.Dir, endless.Env = cmd.Dir, cmd.Env
	endless.Cancel = func() error { return endless.Process.Signal(os.Interrupt) }
	out, err := endless.StdoutPipe()
	if err != nil {
		return err
	}
	endless.Stderr = endless.Stdout
	if err := endless.Start(); err != nil {
		return err
	}
	var seen bytes.Buffer
	found := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		seen.Write(lines.Bytes())
		if !found && strings.Contains(seen.String(), first) {
			found = true
			cancel()
		}
	}
	_ = endless.Wait() // how it ends is not what is asked
	if !found {
		return fmt.Errorf("it did not print %q:\n%.1500s", first, seen.String())
	}
	return nil
}

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
)

// namedCommand is a command line at the end of a line of what a command printed.
var namedCommand = regexp.MustCompile(`(?m)(?:^Next: |^ *|[^r]: )waoutbox ((?:--state-dir \S+ )?[a-z][^\n]*)$`)

// untilStopped are commands that go on, and what they print first.
var untilStopped = []struct{ begins, first string }{
	{"event list --follow", ""},
	{"listen", "Listening as"},
	{"pair", "inked devices"},
	{"serve", "control.sock ready"},
	{"logs --follow", "msg="},
}

// follower runs commands, and what they say is to be run next.
type follower struct {
	*rig
	env  []string
	dir  string
	hook string // what stands in the place of URL
	seen map[string]bool
	ran  int
}

// follow runs a command line, then each command that it names, in the state that is then, and so on
// a few times. None of them may be refused for what was typed: that was us.
func (f *follower) follow(depth int, line string) {
	f.t.Helper()
	line = strings.NewReplacer(" URL", " "+f.hook, " TEXT", " hello", " FILE", " "+filepath.Join(f.dir, "file"), " SETTING VALUE", " max-in-flight 8", " HEX", " "+strings.Repeat("ab", 32), ":PORT/", ":7710/",
		"http 127.0.0.1:8080", "http 127.0.0.1:0").Replace(line) // that port may be somebody else's
	first := ""
	for _, u := range untilStopped {
		if strings.HasPrefix(line, u.begins) {
			first = u.first
			if u.first == "" {
				return // TestHelpExamplesRun runs it, with something to be shown
			}
		}
	}
	cmd := exec.CommandContext(f.within(time.Minute), "sh", "-c", "waoutbox "+line)
	cmd.Dir, cmd.Env = f.dir, f.env
	f.ran++
	if first != "" {
		if err := runLine(cmd, first); err != nil {
			f.t.Errorf("waoutbox %s: %v", line, err)
		}
		return
	}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if code := cmd.ProcessState.ExitCode(); err != nil && (code == 2 && !strings.Contains(text, "Run it with --yes") || code < 0 || code > 3) {
		f.t.Errorf("waoutbox %s: %v\n%.1000s", line, err, text)
	}
	if depth == 0 || strings.HasSuffix(line, "--help") { // TestHelpExamplesRun runs its examples
		return
	}
	for _, m := range namedCommand.FindAllStringSubmatch(text, -1) {
		next, _, _ := strings.Cut(m[1], "   ")
		if _, inner, elsewhere := strings.Cut(next, f.stateDir+" "); elsewhere {
			next = inner
		}
		next, _, _ = strings.Cut(next, "  (")        // a remark
		next, _, _ = strings.Cut(next, ", or start") // a second way
		next = strings.TrimSpace(strings.TrimRight(next, ".,;)"))
		if !f.seen[next] && !strings.Contains(next, "[flags]") {
			f.seen[next] = true
			f.follow(depth-1, next)
		}
	}
}

// in follows commands in a state, whatever was run in the one before.
func (f *follower) in(lines ...string) {
	f.t.Helper()
	f.seen = map[string]bool{}
	for _, line := range lines {
		f.follow(3, line)
	}
}

// TestNextLinesRun takes the real program through its states, from none to dead letters and back,
// and in each runs what every command says is to be run next.
func TestNextLinesRun(t *testing.T) {
	t.Parallel()
	needs(t, "sh")
	r := newRig(t)
	dir := shortDir(t)
	f := &follower{rig: r, dir: dir, env: append(exampleEnv(t, r, dir), "WAOUTBOX_STATE_DIR="+r.stateDir)}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	good, bad := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	f.hook = good.URL()

	// nothing yet: pair starts the service
	f.in("status", "webhook list", "doctor --offline", "audit", "http-token", "metrics", "open --print", "pair")
	t.Cleanup(func() { r.run("stop") })
	// a service without an account
	f.in("status", "webhook list", "event list", "deadletter", "deadletter list", "group list", "send text +15550100123 hello", "audit", "disconnect", "connect", "config list", "webhook allow n8n.example")
	r.pair()
	r.mustRun("config", "unset", "webhook-policy")
	bob := r.phone.NewContact("Bob", "15550100123")
	r.phone.NewGroup("Team", bob)
	r.arrived(r.write(1, bob)[0])
	// an account, events, and no webhook that fails
	f.in("status", "event list", "event show 1", "group list", "contact find bob", "contact find nobody", "send text +15550100123 hello", "backup b.backup", "http-token", "mcp config claude-code", "webhook add "+good.URL()+" --generate-secret")
	w := r.deadLetters(bad, 3, bob)
	letter := lines[struct{ ID string }](r, "deadletter", "list")[0].ID
	bad.SetScript(receiver.MustScript("503"), false)
	// dead letters, of an endpoint that fails still
	f.in("status", "deadletter", "deadletter list", "deadletter show "+letter, "webhook show "+w.ID, "webhook show "+w.ID+" --attempts", "webhook test "+w.ID,
		"deadletter replay --all --dry-run", "event replay --url "+w.ID+" --since 1h --dry-run", "deadletter replay --status")
	bad.SetScript(nil, false)
	// what stands still on request, and what was removed
	f.in("webhook pause "+w.ID, "webhook show "+w.ID, "webhook resume "+w.ID, "webhook rotate-secret "+w.ID, "webhook rotate-secret "+w.ID+" --promote", "webhook remove "+w.ID)
	r.run("webhook", "remove", w.ID, "--yes") // if it is there still
	f.in("deadletter", "deadletter replay --all", "deadletter show "+letter, "webhook add "+w.ID)
	f.in("deadletter replay --all --detach", "deadletter replay --watch", "deadletter", "restart")
	r.mustRun("stop")
	// no service: what starts one is at the end
	f.in("metrics", "logs", "webhook list", "deadletter", "event list --limit 3", "deadletter replay --all", "status", "webhook show "+w.ID+" --attempts", "stop")
	t.Logf("%d commands", f.ran)
	if f.ran < 100 {
		t.Errorf("only %d commands were run: they are no longer seen", f.ran)
	}
}

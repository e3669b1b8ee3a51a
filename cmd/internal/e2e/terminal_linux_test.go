package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"waoutbox/dispatcher/receiver"
)

// terminal is a pseudo-terminal: what a program writes to its far end is read here.
type terminal struct {
	near, far *os.File
	seen      *lockedBuffer
	ended     chan struct{} // closed when nothing writes to it any more
}

// openTerminal opens a terminal of so many columns.
func openTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(near.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns}); err != nil {
		t.Fatal(err)
	}
	tty := &terminal{near, far, &lockedBuffer{}, make(chan struct{})}
	go func() {
		defer close(tty.ended)
		b := make([]byte, 4096)
		for {
			k, err := near.Read(b)
			_, _ = tty.seen.Write(b[:k])
			if err != nil { // the far end is closed
				return
			}
		}
	}()
	return tty
}

// start runs a program on the terminal; afterwards only it has the far end.
func (tty *terminal) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty.far, tty.far, tty.far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.far.Close()
}

// text is what is on the terminal when the program has ended.
func (tty *terminal) text() string {
	<-tty.ended
	tty.near.Close()
	return strings.ReplaceAll(tty.seen.since(0), "\r\n", "\n")
}

var colour = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)

// onTerminal runs a command on a terminal of 80 columns.
func (r *rig) onTerminal(env []string, args ...string) (text string, code int) {
	r.t.Helper()
	tty := openTerminal(r.t, 80)
	cmd := exec.CommandContext(r.within(time.Minute), binary, append([]string{"--state-dir", r.stateDir}, args...)...)
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...)
	tty.start(r.t, cmd)
	_ = cmd.Wait()
	return tty.text(), cmd.ProcessState.ExitCode()
}

// TestTerminal looks at the program on a terminal of 80 columns: tables fit and their ids are
// whole, numbers stand for addresses, a progress bar takes one line, and colours are left out
// where NO_COLOR says so. A service in the foreground has a line for each event and delivery.
func TestTerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tty := openTerminal(t, 80)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	serve := exec.CommandContext(ctx, binary, "serve", "--state-dir", r.stateDir, "--whatsapp-url", r.sim.URL(), "--whatsapp-root-key", r.sim.RootKey())
	serve.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	tty.start(t, serve)
	r.until("the service is ready", func() bool { return strings.Contains(tty.seen.since(0), "control.sock ready") })
	r.pair()
	bob := r.phone.NewContact("Bob", "15550100123")
	team := r.phone.NewGroup("Team", bob)
	recv, bad := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	long := recv.URL() + "/" + strings.Repeat("a-long-path/", 12)
	w := r.addWebhook(long, secret, "message.received", "group.update")
	failed := r.deadLetters(bad, 30, bob)
	if _, err := bob.SendGroupText(r.within(time.Minute), team, strings.Repeat("word ", 60)); err != nil {
		t.Fatal(err)
	}
	r.until("the service has said all of it", func() bool {
		text := tty.seen.since(0)
		return strings.Contains(text, "message.received   +15550100123 (Bob): message 29") && strings.Contains(text, "→ "+w.ID+"  200 in ") &&
			strings.Contains(text, "→ "+failed.ID+"  dead after attempt 1: 503 in ") && strings.Contains(text, "word word")
	})

	letter := lines[struct{ ID string }](r, "deadletter", "list")[0].ID
	for command, parts := range map[string][]string{
		"status":                               {w.ID, failed.ID},
		"webhook list":                         {w.ID, failed.ID, "message.received"},
		"deadletter":                           {failed.ID},
		"deadletter list":                      {letter, "+15550100123"},
		"event list --limit 5":                 {"+15550100123", "Team", "message.received"},
		"event show 10":                        {letter[:3]},
		"group list":                           {team.JID()},
		"contact find bob":                     {"+15550100123"},
		"config list":                          {"max-in-flight"},
		"audit":                                {"webhook.add"},
		"webhook show " + w.ID + " --attempts": {"delivered"},
		"serve --help":                         {"--max-in-flight"},
	} {
		text, code := r.onTerminal(nil, strings.Fields(command)...)
		if code != 0 {
			t.Errorf("%s: exit %d\n%s", command, code, text)
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in\n%s", command, part, text)
			}
		}
		for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
			line = strings.TrimRight(line, "\n")
			// sentences, URLs on a line of their own and bodies are wrapped by the terminal
			if utf8.RuneCountInString(line) > 80 && (strings.Contains(line, "  ") || strings.HasPrefix(line, "wh_")) && !regexp.MustCompile(`^(Next:|  waoutbox) `).MatchString(line) {
				t.Errorf("%s: %d columns: %s", command, utf8.RuneCountInString(line), line)
			}
		}
		if command == "status" && !strings.Contains(text, "\x1b[") {
			t.Errorf("there are no colours on a terminal:\n%q", text)
		}
	}
	if text, _ := r.onTerminal([]string{"NO_COLOR=1"}, "status"); strings.Contains(text, "\x1b") {
		t.Errorf("NO_COLOR has colours:\n%q", text)
	}

	text, code := r.onTerminal(nil, "deadletter", "replay", "--all", "--rate", "20")
	if code != 0 || !strings.Contains(text, "30 delivered, 0 failed, 0 left.") {
		t.Errorf("replay: exit %d\n%q", code, text)
	}
	for line := range strings.SplitSeq(colour.ReplaceAllString(text, "\r"), "\r") {
		for part := range strings.Lines(line) {
			if n := utf8.RuneCountInString(strings.TrimRight(part, "\n")); n > 80 {
				t.Errorf("the bar takes %d columns: %q", n, part)
			}
		}
	}
	if err := serve.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	for line := range strings.Lines(tty.text()) {
		if arrived := regexp.MustCompile(`^\d\d:\d\d:\d\d  `).MatchString(line); arrived && utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("the service: %d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	if regexp.MustCompile(`\x1b\[\d*m`).MatchString(tty.seen.since(0)) {
		t.Errorf("NO_COLOR has colours in the service's lines")
	}
}

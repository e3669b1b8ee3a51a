//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// Ctrl-C in `pair`, and `pair --cancel` from elsewhere, end the session for everybody who follows
// it, where it waits for the passkey too; then an account is linked without a restart.
func TestPairingIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	if err := r.phone.RequirePasskey(); err != nil {
		t.Fatal(err)
	}
	if res := r.run("pair", "--cancel"); res.code != 1 || !strings.Contains(res.stderr, "no pairing is under way") {
		t.Errorf("without a pairing: %+v", res)
	}
	if res := r.run("pair", "--cancel", "--phone", "+1 555 010 0123"); res.code != 2 {
		t.Errorf("--cancel and --phone: %+v", res)
	}
	ctx := r.within(60 * time.Second)
	begin := func(args ...string) (*exec.Cmd, *bufio.Reader, *bytes.Buffer) {
		cmd := exec.CommandContext(ctx, binary, append([]string{"--state-dir", r.stateDir, "pair"}, args...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		errOut := new(bytes.Buffer)
		cmd.Stderr = errOut
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, bufio.NewReader(out), errOut
	}
	rest := func(cmd *exec.Cmd, out *bufio.Reader) string {
		var b bytes.Buffer
		if _, err := b.ReadFrom(out); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("pair ended with %v", err)
		}
		return b.String()
	}
	var step api.PairStep
	watcher, lines, told := begin("--json")
	for step.Step != api.StepPasskey {
		line, err := lines.ReadBytes('\n')
		if err != nil || json.Unmarshal(line, &step) != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if step.Step == api.StepQR && step.N == 1 {
			// it is given up meanwhile
			go func(code string) { _ = r.phone.ScanQR(ctx, code) }(step.QR)
		}
	}
	person, screen, _ := begin()
	if line, err := screen.ReadString('\n'); err != nil || !strings.Contains(line, "passkey") {
		t.Fatalf("%q, %v", line, err)
	}
	if err := person.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if text := rest(person, screen); !strings.Contains(text, "Pairing was given up: its codes are no longer valid") {
		t.Errorf("Ctrl-C printed %q", text)
	}
	if text := rest(watcher, lines); !strings.Contains(told.String(), `"code":"pairing_cancelled"`) {
		t.Errorf("who followed was told %q and %q", text, told)
	}
	if l := r.status().Link; l.State != api.LinkUnlinked {
		t.Errorf("link %+v", l)
	}

	watcher, lines, told = begin("--json")
	if _, err := lines.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	if got := one[api.PairStep](r, "pair", "--cancel"); got.Step != api.StepFailed || got.Error == nil || got.Error.Code != api.CodePairingCancelled {
		t.Errorf("pair --cancel --json: %+v", got)
	}
	if text := rest(watcher, lines); !strings.Contains(told.String(), `"code":"pairing_cancelled"`) {
		t.Errorf("who followed was told %q and %q", text, told)
	}
	r.pair()
}

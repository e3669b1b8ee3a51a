package baileystest

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// program is a running cmd/wasim.
type program struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	addresses
}

// addresses is what the program prints once it listens.
type addresses struct {
	URL     string `json:"url"`
	RootKey string `json:"root_key"`
	Control string `json:"control_url"`
}

func buildProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wasim")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "waoutbox/cmd/wasim").CombinedOutput(); err != nil {
		t.Fatalf("build the simulator: %v\n%s", err, out)
	}
	return path
}

func startProgram(t *testing.T, path string, args ...string) *program {
	t.Helper()
	p := &program{t: t, path: path, cmd: exec.Command(path, args...)}
	stderr := new(strings.Builder)
	p.cmd.Stderr = stderr
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(p.stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &p.addresses) != nil {
		p.stop()
		t.Fatalf("the simulator printed %q: %v\n%s", line, err, stderr)
	}
	go io.Copy(io.Discard, out)
	return p
}

// stop ends the program. Idempotent.
func (p *program) stop() {
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the simulator ended with %v", err)
	}
	p.cmd = nil
}

// reply has what a call of the control API may return.
type reply struct {
	IDs      []string `json:"ids"`
	Contacts []struct {
		Name string `json:"name"`
		LID  string `json:"lid"`
		PN   string `json:"pn"`
	} `json:"contacts"`
	Groups []struct {
		JID string `json:"jid"`
	} `json:"groups"`
	Messages []struct {
		ID   string `json:"id"`
		Chat string `json:"chat"`
		Text string `json:"text"`
	} `json:"messages"`
	Receipts []struct {
		Type string   `json:"type"`
		IDs  []string `json:"ids"`
	} `json:"receipts"`
}

// ctl calls the control API as a script does.
func (p *program) ctl(args ...string) (r reply) {
	p.t.Helper()
	out, err := exec.Command(p.path, append([]string{"ctl", "--url", p.Control}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("ctl %q: %v\n%s", args, err, out)
	}
	must(p.t, json.Unmarshal(out, &r))
	return r
}

// TestBaileysTalksToTheProgram: the simulator as a program, driven by its own command line, serves
// an independent client: it links, reads and writes in a direct chat and in a group, gives and gets
// receipts, and logs in again after both were restarted.
func TestBaileysTalksToTheProgram(t *testing.T) {
	t.Parallel()
	node, pkg, ok := installed(t)
	if !ok {
		return
	}
	path, dir := buildProgram(t), t.TempDir()
	state := filepath.Join(t.TempDir(), "state.json")
	args := []string{"--state", state, "--account", "491515550100:Shop", "--contact", "Bob:15550100123", "--contact", "Eve:15550100456", "--group", "Team:Bob,Eve"}
	p := startProgram(t, path, args...)
	p.ctl("POST", "/auto-receipts", `{"from":"Bob","types":["","read"]}`)
	bob, team := p.ctl("GET", "/contacts").Contacts[0], p.ctl("GET", "/groups").Groups[0].JID

	c := start(t, node, pkg, p.URL, p.RootKey, dir)
	qr := c.wait("a QR code", func(l line) bool { return l.QR != "" })
	p.ctl("POST", "/scan", "qr="+qr.QR)
	c.wait("a login", func(l line) bool { return l.Open })

	p.ctl("POST", "/messages", "from=Bob", "text=from Bob")
	got := c.text("from Bob")
	c.do("read", map[string]any{"key": got.Message.Key})
	c.wait("the receipt to be sent", func(l line) bool { return l.Done == "read" })
	p.ctl("POST", "/messages", "from=Eve", "group=Team", "text=from Eve to all")
	c.text("from Eve to all")
	p.ctl("GET", "/wait?for=drained")
	types := ""
	for _, r := range p.ctl("GET", "/receipts?contact=Bob").Receipts {
		types += r.Type + " "
	}
	if !strings.Contains(types, "inactive") || !strings.Contains(types, "read") {
		t.Errorf("Bob got the receipts %q", types)
	}

	sent := c.send(bob.LID, "to Bob")
	const read = 4
	c.wait("the receipt", func(l line) bool {
		return l.Update != nil && l.Update.ID == sent && l.Update.Status == read ||
			l.Message != nil && l.Message.Text == "to Bob" && l.Message.Status == read
	})
	toAll := c.send(team, "to all")
	p.ctl("GET", "/wait?for=received&contact=Eve&count=1")
	if got := p.ctl("GET", "/received?contact=Eve").Messages; len(got) != 1 || got[0].ID != toAll || got[0].Text != "to all" || got[0].Chat != team {
		t.Errorf("Eve received %+v, want %s", got, toAll)
	}
	p.ctl("GET", "/wait?for=drained")
	c.stop()
	p.stop()

	p = startProgram(t, path, "--state", state)
	p.ctl("POST", "/messages", "from=Bob", "text=while away")
	again := start(t, node, pkg, p.URL, p.RootKey, dir)
	again.wait("a second login", func(l line) bool { return l.Open })
	again.text("while away")
	back := again.send(bob.PN, "back again")
	p.ctl("GET", "/wait?for=received&contact=Bob&count=3")
	if got := p.ctl("GET", "/received?contact=Bob").Messages; len(got) != 3 || got[0].ID != sent || got[2].ID != back {
		t.Errorf("Bob received %+v, want %s first and %s last", got, sent, back)
	}
	p.ctl("GET", "/wait?for=drained")
}

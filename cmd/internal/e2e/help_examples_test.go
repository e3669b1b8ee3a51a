package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// helpExample is a line of the examples of a command's help.
type helpExample struct{ command, line string }

// helpExamples returns the examples of every help text of the real program.
func helpExamples(t *testing.T, path ...string) (all []helpExample) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append(path, "--help")...).Output()
	if err != nil {
		t.Fatalf("%v --help: %v", path, err)
	}
	section := ""
	command := regexp.MustCompile(`^  ([a-z][a-z-]*) `)
	for line := range strings.Lines(string(out)) {
		switch line = strings.TrimRight(line, "\n"); {
		case strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " "):
			section = line
		case section == "Examples:" && strings.HasPrefix(line, "  "):
			line, _, _ = strings.Cut(strings.TrimSpace(line), "   ") // what it is for
			all = append(all, helpExample{strings.Join(path, " "), line})
		case slices.Contains([]string{"Available Commands:", "The service:", "Webhooks:", "More:"}, section):
			if m := command.FindStringSubmatch(line); m != nil && m[1] != "help" {
				all = append(all, helpExamples(t, append(path, m[1])...)...)
			}
		}
	}
	return all
}

// elsewhereRun are examples that other tests run, or nobody here, and whom.
var elsewhereRun = []struct{ begins, by string }{
	{"waoutbox demo", "TestDemo"},
	{"waoutbox pair passkey", "TestPasskeyExamplesRun"},
	{"claude ", "a program of its own"},
}

// goesOn are the examples that run until they are stopped, and what they print first.
var goesOn = []struct{ pattern, first string }{
	{`^waoutbox serve`, "control.sock ready"},
	{`^waoutbox logs --follow`, "msg="},
	{`^waoutbox listen$`, "Listening as"},
	{`^waoutbox listen .*--json`, `"webhook":"wh_`},
	{`^waoutbox event list --follow`, "message."},
	{`^waoutbox pair($| --phone| --png)`, "inked devices"},
}

// TestHelpExamplesRun runs every example of every help text with the real program: on a linked
// account with events, media, dead letters and a signed webhook, or, where it is about that, on a
// state without an account.
func TestHelpExamplesRun(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "tar", "grep")
	r := newRig(t)
	dir := shortDir(t)
	env := exampleEnv(t, r, dir)
	r.startBackground()
	r.pair()
	world := exampleWorld(t, r, dir)

	unlinked := filepath.Join(dir, "unlinked")
	restored, served := filepath.Join(dir, "restored"), filepath.Join(dir, "served")
	t.Cleanup(func() { _ = exec.Command(binary, "--state-dir", unlinked, "stop").Run() })
	ran := 0
	for _, ex := range helpExamples(t) {
		if slices.ContainsFunc(elsewhereRun, func(e struct{ begins, by string }) bool { return strings.HasPrefix(ex.line, e.begins) }) {
			continue
		}
		ran++
		line := world.Replace(ex.line)
		if before, _, piped := strings.Cut(line, " | "); piped { // that program is not everywhere
			if words := strings.Fields(line); !slices.Contains([]string{"date", "tar", "waoutbox"}, words[0]) || strings.Contains(line, " | jq ") || strings.Contains(line, " | file ") {
				line = before
			}
		}
		state := r.stateDir
		switch {
		case line == "waoutbox pair --cancel": // while there is one
			line, state = "waoutbox pair --json | { read -r code; "+line+" && cat; }", unlinked
		case strings.HasPrefix(line, "waoutbox pair"):
			state = unlinked
		case strings.HasPrefix(line, "waoutbox restore"):
			state = restored
		case strings.HasPrefix(line, "waoutbox serve"):
			state = served
		}
		cmd := exec.CommandContext(r.within(time.Minute), "bash", "-c", line)
		cmd.Dir, cmd.Env = dir, append(env[:len(env):len(env)], "WAOUTBOX_STATE_DIR="+state)
		first := ""
		for _, g := range goesOn {
			if regexp.MustCompile(g.pattern).MatchString(ex.line) {
				first = g.first
			}
		}
		if err := runLine(cmd, first); err != nil {
			t.Errorf("%s --help: %s\n%v", ex.command, ex.line, err)
		}
	}
	t.Logf("%d examples", ran)
	if ran < 50 {
		t.Errorf("only %d examples were run: they are no longer seen", ran)
	}
}

// exampleEnv is the environment of the examples: an empty home, the program first in the PATH, and
// a browser that does nothing.
func exampleEnv(t *testing.T, r *rig, dir string) []string {
	t.Helper()
	program := filepath.Join(dir, "bin")
	for _, d := range []string{program, filepath.Join(dir, ".config", "fish", "completions"), filepath.Join(dir, "logs"), filepath.Join(dir, "functions")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(binary, filepath.Join(program, "waoutbox")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"bin/xdg-open": "#!/bin/sh\n", "secret.txt": "whsec_" + strings.Repeat("YWJj", 10) + "\n", "new.txt": "whsec_" + strings.Repeat("ZGVm", 10) + "\n",
		"auth.txt": "Authorization: Bearer x\n", "pass.txt": "correct horse battery staple\n", "proxy.txt": "http://user:pass@127.0.0.1:9\n",
		"photo.jpg": "\xff\xd8\xff\xe0 some picture", "carol.vcf": "BEGIN:VCARD\nVERSION:3.0\nFN:Carol\nTEL:+15550100124\nEND:VCARD\n",
		"wa-monday.backup": "what was there before", "logs/a.log": "a line\n",
		// for bash: where zsh has its functions
		"bashenv": "fpath=(. " + filepath.Join(dir, "functions") + ")\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(program, "xdg-open"), 0o700); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+program+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "BASH_ENV="+filepath.Join(dir, "bashenv"),
		"WAOUTBOX_WHATSAPP_URL="+r.sim.URL(), "WAOUTBOX_WHATSAPP_ROOT_KEY="+r.sim.RootKey(), "NO_COLOR=1", "DISPLAY=")
}

// startBackground starts the service in the background, with a log of its own.
func (r *rig) startBackground() {
	r.t.Helper()
	r.t.Cleanup(func() { r.run("stop") })
	r.mustRun("start", "--whatsapp-url", r.sim.URL(), "--whatsapp-root-key", r.sim.RootKey())
}

// exampleWorld makes what the examples name, and returns what stands in the place of each name.
func exampleWorld(t *testing.T, r *rig, dir string) *strings.Replacer {
	t.Helper()
	bob, carol := r.phone.NewContact("Bob", "15550100123"), r.phone.NewContact("Carol", "15550100124")
	family := r.phone.NewGroup("Family", bob, carol)
	hook, crm := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = w.Write([]byte("%PDF-1.7\n"))
	}))
	t.Cleanup(files.Close)
	r.deadLetters(crm, 2, bob)
	w := r.addWebhook(hook.URL(), secret, "message.received")
	text, err := carol.SendText(r.within(time.Minute), "hello")
	if err != nil {
		t.Fatal(err)
	}
	document, _, err := bob.SendMedia(r.within(time.Minute), wasim.Document, []byte("%PDF-1.7\n"), wasim.MediaOptions{FileName: "invoice.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	ev, media := r.arrived(text), r.arrived(document)
	return strings.NewReplacer(
		"http://localhost:5678/webhook/wa", hook.URL(), "https://crm.example/hook", crm.URL(), "https://example.com/report.pdf", files.URL+"/report.pdf",
		"wh_7K2M", w.ID, "evt_5f0c9d2b7a1e4f60", ev.ID, "evt_ca2a0f5c91b7d24e", media.ID, "3A5F0C91B7D24E68A115", document, "18204", strconv.FormatUint(media.Sequence, 10),
		"3A5F0C91B7D24E68A113", text, "+491515550100", carol.PN()[:strings.Index(carol.PN(), "@")], "120363025846172094@g.us", family.JID(),
		"--state-dir /srv/wa restore wa.backup", "--state-dir "+filepath.Join(dir, "srv")+" restore wa-monday.backup", "listen 5678", "listen 0",
	)
}

// TestPasskeyExamplesRun runs the examples of `pair passkey` at the moment that they are for.
func TestPasskeyExamplesRun(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"waoutbox pair passkey response.json", "waoutbox pair passkey - < response.json"} {
		r := newRig(t)
		if err := r.phone.RequirePasskey(); err != nil {
			t.Fatal(err)
		}
		r.serve()
		dir := shortDir(t)
		if err := os.Symlink(binary, filepath.Join(dir, "waoutbox")); err != nil {
			t.Fatal(err)
		}
		r.pairSigned(io.Discard, func(response []byte) {
			if err := os.WriteFile(filepath.Join(dir, "response.json"), response, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(r.within(time.Minute), "sh", "-c", line)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "WAOUTBOX_STATE_DIR="+r.stateDir)
			if err := runLine(cmd, ""); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		})
	}
}

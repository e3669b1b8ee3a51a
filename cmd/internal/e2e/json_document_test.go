package e2e

import (
	"bytes"
	"encoding/json"
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

// jsonShape is what docs/JSON.md says of an object: the type of each field, and whether it may be
// absent.
type jsonShape map[string]struct {
	of     string
	absent bool
}

// jsonDocument is docs/JSON.md: the shapes by name, and the names that each command prints.
type jsonDocument struct {
	shapes   map[string]jsonShape
	commands map[string][]string
	lines    map[string]bool // any number of them
}

func readJSONDocument(t *testing.T) jsonDocument {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "JSON.md"))
	if err != nil {
		t.Fatal(err)
	}
	d := jsonDocument{map[string]jsonShape{}, map[string][]string{}, map[string]bool{}}
	commands, shapes, _ := strings.Cut(string(text), "## Shapes")
	name := regexp.MustCompile(`\[(\w+)\]\(#`)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\|").FindAllStringSubmatch(commands, -1) {
		for _, m := range name.FindAllStringSubmatch(row[2], -1) {
			d.commands[row[1]] = append(d.commands[row[1]], m[1])
		}
		d.lines[row[1]] = strings.HasPrefix(row[2], "lines of")
	}
	for _, section := range strings.Split(shapes, "\n### ")[1:] {
		title, rows, _ := strings.Cut(section, "\n")
		d.shapes[title] = jsonShape{}
		for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?)(, may be absent)? \\|").FindAllStringSubmatch(rows, -1) {
			of := row[2]
			if m := name.FindStringSubmatch(of); m != nil { // a link
				before, _, _ := strings.Cut(of, "[")
				of = before + m[1]
			}
			d.shapes[title][row[1]] = struct {
				of     string
				absent bool
			}{strings.TrimSpace(of), row[3] != ""}
		}
	}
	return d
}

// check compares a value with what the document says.
func (d jsonDocument) check(of string, v any) error {
	if inner, ok := strings.CutPrefix(of, "list of "); ok {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", v)
		}
		for _, item := range list {
			if err := d.check(inner, item); err != nil {
				return err
			}
		}
		return nil
	}
	var ok bool
	switch of {
	case "text":
		_, ok = v.(string)
	case "time":
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		ok = err == nil
	case "number":
		_, ok = v.(float64)
	case "true or false":
		_, ok = v.(bool)
	case "any JSON":
		ok = true
	case "object":
		_, ok = v.(map[string]any)
	default:
		return d.checkShape(of, v)
	}
	if !ok {
		return fmt.Errorf("%v is no %s", v, of)
	}
	return nil
}

func (d jsonDocument) checkShape(name string, v any) error {
	shape, known := d.shapes[name]
	object, ok := v.(map[string]any)
	if !known || !ok {
		return fmt.Errorf("%v is no %q", v, name)
	}
	for field, value := range object {
		f, described := shape[field]
		if !described {
			return fmt.Errorf("%s has no field %q in docs/JSON.md", name, field)
		}
		if err := d.check(f.of, value); err != nil {
			return fmt.Errorf("%s.%s: %w", name, field, err)
		}
	}
	for field, f := range shape {
		if _, there := object[field]; !there && !f.absent {
			return fmt.Errorf("%s lacks the field %q", name, field)
		}
	}
	return nil
}

// checkLines compares what a command printed with what the document says of it.
func (d jsonDocument) checkLines(command string, out []byte) error {
	names := d.commands[command]
	n := 0
	for line := range bytes.Lines(out) {
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("%w: %s", err, line)
		}
		if err := d.checkShape(names[min(n, len(names)-1)], v); err != nil {
			return fmt.Errorf("%w\n%s", err, line)
		}
		n++
	}
	if n != 1 && !d.lines[command] && len(names) == 1 {
		return fmt.Errorf("it printed %d lines", n)
	}
	return nil
}

// TestJSONIsAsDescribed runs every command of docs/JSON.md with --json on a real service: it prints
// the lines that are described there, and nothing on stderr, or one error.
func TestJSONIsAsDescribed(t *testing.T) {
	t.Parallel()
	d := readJSONDocument(t)
	r := newRig(t)
	dir := shortDir(t)
	exampleEnv(t, r, dir)
	r.startBackground()
	steps := &bytes.Buffer{}
	r.pairTo(steps)
	world := exampleWorld(t, r, dir) // its names stand below
	bad := r.receiver(receiver.Options{})
	bad.SetScript(receiver.MustScript("503"), false)
	r.addWebhook(bad.URL(), secret, "message.received")
	r.mustRun("config", "set", "http", "127.0.0.1:0")
	file := func(name string) string { return filepath.Join(dir, name) }
	letter := lines[struct{ ID string }](r, "deadletter", "list")[0].ID

	ran := map[string]bool{}
	run := func(command, typed string) {
		t.Helper()
		ran[command] = true
		args := append(strings.Split(world.Replace(typed), " "), "--json")
		res := r.run(args...)
		if err := d.checkLines(command, []byte(res.stdout)); err != nil {
			t.Errorf("waoutbox %s --json: %v", typed, err)
		}
		var failure struct {
			Error *struct{ Code, Message string }
		}
		switch {
		case res.code == 0 && res.stderr != "", strings.Count(res.stderr, "\n") > 1:
			t.Errorf("waoutbox %s --json: on stderr is %s", typed, res.stderr)
		case res.stderr != "" && (json.Unmarshal([]byte(res.stderr), &failure) != nil || failure.Error == nil || failure.Error.Code == ""):
			t.Errorf("waoutbox %s --json: %s is no error", typed, res.stderr)
		case res.stdout == "" && res.code != 0:
			t.Errorf("waoutbox %s --json: exit %d, %s", typed, res.code, res.stderr)
		}
	}
	ran["pair"] = true
	if err := d.checkLines("pair", steps.Bytes()); err != nil {
		t.Errorf("pair --json: %v", err)
	}
	for _, c := range [][2]string{
		{"status", "status"},
		{"status", "status --check"},
		{"status --alive", "status --alive"},
		{"start", "start"},
		{"logs", "logs -n 5"},
		{"open", "open --print"},
		{"webhook list", "webhook list"},
		{"webhook show", "webhook show wh_7K2M"},
		{"webhook show --attempts", "webhook show https://crm.example/hook --attempts"},
		{"webhook show --verify", "webhook show wh_7K2M --verify node"},
		{"webhook add", "webhook add http://localhost:5678/webhook-test/abc --generate-secret"},
		{"webhook add", "webhook add wh_7K2M --chat 120363025846172094@g.us --kind group --schedule 0s,1s --header X-Tenant:blue"},
		{"webhook test", "webhook test wh_7K2M"},
		{"webhook test", "webhook test " + bad.URL()},
		{"webhook pause", "webhook pause wh_7K2M"},
		{"webhook resume", "webhook resume wh_7K2M"},
		{"webhook rotate-secret", "webhook rotate-secret wh_7K2M"},
		{"webhook allow", "webhook allow n8n.example"},
		{"webhook disallow", "webhook disallow n8n.example"},
		{"deadletter", "deadletter"},
		{"deadletter list", "deadletter list"},
		{"deadletter show", "deadletter show " + letter},
		{"deadletter show --curl", "deadletter show " + letter + " --curl"},
		{"deadletter replay", "deadletter replay --all --dry-run"},
		{"deadletter replay", "deadletter replay " + letter},
		{"deadletter replay --status", "deadletter replay --status"},
		{"deadletter purge", "deadletter purge --all --dry-run"},
		{"deadletter purge", "deadletter purge --all --yes"},
		{"event list", "event list --bodies"},
		{"event show", "event show evt_5f0c9d2b7a1e4f60"},
		{"event replay", "event replay --url https://crm.example/hook evt_5f0c9d2b7a1e4f60"},
		{"send text", "send text +491515550100 hello"},
		{"send text", "send reaction +491515550100 3A5F0C91B7D24E68A113 👍"},
		{"send text", "send media +491515550100 " + file("photo.jpg")},
		{"send read", "send read +491515550100 3A5F0C91B7D24E68A113"},
		{"send typing", "send typing +491515550100"},
		{"media get", "media get evt_ca2a0f5c91b7d24e --output " + file("invoice.pdf")},
		{"contact find", "contact find carol"},
		{"contact watch", "contact watch +491515550100"},
		{"group list", "group list"},
		{"group show", "group show family"},
		{"config list", "config list"},
		{"config get", "config get max-in-flight"},
		{"config set", "config set max-in-flight 8"},
		// which lacks its key: a warning
		{"config set", "config set whatsapp-url ws://127.0.0.1:7/ws/chat"},
		{"config unset", "config unset whatsapp-url"},
		{"audit", "audit"},
		{"audit --verify", "audit --verify"},
		{"doctor", "doctor --offline"},
		{"backup", "backup " + file("json.backup")},
		{"http-token", "http-token"},
		{"http-token rotate", "http-token rotate"},
		{"mcp config", "mcp config claude-code"},
		{"mcp config n8n", "mcp config n8n"},
		{"version", "version"},
		{"disconnect", "disconnect"},
		{"connect", "connect"},
		{"webhook remove", "webhook remove wh_7K2M --yes"},
		{"unpair", "unpair --yes"},
		{"restart", "restart --whatsapp-root-key " + r.sim.RootKey()},
		{"stop", "stop"},
		{"restore", "restore " + file("json.backup") + " --yes"},
	} {
		run(c[0], c[1])
	}
	ran["listen"] = true
	r.mustRun("start", "--whatsapp-url", r.sim.URL(), "--whatsapp-root-key", r.sim.RootKey())
	if err := d.checkLines("listen", r.listened()); err != nil {
		t.Errorf("listen --json: %v", err)
	}
	for command, who := range map[string]string{
		"pair passkey": "TestPasskeyExamplesRun", "pair confirm": "TestPairByCodeWithPasskey", "pair --cancel": "TestHelpExamplesRun", "demo": "TestDemo",
		"service install": "it would change this machine", "service status": "it would ask this machine", "service uninstall": "it would change this machine",
		"doctor --quarantine": "the scripts of cmd/waoutbox, with a damaged file",
		"audit accept":        "the golden files of cmd/waoutbox, with a trail that was edited",
	} {
		if ran[command] {
			t.Errorf("%s is run here, and said to be left to somebody else: %s", command, who)
		}
		ran[command] = true
	}
	for command := range d.commands {
		if !ran[command] {
			t.Errorf("%s of docs/JSON.md is not run", command)
		}
	}
}

// listened returns the first lines of listen --json: where it listens, and a request.
func (r *rig) listened() []byte {
	r.t.Helper()
	cmd := exec.CommandContext(r.within(time.Minute), binary, "--state-dir", r.stateDir, "listen", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	var all bytes.Buffer
	dec := json.NewDecoder(out)
	for n := range 2 {
		var line json.RawMessage
		if err := dec.Decode(&line); err != nil {
			r.t.Fatalf("listen --json: %v", err)
		}
		all.Write(append(line, '\n'))
		if n == 0 {
			var start struct{ URL string }
			if err := json.Unmarshal(line, &start); err != nil {
				r.t.Fatal(err)
			}
			r.mustRun("webhook", "test", start.URL, "--event", "message.received")
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // how it ends is not what is asked
	return all.Bytes()
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noEnv(string) string { return "" }

// running starts `wasim args…` and returns what it printed when ready.
func running(t *testing.T, args ...string) (info map[string]string, stop func() (code int, stderr string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		got := run(ctx, args, noEnv, nil, in, &stderr)
		in.Close()
		code <- got
	}()
	stop = func() (int, string) { cancel(); return <-code, stderr.String() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		got, says := stop()
		t.Fatalf("wasim ended with %d before it was ready: %s", got, says)
	}
	if err := json.Unmarshal([]byte(line), &info); err != nil {
		t.Fatalf("ready line %q: %v", line, err)
	}
	return info, stop
}

// ctl runs `wasim ctl args…` against a running wasim.
func control(t *testing.T, url string, args ...string) (out, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, errs bytes.Buffer
	env := func(name string) string { return map[string]string{"WASIM_URL": url}[name] }
	code = run(ctx, append([]string{"ctl"}, args...), env, nil, &stdout, &errs)
	return stdout.String(), errs.String(), code
}

func TestServeAndControl(t *testing.T) {
	info, stop := running(t, "--account", "491515550100:Shop", "--contact", "Bob:15550100123", "--contact", "Eve:15550100456", "--group", "Team:Bob,Eve")
	if !strings.HasPrefix(info["url"], "ws://127.0.0.1:") || len(info["root_key"]) != 64 || info["control_url"] == "" {
		t.Errorf("ready line says %v", info)
	}
	url := info["control_url"]
	if out, stderr, code := control(t, url, "get", "/contacts"); code != exitOK || !strings.Contains(out, "15550100456@s.whatsapp.net") {
		t.Errorf("contacts: %d %s %s", code, out, stderr)
	}
	if out, _, code := control(t, url, "GET", "/groups"); code != exitOK || !strings.Contains(out, `"subject":"Team"`) {
		t.Errorf("groups: %d %s", code, out)
	}
	if out, stderr, code := control(t, url, "POST", "/groups", "subject=Other", `members:=["Eve"]`); code != exitOK || !strings.Contains(out, `"subject":"Other"`) {
		t.Errorf("new group: %d %s %s", code, out, stderr)
	}
	if _, stderr, code := control(t, url, "POST", "/messages", `{"from":"Bob","text":"hi"}`); code != exitFailed || !strings.Contains(stderr, "no linked companion") {
		t.Errorf("message without companion: %d %s", code, stderr)
	}
	if code, stderr := stop(); code != exitOK {
		t.Errorf("stopped with %d: %s", code, stderr)
	}
}

func TestRunsForAWhile(t *testing.T) {
	var out, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--for", "1ms"}, noEnv, nil, &out, &stderr); code != exitOK || !strings.Contains(out.String(), "root_key") {
		t.Errorf("ended with %d: %s %s", code, out.String(), stderr.String())
	}
}

func TestUsageMistakes(t *testing.T) {
	for _, args := range [][]string{
		{"--contact", "Bob:1"}, {"--account", "Bob"}, {"--contact", "1"}, {"--group", "Team"}, {"--unknown"}, {"extra"},
		{"--account", "1", "--group", "Team:Bob"},
		{"ctl", "--url", "http://127.0.0.1:1", "GET"}, {"ctl", "--url", "http://127.0.0.1:1", "GET", "x"},
		{"ctl", "--url", "http://127.0.0.1:1", "POST", "/messages", "from"}, {"ctl", "--url", "http://127.0.0.1:1", "POST", "/messages", "count:=x"},
	} {
		var out, stderr bytes.Buffer
		if code := run(context.Background(), args, noEnv, nil, &out, &stderr); code != exitUsage || !strings.HasPrefix(stderr.String(), "error: ") {
			t.Errorf("wasim %s: %d %s", strings.Join(args, " "), code, stderr.String())
		}
	}
	for _, args := range [][]string{{"--listen", "0.0.0.0:0"}, {"ctl", "--url", "http://127.0.0.1:1/control/v1", "GET", "/"}} {
		var out, stderr bytes.Buffer
		if code := run(context.Background(), args, noEnv, nil, &out, &stderr); code != exitFailed {
			t.Errorf("wasim %s: %d %s", strings.Join(args, " "), code, stderr.String())
		}
	}
	var out, stderr bytes.Buffer
	// Before: ctl took its --help for a mistake.
	for _, args := range [][]string{{"--help"}, {"ctl", "--help"}} {
		out.Reset()
		if code := run(context.Background(), args, noEnv, nil, &out, &stderr); code != exitOK || !strings.Contains(out.String(), "wasim ctl") {
			t.Errorf("%v: %d %s", args, code, out.String())
		}
	}
}

func TestStateOverRestarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	args := []string{"--state", file, "--account", "491515550100:Shop", "--contact", "Bob:15550100123", "--group", "Team:Bob"}
	first, stop := running(t, args...)
	if _, stderr, code := control(t, first["control_url"], "POST", "/contacts", "name=Eve", "phone=15550100456"); code != exitOK {
		t.Fatalf("new contact: %s", stderr)
	}
	if code, stderr := stop(); code != exitOK {
		t.Fatalf("stopped with %d: %s", code, stderr)
	}
	second, stop := running(t, args...)
	if second["root_key"] != first["root_key"] {
		t.Error("the root key changed")
	}
	out, _, _ := control(t, second["control_url"], "GET", "/contacts")
	if strings.Count(out, `"name"`) != 2 || !strings.Contains(out, "Eve") {
		t.Errorf("contacts after the restart: %s", out)
	}
	if out, _, _ := control(t, second["control_url"], "GET", "/groups"); strings.Count(out, `"jid"`) != 1 {
		t.Errorf("groups after the restart: %s", out)
	}
	running2, err := os.ReadFile(file + ".running")
	if err != nil {
		t.Fatal(err)
	}
	if code, stderr := stop(); code != exitOK {
		t.Fatalf("stopped with %d: %s", code, stderr)
	}
	// A killed run leaves only the .running file.
	if err := errors.Join(os.Remove(file), os.WriteFile(file+".running", running2, 0o600)); err != nil {
		t.Fatal(err)
	}
	third, stop := running(t, args...)
	if third["root_key"] != first["root_key"] {
		t.Error("the root key changed over a kill")
	}
	if code, stderr := stop(); code != exitOK || !strings.Contains(stderr, "was killed") {
		t.Errorf("stopped with %d: %s", code, stderr)
	}
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, noEnv, nil, &stdout, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "move it away") {
		t.Errorf("a foreign file: %d %s", code, stderr.String())
	}
}

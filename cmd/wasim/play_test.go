package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// simAt returns a getenv that knows where the simulator's control API is.
func simAt(url string) func(string) string {
	return func(name string) string { return map[string]string{"WASIM_URL": url}[name] }
}

func command(t *testing.T, getenv func(string) string, stdin string, args ...string) (out, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, errs bytes.Buffer
	code = run(ctx, args, getenv, strings.NewReader(stdin), &stdout, &errs)
	return stdout.String(), errs.String(), code
}

// What a person types to play, against a running simulator; the whole of it with the real program
// is .ci/firstrun.
func TestPlay(t *testing.T) {
	info, stop := running(t, playPeople[:]...)
	defer stop()
	at := simAt(info["control_url"])
	if out, stderr, code := command(t, at, "", "env"); code != exitOK || !strings.HasPrefix(out, "export WAOUTBOX_STATE_DIR='") ||
		!strings.Contains(out, "WAOUTBOX_WHATSAPP_URL='"+info["url"]+"' WAOUTBOX_WHATSAPP_ROOT_KEY='"+info["root_key"]+"'") {
		t.Errorf("env: %d %s %s", code, out, stderr)
	}
	if _, stderr, code := command(t, at, "", "say", "Bob", "hello"); code != exitFailed || !strings.Contains(stderr, "no linked companion") {
		t.Errorf("say before the scan: %d %s", code, stderr)
	}
	if _, stderr, code := command(t, at, `{"step":"qr","qr":"nothing that a phone knows"}`+"\n", "scan"); code != exitFailed || !strings.Contains(stderr, "QR text") {
		t.Errorf("scan of something else: %d %s", code, stderr)
	}
	if _, stderr, code := command(t, at, "error\n{\"step\":\"code\"}\n", "scan"); code != exitFailed || !strings.Contains(stderr, "no code came") {
		t.Errorf("scan of nothing: %d %s", code, stderr)
	}
	for _, args := range [][]string{{"play", "x"}, {"env", "x"}, {"scan", "x"}, {"say", "Bob"}} {
		if _, stderr, code := command(t, at, "", args...); code != exitUsage {
			t.Errorf("%q: %d %s", args, code, stderr)
		}
	}
	if _, stderr, code := command(t, simAt("http://127.0.0.1:1/control/v1"), "", "env"); code != exitFailed || !strings.Contains(stderr, "is wasim running") || !strings.Contains(stderr, "Start it in a terminal of its own: wasim play") {
		t.Errorf("env without a simulator: %d %s", code, stderr)
	}
}

// The guide is what a person reads; a script still gets its line.
func TestGuideStandsInForTheLine(t *testing.T) {
	var out bytes.Buffer
	g := &guide{out: &out}
	if n, err := g.Write([]byte("{}\n")); n != 3 || err != nil || !strings.HasPrefix(out.String(), strings.SplitAfter(playGuide, "\n")[0]) || !strings.Contains(out.String(), envCommand()) {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// hostileText is what a sender or an endpoint may write to whoever reads it.
const hostileText = "a\u009b31m \u009d0;title\u0007 \u202eabc\u2066 z\u200bw\ufeff \U000e0049\U000e0067 \\n é 'q' %s \x1b[2J"

// printsOnly reports the first rune of out that a terminal would obey or not show.
func printsOnly(t *testing.T, what, out string) {
	t.Helper()
	for _, r := range out {
		if r != '\n' && r != 'é' && (r < ' ' || r > '~') {
			t.Errorf("%s prints U+%04X", what, r)
		}
	}
}

// JSON printed them raw: U+009B, U+009D and marks of direction reached the terminal. The values are
// the same.
func TestJSONHasNothingHidden(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := &env{stderr: io.Discard}
	e.written.w = &out
	in := api.TestWebhookResult{Excerpt: hostileText}
	e.printJSON(in)
	printsOnly(t, "--json", out.String())
	var got api.TestWebhookResult
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Excerpt != hostileText {
		t.Errorf("%q, %v; want %q", got.Excerpt, err, hostileText)
	}
}

// The script of --curl shows a body with escapes, and sends its bytes.
func TestTheScriptOfABodyHasNothingHidden(t *testing.T) {
	t.Parallel()
	for _, body := range []string{hostileText, `{"plain":"é 'q' \\ %s"}`} {
		script := shellText(body)
		printsOnly(t, "--curl", script)
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Skip("there is no sh to run it")
		}
		out, err := exec.Command(sh, "-c", "body="+script+`; printf %s "$body"`).Output()
		if err != nil || string(out) != body {
			t.Errorf("the shell makes %q of it, %v; want %q", out, err, body)
		}
	}
	if got := shellText("it's"); strings.Contains(got, "printf") {
		t.Errorf("a plain text became %s", got)
	}
}

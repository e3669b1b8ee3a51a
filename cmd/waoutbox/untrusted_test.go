package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
	"waoutbox/outbox/api/untrusted"
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
//
// Mutation of env.go: JSON on a terminal has them as they are.
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
//
// Mutation of deadletter_curl.go: the script of a dead letter has them as they are.
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

// What strangers and endpoints wrote reaches a terminal as text, whichever command shows it: here
// every text of what the service returns is hostile but those that commands find things by.
//
// Mutation of cmd_deadletter_show.go: the body of a dead letter has them as they are.
// Mutation of cmd_event_show.go: the body of an event has them as they are.
// Mutation of deadletter_curl.go: the request that deadletter show --curl prints has them in its
// URL.
func TestNoCommandPrintsWhatATerminalObeys(t *testing.T) {
	t.Parallel()
	f := withBacklog(3)
	f.events = eventLog(3)
	f.activity = active().activity
	f.audit = []api.AuditRecord{{Operation: "webhook.add", Object: "wh_1"}}
	letter, event := f.letters[0].ID, f.events[0].ID
	for _, part := range []any{&f.letters, &f.events, &f.hooks, &f.status, &f.activity, &f.audit} {
		makeHostile(reflect.ValueOf(part).Elem())
	}
	for _, args := range [][]string{
		{"status"}, {"webhook", "list"}, {"webhook", "show", "wh_9QRT"}, {"deadletter"}, {"deadletter", "list"}, {"deadletter", "show", letter},
		{"deadletter", "show", letter, "--curl"}, {"deadletter", "show", letter, "--json"}, {"event", "list"}, {"event", "show", event}, {"audit"},
	} {
		res := invokeWith(t, f, "", func(e *env) { e.live = true }, args...)
		if res.code == exitUsage || res.out == "" {
			t.Errorf("%v: %+v", args, res)
		}
		for _, out := range []string{res.out, res.err} {
			for line := range strings.Lines(out) {
				if line = strings.TrimSuffix(line, "\n"); untrusted.Escape(line) != line {
					t.Errorf("%v prints %q", args, line)
				}
			}
		}
	}
}

// makeHostile makes every text in v hostile but those that things are found by.
func makeHostile(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			makeHostile(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			makeHostile(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !slices.Contains([]string{"ID", "Webhook", "DeadLetter", "StateDir", "Schedule", "Unreplayable"}, f.Name) || f.Anonymous {
				makeHostile(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(v.String() + hostileText)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

func TestWebhookAddSendsOnlyWhatWasGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args, stdin, want string
	}{
		{"u", "", `{"url":"u"}`},
		{"u --event a --event b,c", "", `{"url":"u","events":["a","b","c"]}`},
		{"u --chat 1@g.us", "", `{"url":"u","chats":["1@g.us"]}`},
		{"u --chat *", "", `{"url":"u","chats":[]}`},
		{"u --unordered", "", `{"url":"u","ordered":false}`},
		{"u --unordered=false", "", `{"url":"u","ordered":true}`},
		{"u --generate-secret", "", `{"url":"u","generate_secret":true}`},
		{"u --no-secret", "", `{"url":"u","secret":""}`},
		{"u --allow-insecure-http", "", `{"url":"u","allow_insecure_http":true}`},
		{"u --allow-insecure-http=false", "", `{"url":"u","allow_insecure_http":false}`},
		{"u --secret-stdin", "from stdin\n", `{"url":"u","secret":"from stdin"}`},
		{"u --secret-file " + file, "", `{"url":"u","secret":"from a file"}`},
	} {
		f := healthy()
		if res := invoke(t, f, tt.stdin, append([]string{"webhook", "add"}, strings.Fields(tt.args)...)...); res.code != exitOK {
			t.Errorf("%s: %+v", tt.args, res)
			continue
		}
		if got, _ := json.Marshal(f.puts[0]); string(got) != tt.want {
			t.Errorf("%s: asked for %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestSecretsAreNeverFlagValuesOrEchoed(t *testing.T) {
	for _, flag := range []string{"--secret=hunter2", "--secret"} {
		if res := invoke(t, healthy(), "", "webhook", "add", "u", flag); res.code != exitUsage {
			t.Errorf("%s is accepted", flag)
		}
	}
	f := healthy()
	f.fail = map[string]error{"PutWebhook": api.Errorf(api.CodeInvalidSecret, "the secret is too long")}
	res := invoke(t, f, "hunter2", "webhook", "add", "u", "--secret-stdin")
	if res.code != exitUsage || strings.Contains(res.out+res.err, "hunter2") {
		t.Errorf("%+v", res)
	}
	if res := invoke(t, healthy(), strings.Repeat("x", maxSecretFile+1), "webhook", "add", "u", "--secret-stdin"); res.code != exitUsage {
		t.Errorf("a huge secret: %+v", res)
	}
}

// TestQueriesAreHiddenEverywhereButShow: a query often holds a token; only `webhook show`, --json
// and --curl print it.
func TestQueriesAreHiddenEverywhereButShow(t *testing.T) {
	for _, args := range []string{"status", "webhook list", "webhook test wh_9QRT", "webhook remove wh_9QRT --yes", "webhook add u",
		"deadletter", "deadletter list", "deadletter show dl_wh_9QRT_18031", "deadletter replay --all --dry-run"} {
		f := withBacklog(1)
		f.test = api.TestWebhookResult{URL: f.hooks[1].URL, Success: true, Status: 200}
		f.put = api.PutWebhookResult{Result: api.PutCreated, Webhook: f.hooks[1]}
		if res := invoke(t, f, "", strings.Fields(args)...); strings.Contains(res.out+res.err, "hunter2") {
			t.Errorf("%s prints the query:\n%s%s", args, res.out, res.err)
		}
	}
	if res := invoke(t, withBacklog(1), "", "webhook", "show", "wh_9QRT"); !strings.Contains(res.out, "?token=hunter2") {
		t.Errorf("webhook show hides the query:\n%s", res.out)
	}
}

// TestTextFromOutsideCannotMoveTheCursor: names, responses and errors come from WhatsApp and from
// endpoints.
func TestTextFromOutsideCannotMoveTheCursor(t *testing.T) {
	const evil = "\x1b[2J\u009b31m\nerror: forged"
	f := withBacklog(1)
	f.status.Link.Name, f.status.Link.Reason, f.hooks[1].Reason = evil, evil, evil
	f.status.Alarms[0].Message = evil
	l := &f.letters[0]
	l.Chat, l.Event, l.LastError.Message, l.AttemptLog[3].Response = evil, evil, evil, evil
	f.test = api.TestWebhookResult{URL: f.hooks[1].URL, Error: evil, Excerpt: evil, Event: evil}
	f.put = api.PutWebhookResult{Result: api.PutCreated, Webhook: f.hooks[1], Warnings: []string{evil}}
	f.fail = map[string]error{"Send": errors.New("\x1b[2J\u009b31m")}
	for _, args := range []string{"status", "status --check", "webhook list", "webhook show wh_9QRT", "webhook add u", "webhook test wh_9QRT",
		"deadletter", "deadletter list", "deadletter show dl_wh_9QRT_18031", "send text 1 x"} {
		res := invoke(t, f, "", strings.Fields(args)...)
		if strings.ContainsAny(res.out+res.err, "\x1b\u009b") || strings.Contains(res.out+res.err, "\nerror: forged") {
			t.Errorf("%s prints it raw:\n%q", args, res.out+res.err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, exitOK}, {errors.New("x"), exitFailed}, {usagef("x"), exitUsage}, {fmt.Errorf("y: %w", usagef("x")), exitUsage},
		{&resultError{exitNoDaemon}, exitNoDaemon}, {context.Canceled, exitFailed},
		{api.Errorf(api.CodeInvalidURL, "x"), exitUsage}, {api.Errorf(api.CodeInvalidEvents, "x"), exitUsage},
		{api.Errorf(api.CodeInvalidSecret, "x"), exitUsage}, {api.Errorf(api.CodeInvalidArguments, "x"), exitUsage},
		{api.Errorf(api.CodeInvalidCursor, "x"), exitUsage}, {api.Errorf(api.CodeInvalidRecipient, "x"), exitUsage},
		{fmt.Errorf("y: %w", api.Errorf(api.CodeServiceUnavail, "x")), exitNoDaemon},
		{&interruption{"interrupted"}, exitFailed}, {context.Canceled, exitFailed},
		{api.Errorf(api.CodeWebhookNotFound, "x"), exitFailed}, {api.Errorf(api.CodeNotFound, "x"), exitFailed},
		{api.Errorf(api.CodeAlreadyLinked, "x"), exitFailed}, {api.Errorf(api.CodePairingUnavail, "x"), exitFailed},
		{api.Errorf(api.CodeNotConnected, "x"), exitFailed}, {api.Errorf(api.CodeTimeout, "x"), exitFailed},
		{api.Errorf(api.CodeInternal, "x"), exitFailed}, {api.Errorf(api.CodeOutboxFull, "x"), exitFailed},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

// TestEveryCommandRefusesWhatItDoesNotKnow walks the whole tree: an unknown flag and a surplus
// argument are exit 2, --help is exit 0, and a group refuses an unknown subcommand.
func TestEveryCommandRefusesWhatItDoesNotKnow(t *testing.T) {
	var paths [][]string
	var walk func(path []string, root bool)
	e := newEnv(nil, func(string) string { return "" }, strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
	tree := newRootCmd(e)
	walk = func(path []string, _ bool) {
		cmd, _, err := tree.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
		for _, c := range cmd.Commands() {
			walk(append(append([]string{}, path...), c.Name()), false)
		}
	}
	walk(nil, true)
	if len(paths) < 25 {
		t.Fatalf("only %d commands found", len(paths))
	}
	for _, path := range paths {
		cmd, _, _ := tree.Find(path)
		if cmd.Short == "" {
			t.Errorf("%v has no short description", path)
		}
		if res := invoke(t, healthy(), "", append(append([]string{}, path...), "--no-such-flag")...); res.code != exitUsage || res.out != "" {
			t.Errorf("%v --no-such-flag: %+v", path, res)
		}
		if res := invoke(t, healthy(), "", append(append([]string{}, path...), "--help")...); res.code != exitOK || res.out == "" || res.err != "" {
			t.Errorf("%v --help: exit %d, %q", path, res.code, res.err)
		}
		if cmd.HasSubCommands() {
			if res := invoke(t, healthy(), "", append(append([]string{}, path...), "xyzzy")...); res.code != exitUsage {
				t.Errorf("%v xyzzy: exit %d", path, res.code)
			}
		}
	}
}

// TestModeOfEachCommand: reading commands work without a daemon, the link needs one, and
// only four may start one.
func TestModeOfEachCommand(t *testing.T) {
	for args, want := range map[string]mode{
		"status": modeState, "status --check": modeDaemon, "webhook list": modeState, "webhook show wh_7K2M": modeState, "webhook add u": modeCreate,
		"webhook test wh_7K2M": modeState, "webhook remove wh_7K2M": modeState, "deadletter": modeState, "deadletter list": modeState,
		"deadletter show dl_wh_9QRT_18031": modeState, "deadletter replay --all": modeState, "deadletter purge --all --yes": modeState,
		"stop": modeDaemon, "start": modeSpawn, "pair": modeSpawn, "unpair --yes": modeSpawnExisting, "connect": modeSpawnExisting, "pair passkey": modeDaemon, "pair confirm": modeDaemon, "send text 1 x": modeSpawnExisting,
		"contact find bob": modeSpawnExisting, "group list": modeSpawnExisting,
	} {
		f := healthy()
		f.letters = letters("wh_9QRT", "https://crm.example/", 1)
		f.took = 0
		res := invoke(t, f, "x", strings.Fields(args)...)
		if len(f.modes) != 1 || f.modes[0] != want {
			t.Errorf("%s connects as %v, want %v (%+v)", args, f.modes, want, res)
		}
		if f.closed != 1 {
			t.Errorf("%s closed the service %d times", args, f.closed)
		}
	}
}

func TestSettingsTravelToTheDaemon(t *testing.T) {
	key := strings.Repeat("ab", 32)
	for _, command := range []string{"start", "pair"} {
		f := healthy()
		calls := 0
		res := invokeWith(t, f, "", func(e *env) {
			spawn := e.connect
			e.connect = func(ctx context.Context, m mode) (backend, error) {
				if calls++; m == modeDaemon {
					return backend{}, api.Errorf(api.CodeServiceUnavail, "not running")
				}
				return spawn(ctx, m)
			}
		}, command, "--whatsapp-root-key", key, "--whatsapp-url", "ws://127.0.0.1:7/ws/chat")
		want := []string{"--whatsapp-url=ws://127.0.0.1:7/ws/chat", "--whatsapp-root-key=" + key}
		if res.code != exitOK || fmt.Sprint(f.args) != fmt.Sprint(want) {
			t.Errorf("%s: the daemon gets %q, want %q (%+v)", command, f.args, want, res)
		}
	}
}

func TestDestructiveCommandsAskOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		args, answer string
		code         int
		left         int
		webhooks     int
	}{
		{"deadletter purge --all", "y\n", exitOK, 0, 2},
		{"deadletter purge --all", "YES\n", exitOK, 0, 2},
		{"deadletter purge --all", "n\n", exitFailed, 3, 2},
		{"deadletter purge --all", "\n", exitFailed, 3, 2},
		{"deadletter purge --all", "", exitFailed, 3, 2},
		{"webhook remove wh_9QRT", "y\n", exitOK, 3, 1},
		{"webhook remove wh_9QRT", "no\n", exitFailed, 3, 2},
		{"webhook remove wh_9QRT --purge", "\n", exitFailed, 3, 2},
	} {
		f := withBacklog(3)
		res := invokeWith(t, f, tt.answer, func(e *env) { e.interactive = true }, strings.Fields(tt.args)...)
		if res.code != tt.code || len(f.letters) != tt.left || len(f.hooks) != tt.webhooks {
			t.Errorf("%s answered %q: exit %d, %d letters, %d webhooks (%s)", tt.args, tt.answer, res.code, len(f.letters), len(f.hooks), res.err)
		}
		if !strings.HasPrefix(res.err, "This will ") || !strings.Contains(res.err, "Continue? [y/N] ") {
			t.Errorf("%s does not ask: %q", tt.args, res.err)
		}
	}
}

func TestPairShowsOneCodeAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := healthy()
		code := "2@" + strings.Repeat("Ab3/", 59)
		f.steps = []api.PairStep{
			{Step: api.StepQR, QR: code, N: 1, Of: 6, ExpiresAt: time.Now().Add(60 * time.Second)},
			{Step: api.StepQR, QR: code + "x", N: 2, Of: 6, ExpiresAt: time.Now().Add(20 * time.Second)},
			{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net", Name: "Alice"},
		}
		res := invoke(t, f, "", "pair")
		if res.code != exitOK {
			t.Fatal(res)
		}
		for _, want := range []string{scanHint, "\n█ ▄▄▄▄▄ █", "code 1 of 6, renews in 60 s\n", "code 2 of 6, renews in 20 s\n",
			"Linked as +491515550100 (Alice).\nNext: waoutbox webhook test "} {
			if !strings.Contains(res.out, want) {
				t.Errorf("%q is missing in\n%s", want, res.out)
			}
		}
		if strings.Contains(res.out, "\x1b") {
			t.Error("a pipe got escape sequences")
		}
	})
}

func TestPairOnATerminalReplacesTheCode(t *testing.T) {
	f := healthy()
	f.steps = []api.PairStep{{Step: api.StepQR, QR: "2@a", N: 1, Of: 6}, {Step: api.StepQR, QR: "2@b", N: 2, Of: 6}, {Step: api.StepLinked, Account: "x"}}
	res := invokeWith(t, f, "", func(e *env) { e.live = true }, "pair")
	first, _, _ := strings.Cut(res.out, "\x1b[")
	lines := strings.Count(first, "\n")
	if got := strings.Count(res.out, fmt.Sprintf("\x1b[%dA\x1b[J", lines)); got != 2 {
		t.Errorf("a code of %d lines was taken off the screen %d times, want 2:\n%q", lines, got, res.out)
	}
}

func TestPairEndsWhenItsOutputDoes(t *testing.T) {
	f := healthy()
	f.steps = []api.PairStep{{Step: api.StepQR, QR: "2@a"}}
	var errs bytes.Buffer
	e := newEnv([]string{"pair", "--state-dir", t.TempDir(), "--json"}, func(string) string { return "" }, strings.NewReader(""), brokenWriter{}, &errs)
	e.connect = f.connect(e)
	if code := e.run(t.Context()); code != exitFailed || !strings.Contains(errs.String(), "broken") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	var errs bytes.Buffer
	e := newEnv([]string{"webhook", "list", "--state-dir", t.TempDir()}, func(string) string { return "" }, strings.NewReader(""), brokenWriter{}, &errs)
	e.connect = healthy().connect(e)
	if code := e.run(t.Context()); code != exitFailed || errs.String() != "error: the output could not be written: broken\n" {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestSendTextFromStdin(t *testing.T) {
	f := healthy()
	res := invoke(t, f, "two\nlines\n", "send", "text", "+491515550100", "-", "--quote", "3EB0", "--idempotency-key", "k")
	want := api.Send{To: "+491515550100", Text: "two\nlines", QuotedMessageID: "3EB0", IdempotencyKey: "k"}
	if res.code != exitOK || len(f.sent) != 1 || !reflect.DeepEqual(f.sent[0], want) {
		t.Errorf("%+v, sent %+v", res, f.sent)
	}
	if res := invoke(t, f, strings.Repeat("x", maxTextRead+1), "send", "text", "1", "-"); res.code != exitUsage || len(f.sent) != 1 {
		t.Errorf("a text of a megabyte: %+v", res)
	}
}

// A repeated send says so, and every kind arrives as it was typed.
func TestSendKindsAsTyped(t *testing.T) {
	f := healthy()
	card := filepath.Join(t.TempDir(), "carol.vcf")
	if err := os.WriteFile(card, []byte("BEGIN:VCARD\nFN:Carol\nEND:VCARD\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want api.Send
	}{
		{[]string{"reaction", "1", "3A", "👍", "--author", "me"}, api.Send{To: "1", Reaction: &api.Reaction{MessageID: "3A", Emoji: "👍", Author: "me"}}},
		{[]string{"reaction", "1", "3A", ""}, api.Send{To: "1", Reaction: &api.Reaction{MessageID: "3A"}}},
		{[]string{"location", "1", "--latitude", "-33.5", "--longitude=-70", "--name", "x"}, api.Send{To: "1", Location: &api.Location{Latitude: -33.5, Longitude: -70, Name: "x"}}},
		{[]string{"contact", "1", "Carol", "+1 555", "2", "--quote", "3A"}, api.Send{To: "1", QuotedMessageID: "3A", Contact: &api.Contact{Name: "Carol", Phones: []string{"+1 555", "2"}}}},
		{[]string{"contact", "1", "--vcard", card}, api.Send{To: "1", Contact: &api.Contact{VCard: "BEGIN:VCARD\nFN:Carol\nEND:VCARD\n"}}},
		{[]string{"contact", "1", "Carol", "--vcard", "-"}, api.Send{To: "1", Contact: &api.Contact{Name: "Carol", VCard: "stdin"}}},
		{[]string{"edit", "1", "3A", "new"}, api.Send{To: "1", Edit: &api.Edit{MessageID: "3A", Text: "new"}}},
		{[]string{"delete", "1", "3A", "--idempotency-key", "k"}, api.Send{To: "1", IdempotencyKey: "k", Delete: &api.Delete{MessageID: "3A"}}},
	} {
		f.sent = nil
		res := invoke(t, f, "stdin", append([]string{"send"}, c.args...)...)
		if res.code != exitOK || len(f.sent) != 1 || !reflect.DeepEqual(f.sent[0], c.want) {
			t.Errorf("%q: %+v, sent %+v", c.args, res, f.sent)
		}
	}
	res := invoke(t, f, "", "send", "delete", "1", "3A", "--idempotency-key", "k")
	if res.code != exitOK || !strings.HasPrefix(res.out, "Sent before under this idempotency key: 3EB0C0FFEE") {
		t.Errorf("repeated: %+v", res)
	}
	if res := invoke(t, f, "", "send", "contact", "1", "--vcard", card+"x"); res.code != exitUsage {
		t.Errorf("no such file: %+v", res)
	}
	if res := invoke(t, f, strings.Repeat("x", maxCardRead+1), "send", "contact", "1", "--vcard", "-"); res.code != exitUsage {
		t.Errorf("a large card: %+v", res)
	}
}

// JSON would replace these bytes on the way to the daemon: another text would be sent, and every
// signature would be wrong.
func TestBytesThatAreNoTextAreRefused(t *testing.T) {
	f := healthy()
	for _, args := range [][]string{
		{"send", "text", "1", "-"},
		{"send", "text", "1", "caf\xe9"},
		{"webhook", "add", "u", "--secret-stdin"},
	} {
		if res := invoke(t, f, "caf\xe9", args...); res.code != exitUsage || !strings.Contains(res.err, "UTF-8") {
			t.Errorf("%q: %+v", args, res)
		}
	}
	if len(f.sent) != 0 || len(f.puts) != 0 {
		t.Errorf("sent %+v, put %+v", f.sent, f.puts)
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	loc := time.FixedZone("x", 3600)
	for text, want := range map[string]string{
		"1h": "2026-01-31T11:00:00Z", "90m": "2026-01-31T10:30:00Z", "2d": "2026-01-29T12:00:00Z", "0.5d": "2026-01-31T00:00:00Z", "0s": "2026-01-31T12:00:00Z",
		"2026-01-30T09:00:00Z": "2026-01-30T09:00:00Z", "2026-01-30T09:00:00+02:00": "2026-01-30T07:00:00Z",
		"2026-01-30": "2026-01-29T23:00:00Z", "2026-01-30 09:00": "2026-01-30T08:00:00Z", "2026-01-30T09:00:01": "2026-01-30T08:00:01Z",
	} {
		got, err := parseMoment("since", text, now, loc)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("parseMoment(%q) = %v, %v, want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "-2d", "1", "d", "1e9d", "1x2d", "2026-13-01"} {
		if got, err := parseMoment("since", text, now, loc); exitCode(err) != exitUsage {
			t.Errorf("parseMoment(%q) = %v, %v: accepted", text, got, err)
		}
	}
}

// TestListStreamsWithoutCounting: --json prints page after page, and asks for no total, which would
// keep the first line waiting for a walk over all of them.
func TestListStreamsWithoutCounting(t *testing.T) {
	f := withBacklog(600)
	res := invoke(t, f, "", "deadletter", "list", "--json")
	if n := strings.Count(res.out, "\n"); res.code != exitOK || n != 600 {
		t.Errorf("exit %d, %d lines, %s", res.code, n, res.err)
	}
	if len(f.queries) != 3 {
		t.Errorf("%d pages, want 3", len(f.queries))
	}
	for _, q := range f.queries {
		if !q.SkipTotal || q.Limit != pageSize {
			t.Errorf("asked for %+v", q)
		}
	}
}

func TestPerson(t *testing.T) {
	for _, tt := range []struct{ jid, name, want string }{
		{"491515550100:3@s.whatsapp.net", "Alice", "+491515550100 (Alice)"}, {"491515550100@s.whatsapp.net", "", "+491515550100"},
		{"2048@lid", "", "2048@lid"}, {"", "", ""}, {"x@s.whatsapp.net", "", "x@s.whatsapp.net"},
	} {
		if got := person(tt.jid, tt.name); got != tt.want {
			t.Errorf("person(%q, %q) = %q, want %q", tt.jid, tt.name, got, tt.want)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"webhook", "show", ""}, []string{"wh_7K2M\thttp://localhost:5678/webhook/whatsapp", "wh_9QRT\thttps://crm.example/hooks/wa?…"}},
		{[]string{"deadletter", "--url", ""}, []string{"wh_7K2M\t", "wh_9QRT\t"}},
		{[]string{"deadletter", "replay", ""}, []string{"dl_wh_9QRT_18031\tmessage.received  503 Service Unavailable"}},
		{[]string{"webhook", "add", "u", "--event", ""}, []string{"message.received\t", "presence.update\t", "*\tevery event"}},
		{[]string{"config", "set", "log-level", ""}, []string{"debug", "error"}},
		{[]string{"config", "get", "max"}, []string{"max-in-flight\t"}},
	} {
		f := withBacklog(2)
		res := invokeWith(t, f, "", func(e *env) { e.args = append([]string{"__complete", "--state-dir", "/s"}, tt.args...) })
		for _, want := range tt.want {
			if !strings.Contains(res.out, want) {
				t.Errorf("%q offers no %q:\n%s", tt.args, want, res.out)
			}
		}
		if !strings.HasSuffix(res.out, ":4\n") {
			t.Errorf("%q offers files:\n%s", tt.args, res.out)
		}
		for _, m := range f.modes {
			if m != modeDaemon {
				t.Errorf("%q connects as %v", tt.args, m)
			}
		}
	}
}

// TestAnInterruptionIsNamed: a program that ended a command is not told of an internal error.
func TestAnInterruptionIsNamed(t *testing.T) {
	for _, err := range []error{&interruption{"interrupted; it goes on"}, context.Canceled, fmt.Errorf("wait: %w", context.Canceled)} {
		if got := codeOf(err); got != codeInterrupted {
			t.Errorf("%v has the code %s", err, got)
		}
	}
}

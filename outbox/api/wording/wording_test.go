package wording_test

import (
	"reflect"
	"strings"
	"testing"

	"waoutbox/outbox/api"
	"waoutbox/outbox/api/wording"
)

// A sentence says the same three ways, and what stands around the command stays.
//
// Mutation of wording.go: it is told to call a tool that its session does not have.
func TestSentences(t *testing.T) {
	for _, tt := range []struct{ person, agent, program string }{
		{
			"Resume it with: waoutbox webhook resume wh_7K2M.",
			"Resume it with: whatsapp_webhook_resume (url wh_7K2M).",
			"Resume it with: POST /v1/webhooks/wh_7K2M/resume.",
		},
		{
			"waoutbox --state-dir '/a dir/x' webhook resume wh_1 --skip-to-now, or wait",
			"whatsapp_webhook_resume (url wh_1, skipToNow true), or wait",
			`POST /v1/webhooks/wh_1/resume with {"skip_to_now":true}, or wait`,
		},
		{"link one first with waoutbox pair", "link one first with whatsapp_get_qr_code", "link one first with POST /v1/link/code"},
		{
			"start over: waoutbox pair --cancel, then waoutbox pair",
			"start over: whatsapp_get_qr_code (cancel true), then whatsapp_get_qr_code",
			`start over: POST /v1/link/continue with {"cancel":true}, then POST /v1/link/code`,
		},
		{"waoutbox status says what to do", "whatsapp_connection_status says what to do", "GET /v1/status says what to do"},
		{"scan a QR code instead (waoutbox pair)", "scan a QR code instead (whatsapp_get_qr_code)", "scan a QR code instead (POST /v1/link/code)"},
		{"log out with waoutbox unpair", "log out with whatsapp_disconnect (logout true)", "log out with DELETE /v1/link"},
		{"The user did not agree. He can do it himself with: `waoutbox unpair`", "", ""},
		{
			"See why: waoutbox deadletter --url wh_1",
			"See why: whatsapp_dead_letter_list (url wh_1)",
			"See why: GET /v1/dead-letters/summary?webhook=wh_1",
		},
		{
			"waoutbox deadletter purge dl_wh_1_2 dl_wh_1_3",
			"whatsapp_dead_letter_purge (ids dl_wh_1_2 dl_wh_1_3)",
			`POST /v1/dead-letters/purge with {"ids":["dl_wh_1_2","dl_wh_1_3"]}`,
		},
		{"waoutbox deadletter purge ID...", "whatsapp_dead_letter_purge", "POST /v1/dead-letters/purge"},
		{
			"waoutbox webhook add wh_1 --secret-file FILE", "waoutbox webhook add wh_1 --secret-file FILE",
			`POST /v1/webhooks with {"url":"wh_1","secret":…}`,
		},
		{
			"waoutbox webhook add wh_1 --generate-secret", "whatsapp_webhook_register (url wh_1, generateSecret true)",
			`POST /v1/webhooks with {"url":"wh_1","generate_secret":true}`,
		},
		{
			"use https, or allow it with: waoutbox webhook add URL --allow-insecure-http.", "use https, or allow it with: waoutbox webhook add URL --allow-insecure-http.",
			`use https, or allow it with: POST /v1/webhooks with {"allow_insecure_http":true}.`,
		},
		{"waoutbox webhook remove URL", "whatsapp_webhook_unregister", "DELETE /v1/webhooks/{webhook}"},
		{
			"look for it with waoutbox event list --chat 4915@s.whatsapp.net",
			"look for it with whatsapp_event_list (chat 4915@s.whatsapp.net)",
			"look for it with GET /v1/events?chat=4915@s.whatsapp.net",
		},
		{"waoutbox webhook rotate-secret wh_1 --overlap 0s", "waoutbox webhook rotate-secret wh_1 --overlap 0s", `POST /v1/webhooks/wh_1/rotate-secret with {"overlap":"0s"}`},
		{"waoutbox connect opens it", "whatsapp_connect opens it", "POST /v1/link/connect opens it"},
		// what is its owner's stays a command
		{"Allow it with: waoutbox webhook allow a.example", "", ""},
		{"waoutbox config set max-sends N", "", ""},
		{"Start it again: waoutbox start", "", ""},
		{"waoutbox cannot be started", "", ""},
		{"no waoutbox here, nor statuses of waoutbox statuses", "", ""},
		{"", "", ""},
	} {
		agent, program := tt.agent, tt.program
		if agent == "" {
			agent, program = tt.person, tt.person
		}
		all := func(string) bool { return true }
		if got := wording.ForAgents(tt.person, all); got != agent {
			t.Errorf("%q for an agent: %q, want %q", tt.person, got, agent)
		}
		if got := wording.ForPrograms(tt.person); got != program {
			t.Errorf("%q for a program: %q, want %q", tt.person, got, program)
		}
		if got := wording.ForAgents(tt.person, func(string) bool { return false }); got != tt.person {
			t.Errorf("%q for an agent without tools: %q", tt.person, got)
		}
	}
}

// Only sentences of this program change, in a copy: what an endpoint or a person wrote is as it
// was.
//
// Mutation of reword.go: what an endpoint wrote is rewritten with the sentences.
func TestOnlySentencesChange(t *testing.T) {
	command := "mend it: waoutbox webhook resume wh_1"
	in := api.Status{
		Link:     api.Link{Reason: command, Name: command, Notes: []string{command}},
		Alarms:   []api.Alarm{{Message: command, Code: command}},
		Webhooks: []api.Webhook{{Reason: command, URL: command, LastError: &api.RecentAttempt{Message: command}}},
	}
	before := reflect.ValueOf(in).Interface()
	out := wording.Of(in, strings.ToUpper)
	if !reflect.DeepEqual(in, before) || in.Alarms[0].Message != command || in.Link.Notes[0] != command {
		t.Errorf("what was given was changed: %+v", in)
	}
	upper := strings.ToUpper(command)
	if out.Link.Reason != upper || out.Link.Notes[0] != upper || out.Alarms[0].Message != upper || out.Webhooks[0].Reason != upper {
		t.Errorf("sentences are as they were: %+v", out)
	}
	if out.Link.Name != command || out.Alarms[0].Code != command || out.Webhooks[0].URL != command || out.Webhooks[0].LastError.Message != command {
		t.Errorf("what is no sentence was changed: %+v", out)
	}
	step := wording.Of(any(api.PairStep{Error: api.Errorf(api.CodeTimeout, "%s", command)}), strings.ToUpper)
	if got := step.(api.PairStep).Error.Message; got != upper {
		t.Errorf("the error in a step: %q", got)
	}
	if wording.Of[*api.Error](nil, strings.ToUpper) != nil {
		t.Error("nothing became something")
	}
}

// A command that is typed names the state, once, wherever it stands.
func TestForShell(t *testing.T) {
	const command = "waoutbox --state-dir '/a waoutbox pair'"
	for sentence, want := range map[string]string{
		"link one first with waoutbox pair":                      "link one first with " + command + " pair",
		"start over: waoutbox pair --cancel, then waoutbox pair": "start over: " + command + " pair --cancel, then " + command + " pair",
		"the user can run `waoutbox restart`.":                   "the user can run `" + command + " restart`.",
		"Start it: waoutbox --state-dir /b start":                "Start it: waoutbox --state-dir /b start",
		"waoutbox cannot be started":                             "waoutbox cannot be started",
		"the waoutbox service ends with waoutbox":                "the waoutbox service ends with waoutbox",
		"waoutbox paired, statuses of waoutbox":                  "waoutbox paired, statuses of waoutbox",
	} {
		got := wording.ForShell(sentence, command)
		if got != want {
			t.Errorf("%q is %q, want %q", sentence, got, want)
		}
		if again := wording.ForShell(got, command); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
		if same := wording.ForShell(sentence, "waoutbox"); same != sentence {
			t.Errorf("at the usual place %q is %q", sentence, same)
		}
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// TestGolden holds the command line's words: what each command prints and how it exits, in testdata/golden. After a wanted change
// run it with UPDATE_GOLDEN=1 and read the difference.
func TestGolden(t *testing.T) {
	added := func(result string) func() *fakeService {
		return func() *fakeService {
			f := healthy()
			f.put = api.PutWebhookResult{Result: result, Webhook: f.hooks[1]}
			return f
		}
	}
	withHeaders := func() *fakeService {
		f := added(api.PutUpdated)()
		f.hooks[1].Headers = []string{"Authorization", "X-Tenant"}
		f.put.Webhook = f.hooks[1]
		return f
	}
	empty := func() *fakeService { f := healthy(); f.hooks = nil; return f }
	offline := func(n int) func() *fakeService {
		return func() *fakeService {
			f := replayable(n)
			f.status.Daemon = nil
			f.status.Link = api.Link{State: api.LinkUnknown, Account: "491515550100@s.whatsapp.net"}
			f.took = 1000 * time.Hour
			return f
		}
	}
	removed := func() *fakeService {
		f := replayable(3)
		f.hooks = f.hooks[:1]
		for i := range f.letters {
			f.letters[i].Removed = true
			f.letters[i].LastError = api.LastError{Class: "unregistered", Message: "the webhook was removed before this event was delivered"}
			f.letters[i].Attempts, f.letters[i].AttemptLog = 0, nil
		}
		return f
	}
	tested := func(res api.TestWebhookResult) func() *fakeService {
		return func() *fakeService {
			f := healthy()
			res.URL, res.Event, res.EventID, res.Signed = f.hooks[0].URL, "connection.update", "evt_5f0c9d2b7a1e4f60", true
			f.test = res
			return f
		}
	}
	refusing := func(method string, err error) func() *fakeService {
		return func() *fakeService { f := failing(3); f.fail = map[string]error{method: err}; return f }
	}
	notRunning := func() *fakeService {
		return &fakeService{none: api.Errorf(api.CodeServiceUnavail, "waoutbox is not running. Start it: waoutbox start")}
	}
	letters := func(n int) func() *fakeService { return func() *fakeService { return failing(n) } }
	backAgain := func(n int) func() *fakeService { return func() *fakeService { return replayable(n) } }

	for _, tt := range []struct {
		name  string
		fake  func() *fakeService
		stdin string
		args  string
	}{
		{"status", letters(23), "", "status"},
		{"status-healthy", healthy, "", "status"},
		{"status-json", letters(1), "", "status --json"},
		{"status-offline", offline(2), "", "status"},
		{"status-offline-json", offline(2), "", "status --json"},
		{"status-no-webhooks", empty, "", "status"},
		{"status-removed", removed, "", "status"},
		{"status-unlinked", func() *fakeService {
			f := healthy()
			f.status.Link = api.Link{State: api.LinkUnlinked}
			return f
		}, "", "status"},
		{"status-connecting", func() *fakeService {
			f := healthy()
			f.status.Link.State, f.status.Link.Reason = api.LinkConnecting, "dial tcp: connection refused"
			return f
		}, "", "status"},
		{"status-check", healthy, "", "status --check"},
		{"status-check-alarm", letters(1), "", "status --check"},
		{"status-check-down", notRunning, "", "status --check"},
		{"status-down-json", notRunning, "", "status --check --json"},

		{"start", healthy, "", "start"},
		{"start-json", healthy, "", "start --json"},
		{"start-settings-while-running", healthy, "", "start --max-in-flight=8"},
		{"start-bad-url", healthy, "", "start --whatsapp-url ws://192.0.2.1:1/ws/chat"},
		{"stop", healthy, "", "stop"},
		{"stop-json", healthy, "", "stop --json"},
		{"stop-down", notRunning, "", "stop"},

		{"webhook-add", func() *fakeService {
			f := healthy()
			f.put = api.PutWebhookResult{Result: api.PutCreated, Webhook: f.hooks[0], Secret: "whsec_mYlSecret", Warnings: []string{"the name does not resolve yet"}}
			return f
		}, "", "webhook add http://localhost:5678/webhook/whatsapp --generate-secret"},
		{"webhook-add-json", added(api.PutCreated), "", "webhook add https://crm.example --json"},
		{"webhook-update", func() *fakeService { f := added(api.PutUpdated)(); f.put.Webhook.Pending = 1932; return f }, "", "webhook add https://crm.example"},
		{"webhook-revive", func() *fakeService { f := added(api.PutRevived)(); f.put.Webhook.Dead = 23; return f }, "", "webhook add https://crm.example"},
		{"webhook-add-bad-url", refusing("PutWebhook", api.Errorf(api.CodeInvalidURL, "169.254.169.254 is a link-local address; webhooks never go there (it serves cloud credentials).")), "", "webhook add http://169.254.169.254/latest"},
		{"webhook-add-bad-event-json", refusing("PutWebhook", api.Errorf(api.CodeInvalidEvents, `unknown event "message.recieved". Did you mean message.received?`)), "", "webhook add https://crm.example --event message.recieved --json"},
		{"webhook-add-no-secret-on-stdin", healthy, "\n", "webhook add https://crm.example --secret-stdin"},
		{"webhook-add-two-secrets", healthy, "", "webhook add https://crm.example --secret-stdin --generate-secret"},
		{"webhook-add-missing-file", healthy, "", "webhook add https://crm.example --secret-file /nowhere/secret"},
		{"webhook-add-headers", withHeaders, "", "webhook add https://crm.example --header X-Tenant:blue"},
		{"webhook-add-headers-json", withHeaders, "", "webhook add https://crm.example --header X-Tenant:blue --json"},
		{"webhook-add-bad-header", healthy, "", "webhook add https://crm.example --header hunter2"},
		{"webhook-add-headers-and-none", healthy, "", "webhook add https://crm.example --header X-Tenant:blue --no-headers"},
		{"webhook-add-missing-header-file", healthy, "", "webhook add https://crm.example --header-file /nowhere/headers"},
		{"webhook-show-headers", withHeaders, "", "webhook show wh_9QRT"},
		{"webhook-list-headers-json", withHeaders, "", "webhook list --json"},
		{"webhook-list", letters(3), "", "webhook list"},
		{"webhook-list-json", letters(3), "", "webhook list --json"},
		{"webhook-list-empty", empty, "", "webhook list"},
		{"webhook-list-empty-json", empty, "", "webhook list --json"},
		{"webhook-show", letters(3), "", "webhook show wh_9QRT"},
		{"webhook-show-json", healthy, "", "webhook show wh_7K2M --json"},
		{"webhook-show-unknown", healthy, "", "webhook show wh_NOPE"},
		{"webhook-show-verify-unknown", healthy, "", "webhook show wh_7K2M --verify cobol"},
		{"webhook-test", tested(api.TestWebhookResult{Success: true, Status: 200, Ms: 2, Class: "ok", Excerpt: "ok"}), "", "webhook test wh_7K2M"},
		{"webhook-test-n8n", tested(api.TestWebhookResult{Status: 404, Ms: 3, Class: "http", Excerpt: `{"code":404,"message":"The requested webhook is not registered."}`}), "", "webhook test wh_7K2M"},
		{"webhook-test-refused", tested(api.TestWebhookResult{Class: "refused", Error: "connection refused"}), "", "webhook test wh_7K2M"},
		{"webhook-test-timeout", tested(api.TestWebhookResult{Class: "timeout", Error: "no answer", Ms: 10000}), "", "webhook test wh_7K2M"},
		{"webhook-test-json", tested(api.TestWebhookResult{Status: 500, Ms: 3, Class: "http"}), "", "webhook test wh_7K2M --json"},
		{"webhook-remove", healthy, "", "webhook remove wh_7K2M"},
		{"webhook-remove-backlog", letters(3), "", "webhook remove wh_9QRT"},
		{"webhook-remove-backlog-yes", letters(3), "", "webhook remove wh_9QRT --yes"},
		{"webhook-remove-purge", letters(3), "", "webhook remove wh_9QRT --purge"},
		{"webhook-remove-purge-yes", letters(3), "", "webhook remove wh_9QRT --purge --yes"},
		{"webhook-remove-removed-purge", removed, "", "webhook remove wh_9QRT --purge --yes"},
		{"webhook-remove-json", healthy, "", "webhook remove wh_7K2M --json"},
		{"webhook-remove-unknown", healthy, "", "webhook remove wh_NOPE"},

		{"deadletter", letters(23), "", "deadletter"},
		{"deadletter-alias", letters(1), "", "dlq"},
		{"deadletter-filtered", letters(23), "", "dead-letter --event message.received --since 2h"},
		{"deadletter-json", letters(23), "", "deadletter --json"},
		{"deadletter-none", healthy, "", "deadletter"},
		{"deadletter-none-match", letters(3), "", "deadletter --event group.update"},
		{"deadletter-removed", removed, "", "deadletter"},
		{"deadletter-unknown-subcommand", letters(3), "", "deadletter lst"},
		{"deadletter-bad-since", letters(3), "", "deadletter --since yesterday"},
		{"deadletter-list", letters(53), "", "deadletter list"},
		{"deadletter-list-json", letters(2), "", "deadletter list --json"},
		{"deadletter-list-json-none", healthy, "", "deadletter list --json"},
		{"deadletter-show", letters(1), "", "deadletter show dl_wh_9QRT_18031"},
		{"deadletter-show-json", letters(1), "", "deadletter show dl_wh_9QRT_18031 --json"},
		{"deadletter-show-curl", letters(1), "", "deadletter show dl_wh_9QRT_18031 --curl"},
		{"deadletter-show-removed", removed, "", "deadletter show dl_wh_9QRT_18031"},
		{"deadletter-show-unknown", letters(1), "", "deadletter show dl_wh_9QRT_1"},

		{"replay", backAgain(23), "", "deadletter replay --url wh_9QRT"},
		{"replay-json", backAgain(23), "", "deadletter replay --all --json"},
		{"replay-ids", backAgain(3), "", "deadletter replay dl_wh_9QRT_18032 dl_wh_9QRT_1"},
		{"replay-dry-run", backAgain(23), "", "deadletter replay --all --dry-run"},
		{"replay-dry-run-json", backAgain(3), "", "deadletter replay dl_wh_9QRT_18032 dl_wh_9QRT_1 --dry-run --json"},
		{"replay-still-down", func() *fakeService {
			f := replayable(40)
			f.fate = func(string) bool { return false }
			return f
		}, "", "deadletter replay --all"},
		{"replay-one-fails", func() *fakeService {
			f := replayable(12)
			f.fate = func(id string) bool { return id != "dl_wh_9QRT_18033" }
			return f
		}, "", "deadletter replay --all"},
		{"replay-paused", func() *fakeService {
			f := replayable(3)
			f.hooks[1].Status, f.hooks[1].Reason, f.took = api.WebhookPaused, "answered 410", 1000*time.Hour
			return f
		}, "", "deadletter replay --all"},
		{"replay-offline", offline(3), "", "deadletter replay --all"},
		{"replay-offline-json", offline(3), "", "deadletter replay dl_wh_9QRT_18031 --json"},
		{"replay-offline-no-room", func() *fakeService { f := offline(30)(); f.room = 25; return f }, "", "deadletter replay --url wh_9QRT"},
		{"replay-removed", removed, "", "deadletter replay --all"},
		{"replay-nothing-selected", letters(3), "", "deadletter replay"},
		{"replay-two-selections", letters(3), "", "deadletter replay --all --url wh_9QRT"},
		{"replay-none", healthy, "", "deadletter replay --all"},
		{"replay-unknown", letters(3), "", "deadletter replay dl_wh_9QRT_1"},
		{"replay-bad-rate", letters(3), "", "deadletter replay --all --rate -1"},
		{"replay-daemon-lost", refusing("Replay", api.Retryf(api.CodeServiceUnavail, "the connection to waoutbox was lost")), "", "deadletter replay --all"},
		{"purge-unsaid", letters(23), "", "deadletter purge"},
		{"purge-unconfirmed", letters(23), "", "deadletter purge --all"},
		{"purge-json-never-asks", letters(23), "y\n", "deadletter purge --all --json"},
		{"purge-yes", letters(23), "", "deadletter purge --all --yes"},
		{"purge-yes-json", letters(23), "", "deadletter purge --url wh_9QRT --yes --json"},
		{"purge-none", healthy, "", "deadletter purge --all"},
		{"purge-unknown", letters(3), "", "deadletter purge dl_wh_9QRT_1 --yes"},

		{"send-text", healthy, "", "send text +491515550100 hello"},
		{"send-text-json", healthy, "", "send text +491515550100 hello --json"},
		{"send-text-empty", healthy, "\n", "send text +491515550100 -"},
		{"send-text-refused", refusing("SendText", api.Errorf(api.CodeNotOnWhatsApp, "+491 is not on WhatsApp")), "", "send text +491 hello"},
		{"pair-json", func() *fakeService {
			f := healthy()
			f.steps = []api.PairStep{{Step: api.StepQR, QR: "2@abc", N: 1, Of: 6, ExpiresAt: time.Now().Add(time.Minute)},
				{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net", Name: "Alice"}}
			return f
		}, "", "pair --json"},
		{"pair-unreachable", refusing("Pair", api.Retryf(api.CodePairingUnavail, "WhatsApp cannot be reached: connection refused. Check the network, then run it again")), "", "pair"},
		{"close-fails", refusing("close", fmt.Errorf("disk gone")), "", "webhook list"},
		{"unknown-command", healthy, "", "sttaus"},
		{"unknown-flag-json", healthy, "", "status --bogus --json"},
		{"unknown-help", healthy, "", "help webhook ad"},
		{"too-many-arguments", healthy, "", "status now"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour) // the bubble's clock starts at midnight; noon has a today
				res := invoke(t, tt.fake(), tt.stdin, strings.Fields(tt.args)...)
				compareGolden(t, tt.name, fmt.Sprintf("$ waoutbox %s\n%s--- stderr\n%s--- exit %d\n", tt.args, res.out, res.err, res.code))
			})
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the output changed.\ngot:\n%s\nwant:\n%s", got, want)
	}
}

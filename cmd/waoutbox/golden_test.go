package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// TestGolden holds the command line's words: what each command prints and how it exits, in
// testdata/golden.
//
// Mutation of filter_flags.go: a variable that is not set widens a filter to every chat.
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
	uncounted := func() *fakeService {
		f := healthy()
		f.status.CountsUnknown, f.status.Events = true, 0
		f.status.Alarms = []api.Alarm{{Code: "outbox_unreadable", Message: "A part of outbox.db cannot be read"}}
		for i := range f.hooks {
			f.hooks[i].CountsUnknown, f.hooks[i].Pending, f.hooks[i].Dead, f.hooks[i].OldestPendingSeconds = true, 0, 0, 0
		}
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
		return func() *fakeService { f := withBacklog(3); f.fail = map[string]error{method: err}; return f }
	}
	notRunning := func() *fakeService {
		return &fakeService{none: api.Errorf(api.CodeServiceUnavail, "waoutbox is not running. Start it: waoutbox start")}
	}
	letters := func(n int) func() *fakeService { return func() *fakeService { return withBacklog(n) } }
	signedLetter := func() *fakeService {
		f := withBacklog(1)
		l := &f.letters[0]
		l.Sequence, l.Account, l.Signed, l.Headers, l.Replay = 18031, "491515550100@s.whatsapp.net", true, []string{"Authorization"}, 2
		return f
	}
	lost := func() *fakeService {
		f := replayable(5)
		for i, reason := range []string{api.ReasonExpired, api.ReasonCorrupt, api.ReasonSkipped} {
			l := &f.letters[i]
			l.LastError, l.Attempts, l.AttemptLog = api.LastError{Class: reason, Message: "why it is " + reason}, 0, nil
			if !api.Replayable(reason) {
				l.Event, l.EventID, l.Chat, l.Body, l.Unreplayable = "", "", "", "", "there is nothing to send"
			}
		}
		f.letters[1].Damaged = true
		f.letters[0].Count, f.letters[0].First, f.letters[0].Sequence = 1200, 15000, 18031
		return f
	}
	replaying := func() *fakeService {
		f := replayable(10)
		f.prepare = func() {
			f.mu.Lock()
			job := f.newJob(f.letters[0], api.ReplayPace{Rate: new(float64)})
			for _, l := range f.letters {
				job.add(l)
			}
			f.mu.Unlock()
			if _, err := f.runs.Start(job.job); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		return f
	}
	withLog := func(n int) func() *fakeService {
		return func() *fakeService { f := healthy(); f.events = eventLog(n); return f }
	}
	backAgain := func(n int) func() *fakeService { return func() *fakeService { return replayable(n) } }

	idle := func() *fakeService { f := healthy(); f.activity.Since = f.status.Daemon.StartedAt; return f }
	until := time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	full := func() *fakeService { // every setting that is shown only where it is not the usual
		f := added(api.PutUpdated)()
		w := &f.hooks[1]
		w.Chats, w.NotChats, w.Kinds = []string{"4915155501001@s.whatsapp.net"}, []string{"120363025846172094@g.us"}, []string{"direct", "group"}
		w.RotationUntil, w.Redrive = until, true
		w.CA = []api.Certificate{{Subject: "Crm CA", NotAfter: until}, {Subject: "Old CA", NotAfter: until.AddDate(-30, 0, 0)}}
		f.put.Webhook = *w
		return f
	}
	gone := func() *fakeService {
		f := withBacklog(3)
		f.hooks[1].Status, f.hooks[1].Reason = api.WebhookPaused, "the endpoint answered 410 Gone: it does not want events any more. Resume the webhook when it does"
		f.wasSince = until
		return f
	}
	rotated := func(res api.RotateSecretResult) func() *fakeService {
		return func() *fakeService {
			f := healthy()
			res.Webhook = f.hooks[1]
			if res.Secret != "" {
				res.Webhook.RotationUntil = until
			}
			f.rotated = res
			return f
		}
	}
	for _, tt := range []goldenCase{
		{"status", letters(23), "", "status"},
		{"open", healthy, "", "open"},
		{"open-print", healthy, "", "open --print"},
		{"open-json", healthy, "", "open --json"},
		{"open-not-running", notRunning, "", "open"},
		{"status-healthy", healthy, "", "status"},
		{"status-json", letters(1), "", "status --json"},
		{"status-offline", offline(2), "", "status"},
		{"status-offline-json", offline(2), "", "status --json"},
		{"status-no-webhooks", empty, "", "status"},
		{"status-media", func() *fakeService {
			f := healthy()
			f.status.Media = &api.MediaStatus{Files: 1204, Bytes: 310 << 20, Waiting: 3, Failed: 1}
			return f
		}, "", "status"},
		{"status-http-tls", func() *fakeService {
			f := healthy()
			f.status.Daemon.HTTP = &api.HTTPListener{URL: "https://127.0.0.1:8080", Reachable: true}
			return f
		}, "", "status"},
		{"status-removed", removed, "", "status"},
		{"status-unlinked", func() *fakeService {
			f := healthy()
			f.status.Link = api.Link{State: api.LinkUnlinked}
			return f
		}, "", "status"},
		{"status-pairing", func() *fakeService {
			f := healthy()
			f.status.Link = api.Link{State: api.LinkPairing}
			return f
		}, "", "status"},
		{"status-passkey", func() *fakeService {
			f := healthy()
			f.status.Link = api.Link{State: api.LinkPairing, Reason: "WhatsApp asks for the account's passkey"}
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
		{"status-other-version", func() *fakeService { f := healthy(); f.status.Daemon.Version = "0.0.9"; return f }, "", "status"},
		{"restart", healthy, "", "restart"},
		{"restart-fails", refusing("Status", api.Errorf(api.CodeServiceUnavail, "nobody answers")), "", "restart"},
		{"stop", healthy, "", "stop"},
		{"stop-json", healthy, "", "stop --json"},
		{"stop-down", notRunning, "", "stop"},

		{"webhook-add", func() *fakeService {
			f := healthy()
			f.put = api.PutWebhookResult{Result: api.PutCreated, Webhook: f.hooks[0], Secret: "whsec_mYlSecret", Warnings: []string{"the name does not resolve yet"}}
			return f
		}, "", "webhook add http://localhost:5678/webhook/whatsapp --generate-secret"},
		{"audit", recorded, "", "audit"},
		{"audit-limit", recorded, "", "audit --limit 2"},
		{"audit-since", recorded, "", "audit --since 90s"},
		{"audit-json", recorded, "", "audit --json"},
		{"audit-verify", recorded, "", "audit --verify"},
		{"audit-verify-json", recorded, "", "audit --verify --json"},
		{"audit-verify-broken", recorded, "", "audit --verify --known change-8-00"},
		{"audit-verify-edited", edited, "", "audit --verify"},
		{"audit-accept", edited, "", "audit accept --yes"},
		{"audit-accept-json", edited, "", "audit accept --yes --json"},
		{"audit-accept-asks", edited, "", "audit accept"},
		{"audit-accept-nothing", recorded, "", "audit accept"},
		{"audit-none", healthy, "", "audit"},
		{"audit-none-since", recorded, "", "audit --since 1s"},
		{"webhook-allow", healthy, "", "webhook allow n8n.example"},
		{"webhook-disallow", healthy, "", "webhook disallow n8n.example"},
		{"webhook-add-json", added(api.PutCreated), "", "webhook add https://crm.example --json"},
		{"webhook-add-not-started", func() *fakeService {
			f := healthy()
			f.put = api.PutWebhookResult{Result: api.PutCreated, Webhook: f.hooks[0], Secret: "whsec_mYlSecret", Warnings: []string{"wh_7K2M is stored, but its delivery could not be started (it did not finish in time). Start it with: waoutbox webhook add wh_7K2M"}}
			f.put.Webhook.Status, f.put.Webhook.Reason = api.WebhookHeld, "its delivery has not started"
			return f
		}, "", "webhook add http://localhost:5678/webhook/whatsapp --generate-secret"},
		{"status-uncounted", uncounted, "", "status"},
		{"webhook-list-uncounted", uncounted, "", "webhook list"},
		{"webhook-list-uncounted-json", uncounted, "", "webhook list --json"},
		{"webhook-show-uncounted", uncounted, "", "webhook show wh_7K2M"},
		{"webhook-remove-uncounted", uncounted, "", "webhook remove wh_7K2M"},
		{"webhook-remove-uncounted-yes", uncounted, "", "webhook remove wh_7K2M --yes"},
		{"webhook-remove-unfinished", func() *fakeService {
			f := healthy()
			f.warnings = []string{"wh_9QRT is removed, but not all of its backlog was taken out (it did not finish in time). Run it again to finish"}
			return f
		}, "", "webhook remove wh_9QRT --yes"},
		{"purge-unfinished", func() *fakeService {
			f := withBacklog(23)
			f.warnings = []string{"Not all were purged (the disk is slow). Run it again to go on"}
			return f
		}, "", "deadletter purge --all --yes"},
		{"webhook-update", func() *fakeService { f := added(api.PutUpdated)(); f.put.Webhook.Pending = 1932; return f }, "", "webhook add https://crm.example"},
		{"webhook-revive", func() *fakeService { f := added(api.PutRevived)(); f.put.Webhook.Dead = 23; return f }, "", "webhook add https://crm.example"},
		{"webhook-add-bad-url", refusing("PutWebhook", api.Errorf(api.CodeInvalidURL, "169.254.169.254 is a link-local address; nothing is sent there or fetched from there (it serves cloud credentials).")), "", "webhook add http://169.254.169.254/latest"},
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
		{"webhook-add-limits", limited, "", "webhook add https://crm.example --schedule 0s,30s,10m --max-rate 2.5 --hold-after 5"},
		{"webhook-show-limits", limited, "", "webhook show wh_9QRT"},
		{"webhook-show-failing", failing, "", "webhook show wh_9QRT"},
		{"deadletter-failing", failing, "", "deadletter"},
		{"status-failing", failing, "", "status"},
		{"status-check-failing", failing, "", "status --check"},
		{"webhook-show", letters(3), "", "webhook show wh_9QRT"},
		{"webhook-show-recent", active, "", "webhook show wh_7K2M"},
		{"webhook-show-recent-json", active, "", "webhook show wh_7K2M --json"},
		{"webhook-show-attempts", active, "", "webhook show wh_7K2M --attempts"},
		{"webhook-show-attempts-json", active, "", "webhook show wh_7K2M --attempts --json"},
		{"webhook-show-attempts-none", idle, "", "webhook show wh_7K2M --attempts"},
		{"webhook-show-attempts-offline", healthy, "", "webhook show wh_7K2M --attempts"},
		{"webhook-show-attempts-verify", healthy, "", "webhook show wh_7K2M --attempts --verify go"},
		{"status-recent", active, "", "status"},
		{"metrics", healthy, "", "metrics"},
		{"metrics-json", healthy, "", "metrics --json"},
		{"metrics-down", notRunning, "", "metrics"},
		{"webhook-show-insecure", func() *fakeService { f := healthy(); f.hooks[1].AllowInsecure = true; return f }, "", "webhook show wh_9QRT"},
		{"webhook-show-json", healthy, "", "webhook show wh_7K2M --json"},
		{"webhook-show-unknown", healthy, "", "webhook show wh_NOPE"},
		{"webhook-show-verify-unknown", healthy, "", "webhook show wh_7K2M --verify cobol"},
		{"webhook-test", tested(api.TestWebhookResult{Success: true, Status: 200, Ms: 2, Class: "ok", Excerpt: "ok\n"}), "", "webhook test wh_7K2M"},
		// said nothing of either, and named status
		{"webhook-test-failing", tested(api.TestWebhookResult{ID: "wh_7K2M", Success: true, Status: 200, Ms: 2, Class: "ok", Was: api.WebhookFailing}), "", "webhook test wh_7K2M"},
		{"webhook-test-paused", tested(api.TestWebhookResult{ID: "wh_7K2M", Success: true, Status: 200, Ms: 2, Class: "ok", Was: api.WebhookPaused}), "", "webhook test wh_7K2M"},
		// did not say where it points
		{"webhook-test-redirect", tested(api.TestWebhookResult{Status: 302, Ms: 2, Class: "redirect", Error: "302 Found: redirects are never followed; register the URL it points to: https://crm.example/new"}), "", "webhook test wh_7K2M"},
		// advised to check the certificate
		{"webhook-test-not-tls", tested(api.TestWebhookResult{Ms: 4, Class: "tls", Error: "TLS: the endpoint speaks plain HTTP at this port: use http:// in the URL"}), "", "webhook test wh_7K2M"},
		// advised to let the receiver answer 200, and nothing else
		{"webhook-test-wants-tls", tested(api.TestWebhookResult{Status: 400, Ms: 4, Class: "http", Error: "400 Bad Request: the endpoint expects TLS at this port: use https:// in the URL", Excerpt: "Client sent an HTTP request to an HTTPS server.\n"}), "", "webhook test wh_7K2M"},
		{"webhook-test-gone", tested(api.TestWebhookResult{Status: 410, Ms: 4, Class: "gone", Error: "410 Gone"}), "", "webhook test wh_7K2M"},
		// named webhook test, which changes nothing of a paused one
		{"webhook-show-paused", func() *fakeService {
			f := healthy()
			f.hooks[0].Status, f.hooks[0].Reason = api.WebhookPaused, "by its user"
			return f
		}, "", "webhook show wh_7K2M"},
		{"webhook-test-n8n", tested(api.TestWebhookResult{Status: 404, Ms: 3, Class: "http", Excerpt: `{"code":404,"message":"The requested webhook is not registered."}`}), "", "webhook test wh_7K2M"},
		{"webhook-test-refused", tested(api.TestWebhookResult{Class: "refused", Error: "connection refused"}), "", "webhook test wh_7K2M"},
		{"webhook-test-timeout", tested(api.TestWebhookResult{Class: "timeout", Error: "no answer", Ms: 10000}), "", "webhook test wh_7K2M"},
		// advised to check the endpoint, which nothing had been sent to
		{"webhook-test-local", tested(api.TestWebhookResult{Class: "local", Signed: true, Error: "the signing secret cannot be opened"}), "", "webhook test wh_7K2M"},
		{"webhook-test-json", tested(api.TestWebhookResult{Status: 500, Ms: 3, Class: "http"}), "", "webhook test wh_7K2M --json"},
		{"webhook-test-unknown-ca", tested(api.TestWebhookResult{ID: "wh_7K2M", Class: "tls", Error: "TLS: x509: certificate signed by unknown authority", Ms: 4}), "", "webhook test wh_7K2M"},
		{"webhook-add-full", full, "", "webhook add https://crm.example --chat +4915155501001"},
		{"webhook-add-full-json", full, "", "webhook add https://crm.example --chat +4915155501001 --json"},
		{"webhook-show-full", full, "", "webhook show wh_9QRT"},
		{"webhook-list-full", full, "", "webhook list"},
		{"webhook-add-resumes", func() *fakeService {
			f := full()
			f.put.Was, f.put.WasReason = api.WebhookPaused, "by its user"
			return f
		}, "", "webhook add wh_9QRT"},
		{"webhook-add-empty-chat", healthy, "", "webhook add https://crm.example --chat="},
		// went back to the default
		// worked on the state of the default place
		{"empty-state-dir", healthy, "", "webhook list --state-dir="},
		{"webhook-add-empty-schedule", healthy, "", "webhook add https://crm.example --schedule="},
		{"webhook-add-all-and-one", healthy, "", "webhook add https://crm.example --chat * --chat +4915155501001"},
		{"webhook-add-ca-and-none", healthy, "", "webhook add https://crm.example --ca-file x.pem --no-ca"},
		{"webhook-add-missing-ca", healthy, "", "webhook add https://crm.example --ca-file /nowhere/ca.pem"},
		{"webhook-pause", letters(3), "", "webhook pause wh_9QRT"},
		{"webhook-pause-paused", gone, "", "webhook pause wh_9QRT"},
		{"webhook-pause-json", healthy, "", "webhook pause wh_7K2M --json"},
		{"webhook-pause-nothing", healthy, "", "webhook pause"},
		{"webhook-resume", gone, "", "webhook resume wh_9QRT"},
		{"webhook-resume-active", healthy, "", "webhook resume wh_7K2M"},
		{"webhook-resume-json", gone, "", "webhook resume wh_9QRT --json"},
		{"webhook-resume-skip", func() *fakeService { f := gone(); f.skipped = 1932; return f }, "", "webhook resume wh_9QRT --skip-to-now"},
		{"webhook-resume-unfinished", func() *fakeService {
			f := gone()
			f.skipped, f.warnings = 256, []string{"Only 256 events of wh_9QRT were skipped, and it was not resumed (the disk did not confirm the write). Run it again to go on"}
			return f
		}, "", "webhook resume wh_9QRT --skip-to-now"},
		{"webhook-rotate", rotated(api.RotateSecretResult{Result: api.Rotated, Secret: "whsec_mYlSecret"}), "", "webhook rotate-secret wh_9QRT"},
		{"webhook-rotate-json", rotated(api.RotateSecretResult{Result: api.Rotated, Secret: "whsec_mYlSecret"}), "", "webhook rotate-secret wh_9QRT --json"},
		{"webhook-rotate-at-once", rotated(api.RotateSecretResult{Result: api.Rotated}), "a secret of some length\n", "webhook rotate-secret wh_9QRT --secret-stdin --overlap 0s"},
		{"webhook-rotate-promote", rotated(api.RotateSecretResult{Result: api.RotationEnded}), "", "webhook rotate-secret wh_9QRT --promote"},
		{"webhook-rotate-promoted", rotated(api.RotateSecretResult{Result: api.RotationNoneRan}), "", "webhook rotate-secret wh_9QRT --promote"},
		{"webhook-rotate-unsigned", refusing("RotateSecret", api.Errorf(api.CodeInvalidArguments, "wh_9QRT has no secret to rotate: its requests are not signed.")), "", "webhook rotate-secret wh_9QRT"},
		{"webhook-rotate-two-secrets", healthy, "", "webhook rotate-secret wh_9QRT --secret-stdin --generate-secret"},
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
		{"deadletter-show-curl-signed", signedLetter, "", "deadletter show dl_wh_9QRT_18031 --curl"},
		{"deadletter-show-curl-json", signedLetter, "", "deadletter show dl_wh_9QRT_18031 --curl --json"},
		{"deadletter-show-curl-expired", lost, "", "deadletter show dl_wh_9QRT_18031 --curl"},
		{"deadletter-lost", lost, "", "deadletter"},
		{"deadletter-list-lost", lost, "", "deadletter list"},
		{"deadletter-show-expired", lost, "", "deadletter show dl_wh_9QRT_18031"},
		{"deadletter-show-corrupt", lost, "", "deadletter show dl_wh_9QRT_18032"},
		{"deadletter-show-skipped", lost, "", "deadletter show dl_wh_9QRT_18033"},
		{"replay-lost", lost, "", "deadletter replay dl_wh_9QRT_18031 dl_wh_9QRT_18032"},
		{"replay-some-lost", lost, "", "deadletter replay --all"},
		{"replay-lost-json", lost, "", "deadletter replay --reason expired --json"},
		{"purge-lost", lost, "", "deadletter purge --reason expired --yes"},
		{"purge-dry-run", letters(23), "", "deadletter purge --all --reason timeout --dry-run"},
		{"purge-dry-run-json", letters(23), "", "deadletter purge --all --yes --dry-run --json"},
		// named the purge as the next command
		{"purge-dry-run-none", healthy, "", "deadletter purge --all --dry-run"},
		{"purge-dry-run-none-match", letters(3), "", "deadletter purge --reason 404 --dry-run"},
		{"deadletter-list-all", letters(53), "", "deadletter list --all --reason timeout"},
		{"deadletter-is-an-id", letters(1), "", "deadletter dl_wh_9QRT_18031"},
		{"deadletter-replaying", replaying, "", "deadletter"},
		{"replay-status", replaying, "", "deadletter replay --status"},
		{"replay-status-json", replaying, "", "deadletter replay --status --json"},
		{"status-replaying", replaying, "", "status"},
		{"replay-status-none", healthy, "", "deadletter replay --status"},
		{"replay-stop", replaying, "", "deadletter replay --stop"},
		{"replay-stop-none", healthy, "", "deadletter replay --stop"},
		{"replay-watch", replaying, "", "deadletter replay --watch --url wh_9QRT"},
		{"replay-watch-none", healthy, "", "deadletter replay --watch"},
		{"replay-detach", backAgain(40), "", "deadletter replay --all --detach"},
		{"replay-detach-json", backAgain(2), "", "deadletter replay --all --detach --json"},
		{"event", healthy, "", "event"},
		{"event-is-an-id", withLog(3), "", "event evt_0000000000000000000000000000ca2a"},
		{"event-list", withLog(53), "", "event list"},
		{"event-list-filtered", withLog(53), "", "event list --event message.sent --since 20m --limit 2"},
		{"event-list-json", withLog(2), "", "event list --json"},
		{"event-list-bodies", withLog(2), "", "event list --json --limit 1 --bodies"},
		// listed without them, and said nothing
		{"event-list-bodies-text", withLog(2), "", "event list --bodies"},
		{"event-list-none", healthy, "", "event list"},
		{"event-list-no-match", withLog(3), "", "event list --chat 1@g.us"},
		{"event-list-limit-0", withLog(3), "", "event list --limit 0"},
		{"event-list-follow-until", withLog(3), "", "event list --follow --until 1h"},
		{"event-show", withLog(3), "", "event show evt_0000000000000000000000000000ca2b"},
		{"event-show-json", withLog(3), "", "event show 701 --json"},
		{"event-show-unknown", withLog(3), "", "event show 9"},
		{"event-replay", withLog(30), "", "event replay --url wh_9QRT --since 1h"},
		{"event-replay-dry-run", withLog(30), "", "event replay --url wh_9QRT --since 1h --event message.sent --dry-run"},
		{"event-replay-ids-json", withLog(3), "", "event replay --url wh_9QRT evt_0000000000000000000000000000ca2b evt_1 --json"},
		{"event-replay-none", withLog(3), "", "event replay --url wh_9QRT --since 1m"},
		{"event-replay-missing", withLog(3), "", "event replay --url wh_9QRT evt_1"},
		{"event-replay-no-webhook", withLog(3), "", "event replay --since 1h"},
		{"event-replay-nothing", withLog(3), "", "event replay --url wh_9QRT --event message.sent"},
		{"event-replay-two", withLog(3), "", "event replay --url wh_9QRT evt_1 --since 1h"},
		{"event-replay-offline", func() *fakeService { f := withLog(300)(); f.status.Daemon = nil; return f }, "", "event replay --url wh_9QRT --since 1h"},

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
		{"replay-daemon-lost", refusing("Replays", api.Retryf(api.CodeServiceUnavail, "the connection to waoutbox was lost")), "", "deadletter replay --all"},
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
		{"send-text-refused", refusing("Send", api.Errorf(api.CodeNotOnWhatsApp, "+491 is not on WhatsApp")), "", "send text +491 hello"},
		{"send-reaction", healthy, "", "send reaction +491515550100 3A5F0C91 👍"},
		{"send-location-no-point", healthy, "", "send location +491515550100 --latitude 52.5"},
		{"send-location-json", healthy, "", "send location +491515550100 --latitude -33.86 --longitude 151.2 --json"},
		{"send-contact-no-number", healthy, "", "send contact +491515550100 Carol"},
		{"send-edit", healthy, "new text\n", "send edit +491515550100 3EB0 -"},
		{"send-delete", healthy, "", "send delete +491515550100 3EB0"},
		{"send-read", healthy, "", "send read +491515550100 3A5F 3A60"},
		{"send-read-json", healthy, "", "send read 120363025846172094@g.us 3A5F --author 118302945561077@lid --json"},
		{"send-typing", healthy, "", "send typing +491515550100 --state recording"},
		{"send-typing-paused", healthy, "", "send typing +491515550100 --state paused"},
		{"send-typing-json", healthy, "", "send typing +491515550100 --json"},
		{"send-unknown-message", refusing("Send", api.Errorf(api.CodeMessageNotFound, "there is no message \"3EB0\" of this chat in the log")), "", "send edit +491515550100 3EB0 x"},
		{"contact-find", healthy, "", "contact find carol --limit 1"},
		{"contact-find-all", healthy, "", "contact find 555"},
		{"contact-find-json", healthy, "", "contact find carol --json"},
		{"contact-find-none", healthy, "", "contact find nobody"},
		{"contact-watch", healthy, "", "contact watch +15550100124"},
		{"group-list", healthy, "", "group list"},
		{"group-list-json", healthy, "", "group list --json"},
		{"group-show", healthy, "", "group show 120363025846172094@g.us"},
		{"group-list-offline", refusing("Groups", api.Retryf(api.CodeNotConnected, "not connected to WhatsApp yet: try again in a moment")), "", "group list"},
		{"pair-unreachable", refusing("Pair", api.Retryf(api.CodePairingUnavail, "WhatsApp cannot be reached: connection refused. Check the network, then run it again")), "", "pair"},
		{"close-fails", refusing("close", fmt.Errorf("disk gone")), "", "webhook list"},
		{"unknown-command", healthy, "", "sttaus"},
		{"unknown-flag-json", healthy, "", "status --bogus --json"},
		{"unknown-help", healthy, "", "help webhook ad"},
		{"too-many-arguments", healthy, "", "status now"},
	} {
		tt.run(t)
	}
}

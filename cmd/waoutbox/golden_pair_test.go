package main

import (
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// TestGoldenPairing holds the words of linking an account and of giving it up, as TestGolden does.
func TestGoldenPairing(t *testing.T) {
	for _, tt := range []goldenCase{
		{"pair-json", func() *fakeService {
			f := healthy()
			f.steps = []api.PairStep{{Step: api.StepQR, QR: "2@abc", N: 1, Of: 6, ExpiresAt: time.Now().Add(time.Minute)},
				{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net", Name: "Alice"}}
			return f
		}, "", "pair --json"},
		{"pair-code", func() *fakeService {
			f := healthy()
			f.steps = []api.PairStep{
				{Step: api.StepCode, Phone: "491515550100", Code: "ABCD-1234", ExpiresAt: time.Now().Add(160 * time.Second)},
				{Step: api.StepPasskey, ExpiresAt: time.Now().Add(10 * time.Minute), Passkey: &api.PairPasskey{Page: "https://web.whatsapp.com", Script: "run()", Request: []byte(`{"challenge":"c"}`)}},
				{Step: api.StepConfirm, Code: "WXYZ-9876"},
				{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net", Name: "Alice"},
			}
			return f
		}, "", "pair --phone +491515550100"},
		{"pair-code-json", func() *fakeService {
			f := healthy()
			f.steps = []api.PairStep{
				{Step: api.StepCode, Phone: "491515550100", Code: "ABCD-1234", ExpiresAt: time.Now().Add(160 * time.Second)},
				{Step: api.StepPasskey, Passkey: &api.PairPasskey{Page: "https://web.whatsapp.com", Script: "run()", Request: []byte(`{"challenge":"c"}`)}},
				{Step: api.StepConfirm, Code: "WXYZ-9876"},
			}
			return f
		}, "", "pair --json --phone +491515550100"},
		{"pair-two-ways", healthy, "", "pair --phone +491515550100 --png code.png"},
		{"pair-passkey", func() *fakeService {
			f := healthy()
			f.next = api.PairStep{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net"}
			return f
		}, "{}", "pair passkey -"},
		{"pair-passkey-empty", healthy, "", "pair passkey"},
		{"pair-confirm", func() *fakeService {
			f := healthy()
			f.next = api.PairStep{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net"}
			return f
		}, "", "pair confirm"},
		{"unpair", func() *fakeService {
			f := healthy()
			f.unpaired = api.UnpairResult{Account: "491515550100@s.whatsapp.net", Name: "Alice", Told: true}
			return f
		}, "", "unpair --yes"},
		{"unpair-offline", func() *fakeService {
			f := healthy()
			f.unpaired = api.UnpairResult{Account: "491515550100@s.whatsapp.net", Note: "WhatsApp could not be told, so the phone still lists this device: remove it there, under Settings > Linked devices."}
			return f
		}, "", "unpair --yes"},
		{"unpair-json", func() *fakeService {
			f := healthy()
			f.unpaired = api.UnpairResult{Account: "491515550100@s.whatsapp.net", Name: "Alice", Told: true}
			return f
		}, "", "unpair --yes --json"},
		{"connect", healthy, "", "connect"},
		{"connect-json", healthy, "", "connect --json"},
		{"connect-nobody", func() *fakeService { f := healthy(); f.status.Link = api.Link{State: api.LinkUnlinked}; return f }, "", "connect"},
		{"connect-fails", func() *fakeService {
			f := healthy()
			f.fail = map[string]error{"Connect": api.Retryf(api.CodeReplaced, "another program uses this session: stop the other one, then connect again")}
			return f
		}, "", "connect"},
		{"disconnect", closedLink, "", "disconnect"},
		{"status-closed", closedLink, "", "status"},
		{"unpair-nobody", healthy, "", "unpair --yes"},
		{"unpair-unconfirmed", healthy, "", "unpair"},
	} {
		tt.run(t)
	}
}

// closedLink is healthy with a link that was closed on request.
func closedLink() *fakeService {
	f := healthy()
	f.status.Link.State, f.status.Link.Closed = api.LinkDisconnected, true
	f.status.Link.Reason = "it was closed on request at 2026-11-24 09:00, and stays so until it is connected again"
	f.status.Alarms = []api.Alarm{{Code: "link_closed", Message: "The link is down: " + f.status.Link.Reason + ". Connect it: waoutbox connect.", Since: f.status.Link.Since}}
	return f
}

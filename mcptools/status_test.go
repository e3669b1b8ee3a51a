package mcptools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// Everything that needs somebody is in the status, and each thing once.
//
// Mutation of link.go: something is said twice in a status.
func TestStatusSaysEachThingOnce(t *testing.T) {
	f := newFake()
	f.onStatus = func(context.Context) (api.Status, error) {
		return api.Status{
			Link: api.Link{State: api.LinkDisconnected, Account: "49151@s.whatsapp.net", Reason: "WhatsApp has banned the account until 10:00"},
			Webhooks: []api.Webhook{
				{ID: "wh_1", URL: "https://a.example/", Status: api.WebhookFailing, Reason: "503 Service Unavailable", Signed: true},
				{ID: "wh_2", URL: "https://b.example/", Status: api.WebhookHeld, Reason: "Retry-After", Signed: true},
				{ID: "wh_3", URL: "https://c.example/", Status: api.WebhookActive},
				{ID: "wh_4", URL: "https://d.example/", Status: api.WebhookPaused, Reason: "paused by hand", Signed: true},
			},
			Alarms: []api.Alarm{
				{Code: "account_banned", Message: "WhatsApp has banned the account until 10:00. Wait", Since: moment},
				{Code: "webhook_failing", Webhook: "wh_1", Message: "wh_1 fails: mend the endpoint, then: waoutbox webhook test wh_1"},
				{Code: "expiry_near", Webhook: "wh_1", Message: "wh_1 has waited for a month"},
				{Code: "link_replaced", Message: "The link is down"},
				{Code: "webhook_paused", Webhook: "wh_4", Message: "wh_4 is paused: by hand. Resume it with: waoutbox webhook resume wh_4"},
				{Code: "outbox_disk_low", Message: "Free some\x1b[31m space"},
			},
		}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_connection_status", `{}`)
	want := `{"status":"disconnected","isConnected":false,"sessionInfo":{"account":"49151@s.whatsapp.net"},` +
		`"reason":"WhatsApp is not connected, so no events come. Once that is mended call whatsapp_connect. Unsigned, so that the receiver cannot tell who sends: wh_3.",` +
		`"alarms":[{"code":"account_banned","message":"WhatsApp has banned the account until 10:00. Wait.","since":"2026-11-24T09:00:00Z"},` +
		`{"code":"expiry_near","message":"wh_1 has waited for a month."},{"code":"webhook_paused","message":"wh_4 is paused: by hand. Resume it with: whatsapp_webhook_resume (url wh_4)."},{"code":"outbox_disk_low","message":"Free some[31m space."}],` +
		`"failingOrHeld":[{"id":"wh_1","url":"https://a.example/","status":"failing","reason":"wh_1 fails: mend the endpoint, then: whatsapp_webhook_test (url wh_1)"},` +
		`{"id":"wh_2","url":"https://b.example/","status":"held","reason":"Retry-After"}],"webhooks":4,"pending":0,"dead":0,"version":"0.1.0"}`
	if !sameJSON(t, r.StructuredContent, want) {
		t.Errorf("%s\nwant %s", r.StructuredContent, want)
	}
}

// However much is wrong, a status stays short and says how much it leaves out.
func TestStatusIsBounded(t *testing.T) {
	f := newFake()
	f.onStatus = func(context.Context) (api.Status, error) {
		st := api.Status{Link: api.Link{State: api.LinkConnected}}
		for n := range 100 {
			st.Alarms = append(st.Alarms, api.Alarm{Code: "outbox_corrupt", Message: strings.Repeat("x", 5000)})
			st.Webhooks = append(st.Webhooks, api.Webhook{ID: fmt.Sprintf("wh_%d", n), Status: api.WebhookHeld, Reason: strings.Repeat("y", 5000)})
		}
		return st, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_connection_status", `{}`)
	if n := len(r.StructuredContent); n > 30<<10 {
		t.Errorf("%d bytes", n)
	}
	if all := fmt.Sprint(r.Content[1:]); !strings.Contains(all, "20 of 100 alarms") || !strings.Contains(all, "20 of 100 webhooks") {
		t.Errorf("%s", all)
	}
}

// Closing is no log-out, and the result shows what became of the link; a link that does not come up
// says why.
func TestDisconnectAndConnectTools(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	var got statusOutput
	r := s.call("whatsapp_disconnect", `{"logout":"false"}`)
	if err := json.Unmarshal(r.StructuredContent, &got); err != nil {
		t.Fatal(err)
	}
	if asked := f.recorded(); !slices.Equal(asked, []string{"Disconnect", "Status"}) || got.IsConnected || !strings.Contains(got.Reason, "call whatsapp_connect") {
		t.Errorf("asked for %q, returned %s", asked, r.StructuredContent)
	}
	s.call("whatsapp_disconnect", `{"logout":true}`)
	if asked := f.recorded(); !slices.Equal(asked, []string{"Unpair", "Status"}) {
		t.Errorf("asked for %q", asked)
	}
	f.linkError = api.Retryf(api.CodeReplaced, "another program uses this session: stop the other one, then connect again")
	wantError(t, s.call("whatsapp_connect", `{}`), "replaced", true, "another program")
	// a service that is older than the tools says that it did nothing, and is believed
	f.linkError = api.Errorf(api.CodeServiceUnavail, "the running waoutbox (version 0.0.9) does not know this operation, so nothing was done").Undone()
	for _, tool := range []string{"whatsapp_disconnect", "whatsapp_connect"} {
		r := s.call(tool, `{}`)
		wantError(t, r, "service_unavailable", false, "does not know this operation, so nothing was done")
		if strings.Contains(r.text(), "may") {
			t.Errorf("%s: %s", tool, r.text())
		}
	}
	f.linkError = api.Retryf(api.CodeServiceUnavail, "the connection to waoutbox was lost")
	wantError(t, s.call("whatsapp_disconnect", `{}`), "service_unavailable", true, "It may go on")
	f.linkError, f.status.Link = nil, api.Link{State: api.LinkUnlinked}
	if r := s.call("whatsapp_connect", `{}`); r.IsError || !strings.Contains(fmt.Sprint(r.Content), "whatsapp_request_pairing_code") {
		t.Errorf("without an account: %s", r.text())
	}
}

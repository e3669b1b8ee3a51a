package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// otherMessages calls the tools that send more than text, and change what was sent.
func (a *agent) otherMessages(ctx context.Context, bob *wasim.Contact) {
	t := a.r.t
	t.Helper()
	before := len(bob.Received())
	var sent struct{ MessageID string }
	a.call(ctx, &sent, "whatsapp_send_location", map[string]any{"jid": bob.PN(), "latitude": "52.52", "longitude": 13.4, "name": "Berlin"})
	a.call(ctx, &sent, "whatsapp_send_contact", map[string]any{"jid": bob.PN(), "name": "Carol", "phones": "+49 151 5550112"})
	a.call(ctx, &sent, "whatsapp_send_text", map[string]any{"jid": bob.PN(), "text": "helo"})
	text := sent.MessageID
	a.call(ctx, &sent, "whatsapp_edit_message", map[string]any{"jid": bob.PN(), "messageId": text, "text": "hello"})
	a.call(ctx, &sent, "whatsapp_delete_message", map[string]any{"jid": bob.PN(), "messageId": text})
	if err := bob.WaitReceived(ctx, before+5); err != nil {
		t.Fatal(err)
	}
	got := bob.Received()[before:]
	if got[0].Message.GetLocationMessage().GetDegreesLatitude() != 52.52 || !strings.Contains(got[1].Message.GetContactMessage().GetVcard(), "5550112") || got[2].Text != "helo" {
		t.Errorf("Bob received %+v", got)
	}
	for i, m := range got[3:] { // the edit, then the deletion
		if id := m.Message.GetProtocolMessage().GetKey().GetID(); id != text && m.Message.GetEditedMessage() == nil {
			t.Errorf("change %d is of %q, want %q: %v", i, id, text, m.Message)
		}
	}
}

// groups calls the tool that lists groups.
func (a *agent) groups(ctx context.Context, group *wasim.Group) {
	t := a.r.t
	t.Helper()
	var groups struct {
		Total int
		Items []struct {
			JID, Name string
			Members   []struct{ Role string }
		}
	}
	a.call(ctx, &groups, "whatsapp_group_list", nil)
	if groups.Total != 1 || groups.Items[0].Name != "Launch" || len(groups.Items[0].Members) > 0 {
		t.Errorf("groups: %+v", groups)
	}
	a.call(ctx, &groups, "whatsapp_group_list", map[string]any{"jid": group.JID()})
	if len(groups.Items) != 1 || len(groups.Items[0].Members) != 2 {
		t.Errorf("one group: %+v", groups)
	}
}

// events calls the tools that show what came.
func (a *agent) events(ctx context.Context) {
	t := a.r.t
	t.Helper()
	type item struct{ ID, Event, Chat, Time, Body string }
	var list struct {
		Items      []item
		NextCursor string
	}
	res := a.call(ctx, &list, "whatsapp_event_list", map[string]any{"event": "message.received", "limit": "1"})
	if len(list.Items) != 1 || list.Items[0].Body != "" || list.NextCursor == "" || strings.Contains(text(res), "and this?") {
		t.Errorf("the newest event: %s", text(res))
	}
	newest := list.Items[0].ID
	var waited struct{ Cursor string }
	a.call(ctx, &waited, "whatsapp_wait_for_events", map[string]any{"waitSeconds": 1, "events": []string{"presence.update"}})
	if waited.Cursor == "" {
		t.Error("a wait returned no cursor")
	}
	res = a.call(ctx, &list, "whatsapp_event_list", map[string]any{"event": "message.received", "cursor": list.NextCursor, "includeBody": true})
	if len(list.Items) != 1 || list.Items[0].ID == newest || !strings.Contains(list.Items[0].Body, "hello") || !strings.Contains(text(res), "never instructions") {
		t.Errorf("the events before: %s", text(res))
	}
	var shown struct {
		Event      item
		Deliveries []struct{ Webhook, State string }
	}
	res = a.call(ctx, &shown, "whatsapp_event_show", map[string]any{"id": newest, "includeBody": "true"})
	if shown.Event.ID != newest || len(shown.Deliveries) != 2 || !strings.Contains(shown.Event.Body, "and this?") {
		t.Errorf("one event: %s", text(res))
	}
}

// changesWebhooks calls the tools that stop a webhook for a while, test it with a whole event, and
// sign it with a secret that the agent does not see.
func (a *agent) changesWebhooks(ctx context.Context, recv *receiver.Receiver) {
	t := a.r.t
	t.Helper()
	var st struct{ Status string }
	if a.call(ctx, &st, "whatsapp_webhook_pause", map[string]any{"url": recv.URL()}); st.Status != "paused" {
		t.Errorf("paused: %+v", st)
	}
	if a.call(ctx, &st, "whatsapp_webhook_resume", map[string]any{"url": recv.URL()}); st.Status != "active" {
		t.Errorf("resumed: %+v", st)
	}

	headers := filepath.Join(a.r.stateDir, "webhook-headers")
	if err := os.WriteFile(headers, []byte("X-Team: sales\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := a.r.receiver(receiver.Options{})
	var reg struct {
		SecretFile string
		Webhook    struct {
			ID      string
			Signed  bool
			Headers []string
		}
	}
	res := a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": other.URL(), "events": "[\"group.update\"]", "generateSecret": "true", "headers": "x-team"})
	kept, err := os.ReadFile(reg.SecretFile)
	if err != nil || !reg.Webhook.Signed || len(reg.Webhook.Headers) != 1 || strings.Contains(text(res), strings.TrimSpace(string(kept))) {
		t.Errorf("registered: %s, %v", text(res), err)
	}
	var test struct {
		Success  bool
		Event    string
		Response string
	}
	a.call(ctx, &test, "whatsapp_webhook_test", map[string]any{"url": reg.Webhook.ID, "event": "message.received"})
	got := other.Deliveries()
	if !test.Success || test.Event != "message.received" || len(got) != 1 || !strings.Contains(string(got[0].Body), `"conversation"`) || got[0].Header.Get("X-Team") != "sales" {
		t.Errorf("tested: %+v, received %+v", test, got)
	}
	var un struct{ Removed bool }
	a.call(ctx, &un, "whatsapp_webhook_unregister", map[string]any{"url": reg.Webhook.ID})
}

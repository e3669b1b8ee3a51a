package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// agent is the official client, talking to `waoutbox mcp` as an agent's host would start it.
type agent struct {
	r       *rig
	session *mcp.ClientSession
	called  map[string]bool
}

func (r *rig) agent(ctx context.Context, args ...string) *agent {
	r.t.Helper()
	cmd := exec.Command(binary, append([]string{"--state-dir", r.stateDir, "mcp"}, args...)...)
	cmd.Stderr, cmd.Env = r.output, append(os.Environ(), r.agentEnv...)
	s, err := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil).Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		r.t.Fatalf("connect to waoutbox mcp: %v", err)
	}
	r.t.Cleanup(func() { s.Close() })
	return &agent{r, s, make(map[string]bool)}
}

// call calls a tool and reads its structured result into out.
func (a *agent) call(ctx context.Context, out any, name string, args map[string]any) *mcp.CallToolResult {
	a.r.t.Helper()
	a.called[name] = true
	res, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		a.r.t.Fatalf("%s: %v", name, err)
	}
	if out == nil {
		return res
	}
	if res.IsError {
		a.r.t.Fatalf("%s: %s", name, text(res))
	}
	b, err := json.Marshal(res.StructuredContent)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		a.r.t.Fatalf("%s returned %s: %v", name, b, err)
	}
	return res
}

func text(res *mcp.CallToolResult) string {
	var parts []string
	for _, c := range res.Content {
		if tc, ok := c.(*mcp.TextContent); ok {
			parts = append(parts, tc.Text)
		}
	}
	return strings.Join(parts, "\n")
}

// TestAgent drives every tool through the built binary: the daemon is started by the first call and
// outlives the client.
func TestAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustRun("config", "set", "whatsapp-url", r.sim.URL())
	r.mustRun("config", "set", "whatsapp-root-key", r.sim.RootKey())
	r.mustRun("config", "set", "webhook-policy", "open") // this client cannot ask its user
	t.Cleanup(func() { r.run("stop") })
	ctx := r.within(100 * time.Second)
	recv := r.receiver(receiver.Options{Secret: secret})
	broken := r.receiver(receiver.Options{Script: receiver.MustScript("410")})
	a := r.agent(ctx)

	tools, err := a.session.ListTools(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res := r.run("status", "--check"); res.code != 3 && !strings.Contains(res.stderr, "no state") {
		t.Error("the daemon was started by the handshake or the listing, not by the first call")
	}

	var status struct {
		Status      string
		IsConnected bool
	}
	a.call(ctx, &status, "whatsapp_connection_status", nil)
	if status.IsConnected {
		t.Error("connected before pairing")
	}
	var qr struct{ QRCode, ExpiresAt string }
	res := a.call(ctx, &qr, "whatsapp_get_qr_code", nil)
	image := false
	for _, c := range res.Content {
		if img, ok := c.(*mcp.ImageContent); ok {
			image = img.MIMEType == "image/png" && bytes.HasPrefix(img.Data, []byte("\x89PNG"))
		}
	}
	if !image {
		t.Error("no PNG in the result of whatsapp_get_qr_code")
	}
	// what it began it gives up, and begins again
	var given struct{ Cancelled bool }
	if a.call(ctx, &given, "whatsapp_get_qr_code", map[string]any{"cancel": true}); !given.Cancelled {
		t.Error("the pairing was not given up")
	}
	if err := r.phone.ScanQR(ctx, qr.QRCode); err == nil {
		t.Error("a code of a pairing that was given up links the account")
	}
	if res := a.call(ctx, nil, "whatsapp_get_qr_code", map[string]any{"cancel": true}); !res.IsError || !strings.HasPrefix(text(res), "not_waiting: ") || strings.Contains(text(res), "waoutbox ") {
		t.Errorf("without a pairing: %s", text(res))
	}
	a.call(ctx, &qr, "whatsapp_get_qr_code", nil)
	if err := r.phone.ScanQR(ctx, qr.QRCode); err != nil {
		t.Fatal(err)
	}
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	r.until("the agent sees the link", func() bool {
		a.call(ctx, &status, "whatsapp_connection_status", nil)
		return status.IsConnected
	})
	if res := a.call(ctx, nil, "whatsapp_get_qr_code", nil); !res.IsError || !strings.HasPrefix(text(res), "already_linked: ") {
		t.Errorf("a second pairing: %s", text(res))
	}

	var reg struct {
		Success bool
		Result  string
		Webhook struct {
			ID     string
			Signed bool
		}
	}
	a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": recv.URL(), "events": []string{"message.received", "message.sent"}, "secret": secret})
	if !reg.Success || reg.Result != "created" || !reg.Webhook.Signed {
		t.Errorf("register: %+v", reg)
	}
	a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": broken.URL(), "events": []string{"message.received"}})
	var list struct{ Count int }
	if res := a.call(ctx, &list, "whatsapp_webhook_list", nil); list.Count != 2 || strings.Contains(text(res), secret) {
		t.Errorf("list: %d webhooks; must be 2 and without the secret", list.Count)
	}
	var test struct {
		Success bool
		Status  int
	}
	a.call(ctx, &test, "whatsapp_webhook_test", map[string]any{"url": recv.URL()})
	if !test.Success || test.Status != 200 || recv.Deliveries()[0].Signature != receiver.SignatureValid {
		t.Errorf("test: %+v, signature %s", test, recv.Deliveries()[0].Signature)
	}

	bob := r.phone.NewContact("Bob", "491515550111")
	group := r.phone.NewGroup("Launch", bob)
	if _, err := bob.SendText(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Success   bool
		MessageID string
	}
	a.call(ctx, &sent, "whatsapp_send_text", map[string]any{"jid": bob.PN(), "text": "hi Bob", "idempotencyKey": "k1"})
	again := sent
	a.call(ctx, &again, "whatsapp_send_text", map[string]any{"jid": bob.PN(), "text": "hi Bob", "idempotencyKey": "k1"})
	if !sent.Success || again.MessageID != sent.MessageID {
		t.Errorf("send: %+v, the same key again: %+v", sent, again)
	}
	if err := bob.WaitReceived(ctx, 1); err != nil || bob.Received()[0].Text != "hi Bob" || len(bob.Received()) != 1 {
		t.Errorf("Bob received %+v, %v", bob.Received(), err)
	}
	if err := recv.Wait(ctx, 3); err != nil { // test, received, sent
		t.Fatal(err)
	}

	a.replies(ctx, bob)
	a.otherMessages(ctx, bob)
	a.groups(ctx, group)
	a.events(ctx)
	a.changesWebhooks(ctx, recv)

	var dead struct {
		Items []struct{ ID, URL, Event string }
		Total int
	}
	r.until("the 410 made a dead letter", func() bool {
		a.call(ctx, &dead, "whatsapp_dead_letter_list", nil)
		return dead.Total == 1
	})
	var purged struct{ Purged int }
	a.call(ctx, &purged, "whatsapp_dead_letter_purge", map[string]any{"url": broken.URL(), "dryRun": "true"})
	if purged.Purged != 1 {
		t.Errorf("a purge would discard %d, want 1", purged.Purged)
	}
	broken.SetScript(nil, false)
	// resumes it
	a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": broken.URL()})
	var replay struct{ Queued, Remaining int }
	a.call(ctx, &replay, "whatsapp_dead_letter_replay", map[string]any{"ids": []string{dead.Items[0].ID}})
	if replay.Queued != 1 || replay.Remaining != 0 {
		t.Errorf("replay: %+v", replay)
	}
	if err := broken.WaitFor(ctx, func(c receiver.Counts) bool { return c.Replayed == 1 }); err != nil {
		t.Error(err)
	}
	a.call(ctx, &purged, "whatsapp_dead_letter_purge", map[string]any{"ids": dead.Items[0].ID})
	if purged.Purged != 0 {
		t.Errorf("a dead letter that was delivered was discarded: %+v", purged)
	}
	var un struct{ Success, Removed bool }
	a.call(ctx, &un, "whatsapp_webhook_unregister", map[string]any{"url": broken.URL()})
	if !un.Removed {
		t.Errorf("unregister: %+v", un)
	}
	if res := a.call(ctx, nil, "whatsapp_webhook_register", map[string]any{"url": "http://169.254.169.254/latest"}); !res.IsError || !strings.HasPrefix(text(res), "invalid_url: ") {
		t.Errorf("metadata address: %s", text(res))
	}

	if err := a.session.Close(); err != nil {
		t.Errorf("close the client: %v", err)
	}
	if _, err := bob.SendText(ctx, "still there?"); err != nil {
		t.Fatal(err)
	}
	r.until("delivery goes on after the agent left", func() bool {
		return slices.ContainsFunc(recv.Deliveries(), func(d receiver.Delivery) bool { return strings.Contains(string(d.Body), "still there?") })
	})
	if st := r.status(); st.Daemon == nil || st.Link.State != api.LinkConnected {
		t.Errorf("the daemon did not outlive the client: %+v", st)
	}

	next := r.agent(ctx)
	next.call(ctx, &status, "whatsapp_disconnect", nil)
	if status.IsConnected || !r.status().Link.Closed || r.phone.Online() {
		t.Errorf("after closing the link: %+v", r.status().Link)
	}
	next.call(ctx, &status, "whatsapp_connect", nil)
	if !status.IsConnected {
		t.Errorf("after connecting: %+v", r.status().Link)
	}
	next.call(ctx, &status, "whatsapp_disconnect", map[string]any{"logout": true})
	if status.IsConnected || r.status().Link.Account != "" {
		t.Errorf("after the log-out: %+v", r.status().Link)
	}
	maps.Copy(a.called, next.called)
	for _, tool := range tools.Tools {
		if !a.called[tool.Name] {
			t.Errorf("%s was not called", tool.Name)
		}
	}
}

// replies calls the tools by which an agent replies to Bob.
func (a *agent) replies(ctx context.Context, bob *wasim.Contact) {
	t := a.r.t
	t.Helper()
	var found struct{ Items []struct{ JID, Name string } }
	a.call(ctx, &found, "whatsapp_find_recipient", map[string]any{"query": bob.PN()})
	if len(found.Items) != 1 {
		t.Errorf("find_recipient: %+v", found)
	}
	id, err := bob.SendText(ctx, "and this?")
	if err != nil {
		t.Fatal(err)
	}
	var done struct{ Success bool }
	a.r.until("a reaction to what arrived", func() bool {
		res := a.call(ctx, nil, "whatsapp_send_reaction", map[string]any{"jid": bob.PN(), "messageId": id, "emoji": "\U0001F44D"})
		return !res.IsError
	})
	a.call(ctx, &done, "whatsapp_read_messages", map[string]any{"messageKeys": []map[string]any{{"remoteJid": bob.PN(), "id": id}}})
	a.call(ctx, &done, "whatsapp_subscribe_presence", map[string]any{"jid": bob.PN()})
	if res := a.call(ctx, nil, "whatsapp_send_media", map[string]any{"jid": bob.PN(), "path": "/etc/hostname"}); !res.IsError || !strings.HasPrefix(text(res), "path_not_allowed: ") {
		t.Errorf("a file outside media-dirs: %s", text(res))
	}
	if res := a.call(ctx, nil, "whatsapp_download_media", map[string]any{"messageId": id}); !res.IsError || !strings.HasPrefix(text(res), "invalid_arguments: ") {
		t.Errorf("the file of a text: %s", text(res))
	}
	if res := a.call(ctx, nil, "whatsapp_request_pairing_code", map[string]any{"phoneNumber": "+4915155501"}); !res.IsError || !strings.HasPrefix(text(res), "already_linked: ") {
		t.Errorf("a code while linked: %s", text(res))
	}
}

// TestOneShot: a script that pipes its requests and closes the pipe gets its responses.
func TestOneShot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustRun("config", "set", "whatsapp-url", r.sim.URL())
	r.mustRun("config", "set", "whatsapp-root-key", r.sim.RootKey())
	t.Cleanup(func() { r.run("stop") })
	res := r.runWith(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"printf","version":"0"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"whatsapp_webhook_list","arguments":{}}}
`, "mcp")
	responded := map[float64]bool{}
	for line := range strings.Lines(res.stdout) {
		var m struct {
			ID     float64
			Result json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("not protocol on stdout: %q", line)
		}
		responded[m.ID] = len(m.Result) > 0
	}
	if res.code != 0 || !responded[1] || !responded[2] || !strings.Contains(res.stdout, `"count":0`) {
		t.Errorf("exit %d, responses %v:\n%s%s", res.code, responded, res.stdout, res.stderr)
	}
	if st := r.status(); st.Daemon == nil {
		t.Error("the daemon ended with its client")
	}
}

// TestAgentOutlivesTheService: a service that was stopped or killed between two calls is started by
// the next one, which succeeds; a webhook that was removed is added again by its id.
func TestAgentOutlivesTheService(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.mustRun("config", "set", "whatsapp-url", r.sim.URL())
	r.mustRun("config", "set", "whatsapp-root-key", r.sim.RootKey())
	t.Cleanup(func() { r.run("stop") })
	ctx := r.within(60 * time.Second)
	recv := r.receiver(receiver.Options{})
	a := r.agent(ctx)

	var reg struct {
		Result  string
		Webhook struct{ ID string }
	}
	a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": recv.URL(), "secret": secret})
	id := reg.Webhook.ID
	var list struct{ Count int }
	pid := r.status().Daemon.PID
	for name, end := range map[string]func(){
		"stopped": func() { r.mustRun("stop") },
		"killed": func() {
			p, err := os.FindProcess(r.status().Daemon.PID)
			if err == nil {
				err = p.Kill()
			}
			if err != nil {
				t.Fatal(err)
			}
			r.until("the killed service is gone", func() bool { return r.status().Daemon == nil })
		},
	} {
		end()
		if a.call(ctx, &list, "whatsapp_webhook_list", nil); list.Count != 1 {
			t.Errorf("%s: %d webhooks, want 1", name, list.Count)
		}
		st := r.status()
		if st.Daemon == nil || st.Daemon.PID == pid {
			t.Fatalf("%s: no new service: %+v", name, st.Daemon)
		}
		pid = st.Daemon.PID
	}

	var un struct{ Removed bool }
	if a.call(ctx, &un, "whatsapp_webhook_unregister", map[string]any{"url": id}); !un.Removed {
		t.Error("not removed by its id")
	}
	if a.call(ctx, &reg, "whatsapp_webhook_register", map[string]any{"url": id}); reg.Webhook.ID != id || reg.Result != "created" {
		t.Errorf("added again by its id %s: %+v", id, reg)
	}
}

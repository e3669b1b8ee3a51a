package wasim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// control calls the API and returns the status and the decoded reply.
func control(t *testing.T, s *Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, s.ControlURL()+path, strings.NewReader(body))
	must(t, err)
	return exchange(t, req)
}

func exchange(t *testing.T, req *http.Request) (int, map[string]any) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s %s replies %q", req.Method, req.URL.Path, bytes.TrimSpace(raw))
	}
	return resp.StatusCode, out
}

// do calls the API and expects success.
func do(t *testing.T, s *Server, method, path, body string) map[string]any {
	t.Helper()
	code, out := control(t, s, method, path, body)
	if code != http.StatusOK {
		t.Fatalf("%s %s %s: %d %v", method, path, body, code, out)
	}
	return out
}

func TestControlDrivesAConversation(t *testing.T) {
	s := testServer(t)
	do(t, s, "POST", "/accounts", `{"phone":"491515550100","name":"Shop"}`)
	do(t, s, "POST", "/contacts", `{"name":"Bob","phone":"15550100123"}`)
	do(t, s, "POST", "/contacts", `{"name":"Eve","phone":"15550100456","addressing":"pn"}`)
	group := do(t, s, "POST", "/groups", `{"subject":"Team","members":["Bob"]}`)
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	qr, err := json.Marshal(map[string]string{"qr": c.qr(t)})
	must(t, err)
	if got := do(t, s, "POST", "/scan", string(qr)); got["online"] != true {
		t.Errorf("after the scan: %v", got)
	}
	sent := do(t, s, "POST", "/messages", `{"from":"Bob","text":"hello"}`)
	if got := c.waitText(t, "hello"); got.Info.ID != sent["ids"].([]any)[0] {
		t.Errorf("id %s, want %v", got.Info.ID, sent["ids"])
	}
	do(t, s, "POST", "/messages", `{"from":"Eve","text":"many","count":3}`)
	c.waitText(t, "many 3")
	do(t, s, "POST", "/messages", `{"from":"Bob","group":"Team","text":"to all"}`)
	if got := c.waitText(t, "to all"); got.Info.Chat.String() != group["jid"] {
		t.Errorf("in %s, want %v", got.Info.Chat, group["jid"])
	}
	do(t, s, "POST", "/messages", `{"from":"phone","to":"+15550100123","text":"own"}`)
	c.waitText(t, "own")
	do(t, s, "POST", "/messages", `{"from":"phone","group":"Team","message":{"extendedTextMessage":{"text":"own to all"}}}`)
	c.waitText(t, "own to all")
	do(t, s, "POST", "/groups/joined", `{"group":"Team"}`)
	waitFor[*events.JoinedGroup](t, c)
	do(t, s, "POST", "/groups/members", `{"group":"Team","by":"Bob","action":"add","who":["Eve"]}`)
	do(t, s, "POST", "/groups/subject", `{"group":"Team","by":"Eve","subject":"Ours"}`)
	c.groupChange(t, "subject", func(e *events.GroupInfo) bool { return e.Name != nil && e.Name.Name == "Ours" })
	do(t, s, "POST", "/presence", `{"from":"Bob","available":false,"last_seen":1735689600}`)
	waitFor[*events.Presence](t, c)
	do(t, s, "POST", "/typing", `{"from":"Bob","group":"Ours","state":"recording"}`)
	waitFor[*events.ChatPresence](t, c)
	do(t, s, "POST", "/auto-receipts", `{"from":"Bob","types":["read"]}`)
	id := c.send(t, "15550100123@s.whatsapp.net", "reply")
	do(t, s, "GET", "/wait?for=received&contact=Bob&count=1", "")
	// Bob's, queued after he received: before it there may be nothing to drain
	waitFor[*events.Receipt](t, c)
	do(t, s, "GET", "/wait?for=drained", "")
	got := do(t, s, "GET", "/received?contact=Bob", "")["messages"].([]any)
	if first := got[0].(map[string]any); first["id"] != id || first["text"] != "reply" {
		t.Errorf("received %v", got)
	}
	if got := do(t, s, "GET", "/acked?class=message&after=1", ""); got["total"] != float64(7) || len(got["stanzas"].([]any)) != 6 {
		t.Errorf("acknowledged %v", got)
	}
	if got := do(t, s, "GET", "/pending", ""); got["total"] != float64(0) {
		t.Errorf("pending %v", got)
	}
	do(t, s, "POST", "/unlink", "")
	waitFor[*events.LoggedOut](t, c)
	if got := do(t, s, "GET", "/accounts", "")["accounts"].([]any)[0].(map[string]any); got["linked"] != false {
		t.Errorf("after unlink: %v", got)
	}
}

func TestControlExplainsMistakes(t *testing.T) {
	s := testServer(t)
	a := s.NewAccount("491515550100", "Shop")
	a.NewContact("Bob", "15550100123")
	for _, tc := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"POST", "/messages", `{"from":"Nobody","text":"x"}`, 404, "unknown contact"},
		{"POST", "/messages", `{"from":"Bob","text":"x"}`, 409, "no linked companion"},
		{"POST", "/messages", `{"from":"Bob"}`, 400, "neither text nor message"},
		{"POST", "/messages", `{"frm":"Bob"}`, 400, "unknown field"},
		{"POST", "/messages", `{"from":"Bob","count":-1,"text":"x"}`, 400, "not between"},
		{"POST", "/typing", `{"from":"Bob","group":"Team","state":"x"}`, 404, "unknown group"},
		{"POST", "/presence", `{"from":"Bob","available":true}`, 409, "not online"},
		{"POST", "/accounts", `{"phone":"+49 1515 550100"}`, 400, "exists already"},
		{"POST", "/contacts", `{"name":"Bob","phone":"1"}`, 400, "exists already"},
		{"POST", "/groups", `{"subject":"Team","addressing":"x"}`, 400, "lid or pn"},
		{"POST", "/scan", `{"qr":"hello"}`, 400, "QR text"},
		{"POST", "/refuse", `{"code":"many"}`, 400, "not a number"},
		{"GET", "/acked?after=x", "", 400, "query"},
		{"GET", "/acked?account=1", "", 404, "unknown account"},
		{"GET", "/wait?for=ever", "", 400, "not online, drained or received"},
	} {
		code, out := control(t, s, tc.method, tc.path, tc.body)
		if says, _ := out["error"].(string); code != tc.code || !strings.Contains(says, tc.says) {
			t.Errorf("%s %s %s: %d %v, want %d with %q", tc.method, tc.path, tc.body, code, out, tc.code, tc.says)
		}
	}
	if list := do(t, s, "GET", "/", "")["routes"].([]any); len(list) != len(s.routes()) {
		t.Errorf("%d routes listed, want %d", len(list), len(s.routes()))
	}
}

func TestControlIsNotForBrowsers(t *testing.T) {
	s := testServer(t)
	for name, change := range map[string]func(*http.Request){
		"origin": func(r *http.Request) { r.Header.Set("Origin", "https://example.org") },
		"name":   func(r *http.Request) { r.Host = "rebound.example.org" },
	} {
		u, err := url.Parse(s.ControlURL() + "/server")
		must(t, err)
		req := (&http.Request{Method: "GET", URL: u, Header: http.Header{}}).WithContext(testContext(t))
		change(req)
		if code, _ := exchange(t, req); code != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, code)
		}
	}
}

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"waoutbox/outbox/api"
)

// token is what the listener wants now.
func (r *rig) token() string {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.stateDir, "http-token"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// withToken sends each request with a token, on a connection of its own.
type withToken struct{ token string }

func (w withToken) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
}

// get asks the listener for url.
func (r *rig) get(url, token string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := withToken{token}.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// postJSON sends a body to the listener.
func (r *rig) postJSON(url, token, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := withToken{token}.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// TestHTTPListener: what a person, a program and an agent see of `serve --http`.
func TestHTTPListener(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve("--http", "127.0.0.1:0")
	st := r.status()
	if st.Daemon == nil || st.Daemon.HTTP == nil || st.Daemon.HTTP.Insecure {
		t.Fatalf("status %+v", st.Daemon)
	}
	url := st.Daemon.HTTP.URL
	if out := r.mustRun("status"); !strings.Contains(out, url) {
		t.Errorf("status prints\n%s", out)
	}
	if !strings.Contains(r.output.since(0), url) {
		t.Errorf("serve does not say where it listens: %s", r.output.tail(2<<10))
	}
	if out := r.mustRun("http-token"); !strings.Contains(out, url+"/mcp") || strings.Contains(out, r.token()) {
		t.Errorf("http-token prints\n%s", out)
	}

	// A program.
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 401, "/v1/status": 401, "/mcp": 401} {
		if status, body := r.get(url+path, ""); status != want {
			t.Errorf("%s without token: %d %s", path, status, body)
		}
	}
	status, body := r.get(url+"/v1/status", r.token())
	var got api.Status
	if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil || got.Daemon.PID != r.daemon.Process.Pid {
		t.Errorf("/v1/status: %d %s, %v", status, body, err)
	}
	if status, body := r.get(url+"/metrics", r.token()); status != 200 || !strings.Contains(body, "waoutbox_") {
		t.Errorf("/metrics: %d %.200s", status, body)
	}
	if status, body := r.get(url+"/v1/daemon", r.token()); status != 404 {
		t.Errorf("the daemon's own: %d %s", status, body)
	}

	// An agent.
	connect := func(token string) (*mcp.ClientSession, error) {
		c := mcp.NewClient(&mcp.Implementation{Name: "http-agent", Version: "1"}, nil)
		return c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url + "/mcp", HTTPClient: &http.Client{Transport: withToken{token}}}, nil)
	}
	if _, err := connect("wrong"); err == nil {
		t.Error("an agent without the token was served")
	}
	cs, err := connect(r.token())
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{r, cs, map[string]bool{}}
	var list struct{ Count int }
	a.call(r.within(time.Minute), &list, "whatsapp_webhook_list", nil)
	if res := a.call(r.within(time.Minute), nil, "whatsapp_webhook_register", map[string]any{"url": url + "/v1/webhooks"}); !res.IsError || !strings.Contains(text(res), "waoutbox itself listens") {
		t.Errorf("a webhook that points at the listener: %s", text(res))
	}

	status, body = r.postJSON(url+"/v1/webhooks", r.token(), `{"url":"http://127.0.0.1:1/hook"}`)
	if status != 200 {
		t.Errorf("a webhook added by a program: %d %s", status, body)
	}
	// Who it was is on record: the agent by its own name, the program as one.
	who := map[string]bool{}
	for _, line := range lines[api.AuditRecord](r, "audit") {
		who[line.Operation+" "+line.Caller+" "+line.Client+" "+line.Outcome] = true
	}
	if !who["webhook.add mcp http-agent refused"] || !who["webhook.add http http done"] {
		t.Errorf("the audit trail has %v", who)
	}

	// The token is replaced.
	old := r.token()
	r.mustRun("http-token", "rotate")
	if status, _ := r.get(url+"/v1/status", old); status != 401 {
		t.Errorf("the old token: %d", status)
	}
	if _, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "whatsapp_webhook_list"}); err == nil {
		t.Error("an agent with the old token was served")
	}
	_ = cs.Close() // it has no token to say goodbye with
	if status, _ := r.get(url+"/v1/status", r.token()); status != 200 {
		t.Errorf("the new token: %d", status)
	}

	// A port that is taken.
	other := newRig(t)
	if res := other.run("serve", "--whatsapp-url", other.sim.URL(), "--whatsapp-root-key", other.sim.RootKey(), "--http", strings.TrimPrefix(url, "http://")); res.code != 1 || !strings.Contains(res.stderr, "the setting http") {
		t.Errorf("a taken port: %+v", res)
	}
	if res := other.run("serve", "--whatsapp-url", other.sim.URL(), "--whatsapp-root-key", other.sim.RootKey(), "--http", "0.0.0.0:0"); res.code != 2 || !strings.Contains(res.stderr, "http-insecure") {
		t.Errorf("every address: %+v", res)
	}

	// A stop with an open stream.
	resp := r.stream(t.Context(), url)
	defer resp.Body.Close()
	r.stop()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}

// stream opens the stream on which an agent listens.
func (r *rig) stream(ctx context.Context, url string) *http.Response {
	r.t.Helper()
	listen := `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/mcp", strings.NewReader(listen))
	if err != nil {
		r.t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"} {
		req.Header.Set(k, v)
	}
	resp, err := withToken{r.token()}.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || resp.StatusCode != 200 {
		r.t.Fatalf("the stream: %d %q, %v", resp.StatusCode, line, err)
	}
	return resp
}

package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// browse opens the page by the link that the command prints, and returns how its pages are read.
func (r *rig) browse() (base string, client *http.Client, get func(path string) (int, string)) {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client = &http.Client{Jar: jar, Timeout: patience}
	r.t.Cleanup(client.CloseIdleConnections)
	link := one[api.PageLink](r, "open")
	u, err := url.Parse(link.URL)
	if err != nil || u.Hostname() != "127.0.0.1" || time.Until(link.ExpiresAt) > 5*time.Minute || time.Until(link.ExpiresAt) < time.Minute {
		r.t.Fatalf("the link is %+v, %v", link, err)
	}
	base = "http://" + u.Host
	get = func(path string) (int, string) {
		r.t.Helper()
		resp, err := client.Get(base + path)
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
	if status, text := get(u.RequestURI()); status != http.StatusOK {
		r.t.Fatalf("the link: %d\n%s", status, text)
	}
	return base, client, get
}

// TestPage: the page of a service without an HTTP listener is served on this machine alone, shows
// what is there, and does what its forms say, on record as the page's. No webhook can point at it,
// and an open page does not hold up a stop.
//
// Mutation of cmd/waoutbox/page_parts.go: a webhook points at the page.
func TestPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	if r.status().Daemon.HTTP != nil {
		t.Fatal("a listener runs before anybody asked for the page")
	}
	base, client, get := r.browse()
	if status, text := get("/page/"); status != http.StatusOK || !strings.Contains(text, "Not linked yet") {
		t.Errorf("the first page: %d\n%s", status, text)
	}
	for _, path := range []string{"/v1/status", "/mcp", "/metrics"} {
		if status, _ := get(path); status != http.StatusNotFound {
			t.Errorf("%s is served beside the page: %d", path, status)
		}
	}
	if res := r.run("webhook", "add", base+"/page/"); res.code != 2 || !strings.Contains(res.stderr, "waoutbox itself") {
		t.Errorf("a webhook at the page: exit %d\n%s", res.code, res.stderr)
	}
	hook := one[api.Webhook](r, "webhook", "add", "http://127.0.0.1:1/hook").ID
	_, text := get("/page/webhooks/" + hook + "/pause")
	_, rest, _ := strings.Cut(text, `name="csrf" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	req, err := http.NewRequest(http.MethodPost, base+"/page/webhooks/"+hook+"/pause", strings.NewReader(url.Values{"csrf": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := r.status().Webhooks[0].Status; resp.StatusCode != http.StatusOK || got != api.WebhookPaused {
		t.Errorf("paused by the page: %d, %s", resp.StatusCode, got)
	}
	by := map[string]string{}
	for _, rec := range lines[api.AuditRecord](r, "audit") {
		by[rec.Operation] = rec.Caller + " " + strings.Fields(rec.Client + " -")[0]
	}
	if by["webhook.pause"] != "page session" || by["page.open"] != "cli -" {
		t.Errorf("on record: %v", by)
	}

	stream, err := client.Get(base + "/page/stream?of=overview")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.stop()
	if _, err := io.Copy(io.Discard, stream.Body); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Logf("the stream ended with %v", err)
	}
	stream.Body.Close()
	t.Logf("stopped with an open page in %v", time.Since(began))
	if res := r.run("open"); res.code != 3 || !strings.Contains(res.stderr, "waoutbox") {
		t.Errorf("open without a service: exit %d\n%s", res.code, res.stderr)
	}
	if log := r.output.since(0); strings.Contains(log, token) || strings.Contains(log, "open?k=") {
		t.Error("the log holds a secret of the page")
	}
}

// TestPageOnTheHTTPListener: where that runs it serves the page, with sessions and not with its
// token; one that others reach in clear text does not.
//
// Mutation of cmd/waoutbox/page_parts.go: a listener that others reach in clear text serves the
// page.
func TestPageOnTheHTTPListener(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve("--http", "127.0.0.1:0")
	base, client, get := r.browse()
	if at := r.status().Daemon.HTTP.URL; at != base {
		t.Errorf("the page is at %s, the listener at %s", base, at)
	}
	if status, _ := get("/page/deadletters"); status != http.StatusOK {
		t.Errorf("a page: %d", status)
	}
	// the cookie is no token, and the token no cookie
	if status, _ := get("/v1/status"); status != http.StatusUnauthorized {
		t.Errorf("an operation with the page's cookie: %d", status)
	}
	req, err := http.NewRequest(http.MethodGet, base+"/page/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "attacker.example"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("for another host: %d", resp.StatusCode)
	}
	r.stop()

	r.serve("--http", "0.0.0.0:0", "--http-insecure")
	if base, _, _ := r.browse(); strings.HasSuffix(base, r.status().Daemon.HTTP.URL[strings.LastIndexByte(r.status().Daemon.HTTP.URL, ':'):]) {
		t.Errorf("a listener in clear text serves the page at %s", base)
	}
	resp, err = client.Get(r.status().Daemon.HTTP.URL + "/page/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("the page on a listener in clear text: %d", resp.StatusCode)
	}
}

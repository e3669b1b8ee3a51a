package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/translate"
)

// TestReceiversAreTold tries what is said of receivers in trouble against such receivers, and
// follows it where a command line mends it.
func TestReceiversAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	dir := shortDir(t)
	respond := func(status int, body string, header ...string) *httptest.Server {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		return srv
	}
	try := func(url string, parts ...string) {
		t.Helper()
		r.mustRun("webhook", "add", url)
		res := r.run("webhook", "test", url)
		if res.code != 1 {
			t.Errorf("%s: exit %d", url, res.code)
		}
		for _, part := range parts {
			if !strings.Contains(res.stdout, part) {
				t.Errorf("%s: %q is not in\n%s", url, part, res.stdout)
			}
		}
	}

	inactive := respond(404, `{"code":404,"message":"The requested webhook \"POST x\" is not registered."}`)
	try(inactive.URL+"/webhook/x", "n8n returns 404 while the workflow is not active")
	res := r.run("webhook", "add", inactive.URL+"/webhook-test/x?token=hush")
	if res.code != 0 || !strings.Contains(res.stderr, "a test URL of n8n") || !strings.Contains(res.stderr, inactive.URL+"/webhook/x") || strings.Contains(res.stderr, "hush") {
		t.Errorf("a test URL of n8n: %+v", res)
	}
	try(respond(413, "request entity too large").URL, "Raise its limit to 2 MB")
	try(respond(302, "", "Location", "/hook/").URL+"/hook", "302 Found", "webhook add http://127.0.0.1:", "/hook/")
	// nothing to copy
	try(respond(302, "", "Location", "https://crm.example/$(reboot)").URL, "webhook add URL")

	plain := respond(200, "")
	try("https://"+strings.TrimPrefix(plain.URL, "http://"), "plain HTTP at this port", "right scheme")
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // what it says of the attempts below
	secure.StartTLS()
	t.Cleanup(secure.Close)
	try("http://"+strings.TrimPrefix(secure.URL, "https://"), "expects TLS at this port")
	try(secure.URL, "--ca-file FILE")
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mustRun("webhook", "add", secure.URL, "--ca-file", ca)
	r.mustRun("webhook", "test", secure.URL)

	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, password, ok := req.BasicAuth(); !ok || user != "wa" || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="n8n"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(guarded.Close)
	try(guarded.URL, "Authorization: Basic", "--header-file FILE")
	headers := filepath.Join(dir, "headers")
	if err := os.WriteFile(headers, []byte("Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("wa:open sesame"))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mustRun("webhook", "add", guarded.URL, "--header-file", headers)
	r.mustRun("webhook", "test", guarded.URL)
}

// TestPrintedReceiversRun starts the receivers that `webhook show --verify` prints, in each
// language whose program is there: they take the sample of every event and a body of almost 2 MB,
// and refuse another secret and a larger body.
func TestPrintedReceiversRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	for _, l := range []struct{ language, file, program string }{{"node", "receiver.js", "node"}, {"python", "receiver.py", "python3"}, {"go", "receiver.go", "go"}} {
		if _, err := exec.LookPath(l.program); err != nil {
			// set by .ci/run
			if os.Getenv("WAOUTBOX_REQUIRE_TOOLS") != "" && l.program != "python3" {
				t.Error(err)
			}
			t.Logf("the receiver for %s is not run: %v", l.language, err)
			continue
		}
		dir := t.TempDir()
		code := r.mustRun("webhook", "show", r.verified(l.language, "http://127.0.0.1:9/"), "--verify", l.language)
		if err := os.WriteFile(filepath.Join(dir, l.file), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		argv := []string{l.program, l.file}
		if l.language == "go" {
			build := exec.CommandContext(t.Context(), "go", "build", "-o", "receiver", l.file)
			build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			argv = []string{filepath.Join(dir, "receiver")}
		}
		r.runReceiver(l.language, dir, argv)
	}
}

// verified registers a signed webhook for a language.
func (r *rig) verified(language, url string) string {
	r.t.Helper()
	res := r.runWith(secret, "webhook", "add", url+language, "--secret-stdin")
	if res.code != 0 {
		r.t.Fatalf("%+v", res)
	}
	return url + language
}

// runReceiver starts a receiver and sends it what it takes and what it refuses.
func (r *rig) runReceiver(language, dir string, argv []string) {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "PORT="+port, "WEBHOOK_SECRET="+secret)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	url := "http://127.0.0.1:" + port + "/"
	r.until("the receiver listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	url = r.verified(language, url)
	for _, ev := range translate.Catalog() {
		if res := r.run("webhook", "test", url, "--event", ev.Name); res.code != 0 {
			r.t.Errorf("%s: the sample of %s: %s", language, ev.Name, res.stdout)
		}
	}
	post := func(key string, size int) int {
		body := []byte(`{"event":"message.received","timestamp":1,"data":{"text":"` + strings.Repeat("x", size) + `"}}`)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		req, err := http.NewRequestWithContext(r.within(time.Minute), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("X-Webhook-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			return -1 // closed while it was being sent
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, c := range []struct {
		key        string
		size, want int
	}{{secret, 10, 200}, {secret, 2<<20 - 1000, 200}, {"another secret", 10, 401}, {secret, 2<<20 + 1000, 413}} {
		if got := post(c.key, c.size); got != c.want && (c.want != 413 || got != -1) {
			r.t.Errorf("%s: a body of %d bytes gets %d, want %d", language, c.size, got, c.want)
		}
	}
}

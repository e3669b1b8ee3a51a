package wire

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"waoutbox/connection/wire/proxytest"
)

// get fetches u through the proxy with one of the link's two transports.
func get(t *testing.T, rt http.RoundTripper, u string) (string, error) {
	t.Helper()
	h := &http.Client{Transport: rt}
	defer h.CloseIdleConnections()
	resp, err := h.Get(u)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestEverythingGoesThroughTheProxy(t *testing.T) {
	sim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "there") }))
	defer sim.Close()
	server, err := CheckServer("ws"+strings.TrimPrefix(sim.URL, "http"), strings.Repeat("0f", 32))
	must(t, err)
	for _, scheme := range []string{"http", "https", "socks5"} {
		for _, user := range []string{"", "alice:s3crEt"} {
			t.Run(scheme+" "+user, func(t *testing.T) {
				px := proxytest.Start(t, scheme, user)
				p, err := CheckProxy(px.URL())
				must(t, err)
				if scheme == "https" {
					p.roots = x509.NewCertPool()
					p.roots.AddCert(px.Certificate().Certificate())
				}
				r := Route{Server: server, Proxy: p}
				for _, rt := range []http.RoundTripper{r.Transport(), r.Media()} {
					if got, err := get(t, rt, "https://mmg.whatsapp.net/media"); err != nil || got != "there" {
						t.Errorf("%q, %v", got, err)
					}
				}
				if got := px.Targets(); len(got) != 2 || got[0] != sim.Listener.Addr().String() {
					t.Errorf("the proxy connected to %v", got)
				}
				if strings.Contains(p.String(), "s3crEt") {
					t.Errorf("it is shown as %s", p)
				}

				// a wrong password, and a proxy that is gone: nothing goes around it
				bad, err := CheckProxy(strings.Replace(px.URL(), "s3crEt", "wr0ng", 1))
				must(t, err)
				bad.roots = p.roots
				if user != "" {
					_, err := get(t, Route{Server: server, Proxy: bad}.Transport(), "https://web.whatsapp.com/")
					if err == nil || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "the proxy "+scheme+"://127.0.0.1:") {
						t.Errorf("a wrong password: %v", err)
					}
					if scheme != "socks5" && !strings.Contains(err.Error(), "407") {
						t.Errorf("a wrong password: %v", err)
					}
				}
				px.Stop()
				if got, err := get(t, r.Transport(), "https://web.whatsapp.com/"); err == nil || !strings.Contains(err.Error(), "connection refused") {
					t.Errorf("without the proxy: %q, %v", got, err)
				}
			})
		}
	}
}

// Without another server the same holds for WhatsApp's own addresses, whose names the proxy looks
// up; with one the proxy must be on this machine too.
func TestNothingGoesAroundTheProxy(t *testing.T) {
	for _, scheme := range []string{"http", "socks5"} {
		px := proxytest.Start(t, scheme, "")
		p, err := CheckProxy(px.URL())
		must(t, err)
		if _, err := get(t, Route{Proxy: p}.Transport(), "https://web.whatsapp.invalid/ws/chat"); err == nil {
			t.Error("there is no such host")
		}
		if got := px.Targets(); len(got) != 1 || got[0] != "web.whatsapp.invalid:443" {
			t.Errorf("%s: the proxy was asked for %v", scheme, got)
		}
	}
	server, err := CheckServer("ws://127.0.0.1:9/ws/chat", strings.Repeat("0f", 32))
	must(t, err)
	far, err := CheckProxy("http://192.0.2.1:3128")
	must(t, err)
	if _, err := get(t, Route{Server: server, Proxy: far}.Transport(), "https://web.whatsapp.com/"); err == nil || !strings.Contains(err.Error(), "not this machine") {
		t.Errorf("a proxy elsewhere, before a server here: %v", err)
	}
}

// What the environment says counts only when it is asked. That it is not is looked up: a proxy from
// there is never used for loopback anyway, so no request could show it.
func TestTheEnvironmentIsNotAsked(t *testing.T) {
	if (Route{}).transport().Proxy != nil {
		t.Error("the environment is asked for a proxy")
	}
	if p, err := CheckProxy(""); p != nil || err != nil {
		t.Errorf("no setting: %v, %v", p, err)
	}
	if _, err := CheckProxy("socks9://alice:s3crEt@h:1"); err == nil || strings.Contains(err.Error(), "s3crEt") || !strings.Contains(err.Error(), "whatsapp-proxy") {
		t.Errorf("a wrong setting: %v", err)
	}
}

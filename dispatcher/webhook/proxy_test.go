package webhook

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// The proxies of the environment are not used. net/http reads them once in the life of a process,
// and never uses one for loopback by address or as localhost: so the test runs in a child whose
// environment names them, and sends to another name. With http.ProxyFromEnvironment set the child
// prints "the proxy was called".
//
// Mutation of dial.go: requests go through the proxy of the environment, past the address guard.
func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	if target := os.Getenv(childVar); target != "" {
		sendPastProxy(t, target)
		return
	}
	var called atomic.Bool
	proxy := listen(t, nil, func(c net.Conn) {
		called.Store(true)
		_ = c.Close()
	})
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	at := strings.TrimSuffix(proxy.url, "/hook")
	inChild(t, target, "HTTP_PROXY="+at, "HTTPS_PROXY="+at, "ALL_PROXY="+at, "http_proxy="+at, "https_proxy="+at, "all_proxy="+at,
		"NO_PROXY=", "no_proxy=", "REQUEST_METHOD=")
	if called.Load() {
		t.Error("the proxy was called")
	}
}

func sendPastProxy(t *testing.T, target string) {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	s := sender(t)
	s.resolver = testResolver(t, map[string]string{"hooks.example": "127.0.0.1"})
	plain := request("http://hooks.example:"+u.Port()+"/hook", "", "{}")
	// This is what makes the test one that can fail: the environment names a proxy for that URL.
	if p, err := http.ProxyFromEnvironment(&http.Request{URL: mustParse(t, plain.Webhook.URL)}); err != nil || p == nil {
		t.Fatalf("no proxy for %s: %v", plain.Webhook.URL, err)
	}
	if res, _ := timedSend(t, s, plain, 10*time.Second); res.Class != outbox.ClassOK {
		t.Errorf("http: %+v", res)
	}
	// The endpoint speaks no TLS; it is enough that it was called, and not the proxy.
	secure := request("https://hooks.example:"+u.Port()+"/hook", "", "{}")
	if res, _ := timedSend(t, s, secure, 10*time.Second); res.Class != outbox.ClassTLS {
		t.Errorf("https: %+v", res)
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

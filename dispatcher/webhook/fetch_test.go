package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/outbox"
)

// fetch asks for url as the service does for a file that an agent named, or for its alert-webhook.
func fetch(t *testing.T, s *Sender, url string) (status int, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.FetchClient(false).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(raw), err
}

// A fetch goes where a delivery may go, and nowhere else: each address is judged as it is dialled.
// These are refused, and lead to this machine all the same, so that no packet leaves it whatever
// the test shows.
func TestAFetchGoesWhereADeliveryMay(t *testing.T) {
	s := sender(t)
	var called atomic.Bool
	port := urlPort(t, serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	for _, host := range []string{"0.0.0.0", "[::]", "[::ffff:0.0.0.0]"} {
		for _, scheme := range []string{"http", "https"} {
			if _, _, err := fetch(t, s, scheme+"://"+host+":"+port+"/hook"); !isAddressError(err) {
				t.Errorf("%s to %s: %v", scheme, host, err)
			}
		}
	}
	if called.Load() {
		t.Error("it was called")
	}
}

func urlPort(t *testing.T, of string) string {
	t.Helper()
	return mustParse(t, of).Port()
}

func isAddressError(err error) bool {
	_, ok := errors.AsType[*AddressError](err)
	return ok
}

// A redirect is returned and not followed: it leads past whoever judged the first URL.
//
// Mutation of dial.go: redirects are followed to a file that an agent names.
func TestAFetchFollowsNoRedirect(t *testing.T) {
	var called atomic.Bool
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	from := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	if status, _, err := fetch(t, sender(t), from); err != nil || status != http.StatusFound || called.Load() {
		t.Errorf("%d, %v, followed: %v", status, err, called.Load())
	}
}

// The header of what is fetched is read up to a bound.
//
// Mutation of dial.go: the header of a file that an agent names is read whatever its length.
func TestTheHeaderOfAFetchIsBounded(t *testing.T) {
	long := func(n int) string {
		return okHeader + "X-Long: " + strings.Repeat("x", n) + "\r\nContent-Length: 2\r\n\r\nok"
	}
	past := listen(t, nil, answering(long(70<<10)))
	if _, _, err := fetch(t, sender(t), past.url); err == nil || !strings.Contains(err.Error(), "header") {
		t.Errorf("a little longer than it may be: %v", err)
	}
	near := listen(t, nil, answering(long(60<<10)))
	if _, body, err := fetch(t, sender(t), near.url); err != nil || body != "ok" {
		t.Errorf("one below it: %q, %v", body, err)
	}
}

// Old TLS is not spoken with what is fetched either.
//
// Mutation of dial.go: a file that an agent names is fetched with an old TLS.
func TestAFetchSpeaksNoOldTLS(t *testing.T) {
	own := newAuthority(t, "own")
	config := own.issue(t, nil)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	url := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	if _, _, err := fetch(t, sender(t), url); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v", err)
	}
}

// A fetch uses no proxy of the environment: see TestProxyOfTheEnvironmentIsNotUsed.
//
// Mutation of dial.go: a file that an agent names is fetched by way of a proxy of the environment.
func TestAFetchUsesNoProxyOfTheEnvironment(t *testing.T) {
	if target := os.Getenv(childVar); target != "" {
		// An address that net/http would use a proxy for, and that nobody calls.
		if _, _, err := fetch(t, sender(t), "http://0.0.0.0:"+urlPort(t, target)+"/hook"); !isAddressError(err) {
			t.Errorf("got %v", err)
		}
		return
	}
	var called atomic.Bool
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	at := strings.TrimSuffix(proxy, "/hook")
	inChild(t, target, "HTTP_PROXY="+at, "HTTPS_PROXY="+at, "http_proxy="+at, "https_proxy="+at, "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=")
	if called.Load() {
		t.Error("the proxy was called")
	}
}

// An endpoint that offers HTTP/2 is spoken to in HTTP/1.1: of one connection for everything, one
// that died would cost an event all of its attempts.
//
// Mutation of client.go: HTTP/2 is spoken, where one dead connection costs an event all of its
// attempts.
func TestHTTP2IsNotSpoken(t *testing.T) {
	own := newAuthority(t, "own")
	config := own.issue(t, nil)
	config.NextProtos = []string{"h2", "http/1.1"}
	var protocol atomic.Value
	config.VerifyConnection = func(c tls.ConnectionState) error {
		protocol.Store(c.NegotiatedProtocol)
		return nil
	}
	to := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	r := request(to, "", "{}")
	r.Webhook.CA = own.pem
	if res := sender(t).Send(t.Context(), r); res.Class != outbox.ClassOK {
		t.Errorf("%+v", res)
	}
	if got := protocol.Load(); got != "http/1.1" {
		t.Errorf("%v was agreed upon", got)
	}
}

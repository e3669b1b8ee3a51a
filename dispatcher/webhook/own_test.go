package webhook

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// What this program itself serves is no endpoint: neither when a webhook is added, by whatever
// name, nor when it is called, nor when a file is fetched.
//
// Mutation of dial.go: a file that an agent names by its URL is fetched from an address that
// deliveries may not go to.
// Mutation of address.go: a webhook points at it.
func TestOwnListenersAreNotCalled(t *testing.T) {
	called := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	defer srv.Close()
	at := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://"))
	own := &Own{}
	own.Add(at)
	_, port, _ := strings.Cut(srv.URL, "127.0.0.1")

	if _, err := own.CheckURL(srv.URL+"/mcp", false); err == nil || !strings.Contains(err.Error(), "waoutbox itself listens") {
		t.Errorf("its address: %v", err)
	}
	if _, err := own.CheckURL("http://[::ffff:127.0.0.1]"+port, false); err == nil {
		t.Error("its address as IPv6 was accepted")
	}
	if _, err := own.CheckURL("http://127.0.0.1:1/", false); err != nil {
		t.Errorf("another port: %v", err)
	}
	if _, err := own.CheckURL("http://127.0.0.2"+port, false); err != nil {
		t.Errorf("another address: %v", err)
	}
	name := "http://localhost" + port + "/mcp"
	if _, err := own.CheckURL(name, false); err != nil {
		t.Errorf("a name is judged when it is looked up: %v", err)
	}
	if _, err := own.Resolve(t.Context(), "http://127.0.0.1"+port+"/", false); err == nil {
		t.Error("a name of its address was accepted")
	}
	// a sentence, whichever of the machine's addresses the name has
	if _, err := own.Resolve(t.Context(), name, false); err != nil && !strings.HasPrefix(err.Error(), "localhost resolves to an address that is never called: ") {
		t.Errorf("a name of its address: %v", err)
	}

	s := New(Options{Own: own})
	defer s.Close()
	res := s.Send(t.Context(), dispatcher.Request{Sub: "wh_1", Webhook: outbox.Webhook{URL: srv.URL + "/"}})
	if res.Class != outbox.ClassAddress || !strings.Contains(res.Message, "waoutbox itself listens") {
		t.Errorf("a delivery: %s %q", res.Class, res.Message)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.FetchClient(false).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if _, ok := errors.AsType[*AddressError](err); !ok {
		t.Errorf("a fetch: %v", err)
	}
	if called > 0 {
		t.Errorf("it was called %d times", called)
	}
	other := New(Options{})
	defer other.Close()
	if res := other.Send(t.Context(), dispatcher.Request{Sub: "wh_1", Webhook: outbox.Webhook{URL: srv.URL + "/"}}); res.Class != outbox.ClassOK {
		t.Errorf("without it: %s %q", res.Class, res.Message)
	}
}

// A listener on every address is reached by each of this machine.
func TestOwnListenerOnEveryAddress(t *testing.T) {
	own := &Own{}
	own.Add(netip.MustParseAddrPort("[::]:8080"))
	for text, refused := range map[string]bool{"127.0.0.1:8080": true, "[::1]:8080": true, "127.8.9.1:8080": true, "127.0.0.1:8081": false, "203.0.113.7:8080": false} {
		if err := own.check(netip.MustParseAddrPort(text)); (err != nil) != refused {
			t.Errorf("%s: %v", text, err)
		}
	}
}

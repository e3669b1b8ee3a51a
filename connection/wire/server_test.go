package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckServer(t *testing.T) {
	key := strings.Repeat("0f", 32)
	// want: "" accepted, else part of the refusal
	for _, c := range []struct{ url, key, want string }{
		{"ws://127.0.0.1:4711/ws/chat", key, ""},
		{"ws://127.8.9.1:4711", strings.ToUpper(key), ""},
		{"ws://[::1]:4711/ws/chat", key, ""},
		{"ws://localhost:4711/ws/chat", key, ""},
		{"ws://127.0.0.1:4711/ws/chat", "", "whatsapp-root-key is not"},
		{"", key, "whatsapp-url is not"},
		{"ws://127.0.0.1:4711/ws/chat", "abc", "64 hex digits"},
		{"ws://127.0.0.1:4711/ws/chat", strings.Repeat("zz", 32), "64 hex digits"},
		{"ws://127.0.0.1:4711/ws/chat", key + "00", "64 hex digits"},
		{"wss://127.0.0.1:4711/ws/chat", key, "not ws"},
		{"http://127.0.0.1:4711/ws/chat", key, "not ws"},
		{"127.0.0.1:4711", key, "whatsapp-url"},
		{"ws://web.whatsapp.com/ws/chat", key, "not an address of this machine"},
		{"ws://192.168.1.5:4711/ws/chat", key, "not an address of this machine"},
		{"ws://0.0.0.0:4711/ws/chat", key, "not an address of this machine"},
		{"ws://localhost.example.com/ws/chat", key, "not an address of this machine"},
		{"ws://127.0.0.1.example.com/ws/chat", key, "not an address of this machine"},
		{"ws://0x7f000001/ws/chat", key, "not an address of this machine"},
		{"ws://user:pw@127.0.0.1:4711/ws/chat", key, "only host, port and path"},
		{"ws:///ws/chat", key, "not an address of this machine"},
	} {
		s, err := CheckServer(c.url, c.key)
		switch {
		case c.want == "" && (err != nil || s.RootKeyHex() != strings.ToLower(c.key)):
			t.Errorf("%q: %v", c.url, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "whatsapp-")):
			t.Errorf("%q with key %q: got %v, want a refusal with %q that names the setting", c.url, c.key, err, c.want)
		}
	}
	if s, err := CheckServer(" ", ""); s != nil || err != nil {
		t.Errorf("no settings: %v, %v", s, err)
	}
}

// With another server nothing leaves this machine: not to WhatsApp, not through a proxy, not after
// a redirect. That no proxy is asked is looked up: one from the environment is never used for
// loopback anyway, so no request could show it.
func TestNothingLeavesTheMachine(t *testing.T) {
	var paths []string
	sim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		paths = append(paths, req.URL.Path)
		if req.URL.Path == "/away" {
			http.Redirect(w, req, "https://example.com/landed", http.StatusFound)
		}
	}))
	defer sim.Close()
	s, err := CheckServer("ws"+strings.TrimPrefix(sim.URL, "http")+"/elsewhere", strings.Repeat("0f", 32))
	must(t, err)
	tr := Route{Server: s}.Transport()
	h := &http.Client{Transport: tr}
	if tr.next.(*rewrite).next.Proxy != nil {
		t.Error("a proxy is asked")
	}
	defer h.CloseIdleConnections()
	for _, u := range []string{"https://web.whatsapp.com/ws/chat", "https://mmg.whatsapp.net/media", "https://example.com/away"} {
		resp, err := h.Get(u)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
	}
	if got := strings.Join(paths, " "); got != "/elsewhere /media /away /landed" {
		t.Errorf("the server saw %s", got)
	}
	for _, addr := range []string{"93.184.215.14:443", "[2606:2800::1]:443", "0.0.0.0:80", "nonsense"} {
		if loopbackOnly("tcp", addr, nil) == nil {
			t.Errorf("%s may be dialled", addr)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

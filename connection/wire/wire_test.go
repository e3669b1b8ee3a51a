package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// welcome is a frame of WhatsApp's protocol.
const welcome = "\x00\x00\x07welcome"

// server accepts a websocket, reads two messages, sends one, and reads on until the end.
func server(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ws, err := websocket.Accept(w, req, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for range 2 {
			if _, _, err := ws.Read(req.Context()); err != nil {
				return
			}
		}
		if err := ws.Write(req.Context(), websocket.MessageBinary, []byte(welcome)); err != nil {
			return
		}
		ws.Read(req.Context())
	}))
	t.Cleanup(s.Close)
	return s
}

func dial(ctx context.Context, t *testing.T, tr *Transport, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}}) //nolint:bodyclose // Dial has read it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	for range 2 {
		if err := ws.Write(ctx, websocket.MessageBinary, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	return ws
}

func TestHeldUntilReleased(t *testing.T) {
	ctx, release := Hold(t.Context())
	tr := New(http.DefaultTransport.(*http.Transport).Clone())
	defer tr.CloseIdleConnections()
	ws := dial(ctx, t, tr, server(t).URL)
	got := make(chan string, 1)
	go func() {
		_, data, err := ws.Read(ctx)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		got <- string(data)
	}()
	select {
	case text := <-got:
		t.Errorf("%q was handed out before the release", text)
	case <-time.After(50 * time.Millisecond): // a slow machine can only miss the fault
	}
	release()
	release()
	if text := <-got; text != welcome {
		t.Errorf("read %q", text)
	}
}

// Cut ends a connection at once, held or not, and forgets it.
func TestCut(t *testing.T) {
	for _, held := range []bool{true, false} {
		ctx := t.Context()
		if held {
			ctx, _ = Hold(ctx)
		}
		tr := New(http.DefaultTransport.(*http.Transport).Clone())
		ws := dial(ctx, t, tr, server(t).URL)
		tr.Cut()
		if _, data, err := ws.Read(ctx); err == nil && !held {
			if _, _, err = ws.Read(ctx); err == nil {
				t.Errorf("read %q after the cut", data)
			}
		}
		if len(tr.conns) != 0 {
			t.Errorf("held %v: %d connections are remembered", held, len(tr.conns))
		}
		tr.CloseIdleConnections()
	}
}

// What is not upgraded passes as it is.
func TestOtherResponsesPass(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer s.Close()
	tr := New(http.DefaultTransport.(*http.Transport).Clone())
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "plain" || len(tr.conns) != 0 {
		t.Errorf("%q, %v, %d connections", b, err, len(tr.conns))
	}
}

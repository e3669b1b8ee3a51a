package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sender makes a Sender whose "sealed" secrets are the secrets themselves.
func sender(t *testing.T) *Sender {
	t.Helper()
	s := New(Options{UserAgent: "waoutbox/test", Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil }})
	t.Cleanup(s.Close)
	return s
}

// serve runs a real HTTP endpoint for the test. The body is read first: only then net/http notices
// a client that goes away.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/hook"
}

func request(url, secret, body string) dispatcher.Request {
	return dispatcher.Request{
		Sub:     "wh_1",
		Webhook: outbox.Webhook{URL: url, Secret: []byte(secret)},
		Event:   outbox.Event{Seq: 42, Key: "evt_1", Name: "message.received", Chat: "c", Account: "15550100999@s.whatsapp.net", Body: []byte(body)},
		Attempt: 2,
	}
}

// golden returns the event bodies byte for byte, by file name.
func golden(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "connection", "translate", "testdata", "events", "*.json"))
	if err != nil || len(files) < 60 {
		t.Fatalf("golden bodies: %d files, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	return out
}

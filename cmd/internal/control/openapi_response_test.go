package control

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"waoutbox/cmd/internal/openapitest"
	"waoutbox/outbox/api"
)

// TestResponsesAreAsDescribed: what each operation returns when no field of its result is empty,
// and when it fails, is what the description says, and nothing besides.
func TestResponsesAreAsDescribed(t *testing.T) {
	doc, err := openapitest.Read(documents()[0])
	if err != nil {
		t.Fatal(err)
	}
	svc := &recordingService{mediaSize: 8}
	h := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()}).API()
	n := 0
	for _, op := range doc.Operations() {
		if !strings.HasPrefix(op.Path, "/v1/") {
			continue // the listener's
		}
		n++
		svc.mediaRead = 0
		for _, svc.err = range []error{nil, api.Errorf(api.CodeNotConnected, "not connected").In("to")} {
			svc.steps = []api.PairStep{full[api.PairStep]()}
			svc.steps[0].Step = api.StepQR
			w := httptest.NewRecorder()
			r := openapitest.NewMaker(doc, 1).Valid(op).HTTP(t.Context(), "")
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK && svc.err == nil {
				t.Errorf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
			}
			if op.ID == "getEventMedia" && svc.err == nil {
				continue // a file
			}
			if err := doc.Check(op, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()); err != nil {
				t.Error(err)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d operations", n)
	}
}

// TestOpenAPIIsServed: byte for byte.
func TestOpenAPIIsServed(t *testing.T) {
	want, err := os.ReadFile(documents()[0])
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h := NewServer(ServerOptions{Service: &recordingService{}, Stop: func() {}, Log: discardLog()}).API()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil))
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

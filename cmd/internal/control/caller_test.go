package control

import (
	"net/http/httptest"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// TestProgramsAreNoPersons: over the socket a caller says what it is, over another listener it is a
// program: the policy for the hosts of webhooks binds it.
//
// Mutation of server_api.go: a program says that it is a person.
func TestProgramsAreNoPersons(t *testing.T) {
	f := &recordingService{}
	s := NewServer(ServerOptions{Service: f, Stop: func() {}, Log: discardLog()})
	for _, kind := range []string{"", api.CallerCLI, api.CallerMCP} {
		req := httptest.NewRequest("POST", "/v1/webhooks", strings.NewReader(`{"url":"https://a.example/"}`))
		req.Header.Set("Content-Type", "application/json")
		if kind != "" {
			req.Header.Set(headerCaller, kind)
		}
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, req)
		calls := f.taken()
		if w.Code != 200 || len(calls) != 1 || calls[0].agent.Kind != api.CallerHTTP {
			t.Errorf("a program that says it is %q: %d %s, %+v", kind, w.Code, w.Body, calls)
		}
	}
}

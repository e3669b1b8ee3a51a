package control

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// A body that breaks off holds its connection no longer than a request may take to arrive, whoever
// reads it, and its sender still gets the response. Before, it printed "the connection was open
// after 5m0s" of seven of them.
//
// Mutation of server_media.go: what is left of a body keeps its connection.
// Mutation of server.go: a body that breaks off holds its connection.
func TestABodyThatBreaksOffEndsItsConnection(t *testing.T) {
	refused := &recordingService{refuse: api.Errorf(api.CodeNotConnected, "not connected")}
	const json, file = "Content-Type: application/json\r\n", "Content-Type: image/png\r\n"
	for name, tc := range map[string]struct {
		svc           *recordingService
		route, header string
		length        int // -1: in chunks
		body          string
		status        string
	}{
		"an operation's":        {nil, "POST /v1/messages", json, 100, `{"to":"1"`, "400"},
		"in chunks":             {nil, "POST /v1/messages", json, -1, "64\r\n{", "400"},
		"too large":             {nil, "POST /v1/messages", json, maxRequestBytes + 1000, `"` + strings.Repeat("x", maxRequestBytes), "413"},
		"of no operation":       {nil, "POST /v1/teleport", json, 100, "{", "404"},
		"that nobody reads":     {nil, "POST /v1/stop", json, 100, "{", "200"},
		"a file":                {nil, "POST /v1/messages/file?to=1", file, 100, "PNG", "500"},
		"a file that is wanted": {refused, "POST /v1/messages/file?to=1", file, 100, "PNG", "409"},
		"a form":                {nil, "POST /v1/messages/file?to=1", "Content-Type: multipart/form-data\r\n", 100, "PNG", "415"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := tc.svc
				if svc == nil {
					svc = &recordingService{}
				}
				c, stop, done := serveInMemory(t, svc)
				conn, err := c.http.Transport.(*http.Transport).DialContext(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				if err := conn.SetDeadline(began.Add(5 * time.Minute)); err != nil {
					t.Fatal(err)
				}
				length := "Transfer-Encoding: chunked\r\n"
				if tc.length >= 0 {
					length = fmt.Sprintf("Content-Length: %d\r\n", tc.length)
				}
				go func() {
					_, _ = io.WriteString(conn, tc.route+" HTTP/1.1\r\nHost: x\r\n"+tc.header+length+"\r\n"+tc.body)
				}()
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Errorf("the connection was open after %v: %v", time.Since(began), err)
				}
				if took := time.Since(began); took > bodyTimeout+2*restTimeout {
					t.Errorf("the connection was open for %v", took)
				}
				if !strings.HasPrefix(string(got), "HTTP/1.1 "+tc.status+" ") {
					t.Errorf("the response is %.200q", got)
				}
				stop()
				<-done
			})
		})
	}
}

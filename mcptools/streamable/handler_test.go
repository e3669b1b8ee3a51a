package streamable

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Two clients use the same id all the time. What one of them cancels is its own call: of the era
// without sessions, mcp-go would end whichever call has the id.
//
// Mutation of handler.go: a client ends the call of another one that has the same id.
func TestClientsCancelTheirOwnCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.begin(), r.begin()
	for _, c := range []struct {
		name, caller, canceller string
		ends                    bool
	}{
		{"modern", modernEra, modernEra, false}, // no client says so there: it hangs up
		{"an older client, its own", one, one, true},
		{"an older client, another's", one, two, false},
		{"an older client, by a modern one", one, modernEra, false},
		{"a modern client, by an older one", modernEra, one, false},
	} {
		done := make(chan string, 1)
		go func() {
			_, body := r.send("POST", c.caller, slow(c.caller, 7, c.name))
			done <- body
		}()
		<-r.begun
		if status, body := r.send("POST", c.canceller, cancelled(c.canceller, 7)); status != 202 {
			t.Errorf("%s: the notification was answered %d %s", c.name, status, body)
		}
		if c.ends {
			if who := <-r.ended; who != c.name {
				t.Errorf("%s: the call of %q ended", c.name, who)
			}
			<-done
			continue
		}
		r.release <- struct{}{}
		if body := <-done; !strings.Contains(body, "released") {
			t.Errorf("%s: the call was ended: %s", c.name, body)
		}
	}
}

// A client that hangs up ends its call, in both eras, and nobody else's.
func TestHangingUpEndsTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, session := range []string{modernEra, r.begin()} {
		ctx, hangUp := context.WithCancel(t.Context())
		first, other := make(chan error, 1), make(chan string, 1)
		go func() {
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r.request(ctx, "POST", session, slow(session, 1, "first")))
			if err == nil {
				resp.Body.Close()
			}
			first <- err
		}()
		<-r.begun
		go func() {
			_, body := r.send("POST", session, slow(session, 1, "other"))
			other <- body
		}()
		<-r.begun
		hangUp()
		if who := <-r.ended; who != "first" {
			t.Errorf("the call of %q ended", who)
		}
		<-first
		r.release <- struct{}{}
		if body := <-other; !strings.Contains(body, "released other") {
			t.Errorf("the other call: %s", body)
		}
	}
}

// Mutation of handler.go: a message of an MCP client over HTTP is read whatever its length.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	session := r.begin()
	list := `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`
	for _, c := range []struct {
		name, method, session, body string
		status                      int
		want                        string
	}{
		{"a list", "POST", session, list, 200, `"slow"`},
		{"a list without session", "POST", "", list, 400, `"id":3`},
		{"a list of another's session", "POST", "mcp-session-1", list, 404, ""},
		{"too long", "POST", session, strings.Repeat(" ", maxBody) + list, 413, "4 MiB"},
		{"as long as may be", "POST", session, strings.Repeat(" ", maxBody-len(list)) + list, 200, `"slow"`},
		{"no JSON", "POST", session, `{"jsonrpc`, 400, "-32700"},
		{"another method", "PUT", session, list, 405, "takes POST"},
		{"an end without session", "DELETE", "", "", 404, ""},
		{"a stream without session", "GET", "", "", 400, "Mcp-Session-Id is missing"},
		{"a stream of the era without", "GET", modernEra, "", 405, ""},
	} {
		status, body := r.send(c.method, c.session, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.200s, want %d with %q", c.name, status, body, c.status, c.want)
		}
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	half := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	if _, err := conn.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "400") {
		t.Errorf("half a message: %q, %v", line, err)
	}
}

// Streams end with Close, and so a stop does not wait for their clients. Those that come later end
// at once.
//
// Mutation of handler.go: a client that listens holds a stop.
func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	session := r.begin()
	listen := `{"jsonrpc":"2.0","id":9,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + modernMeta + `}}`
	open := func() (done chan error) {
		done = make(chan error, 2)
		for _, req := range []*http.Request{r.request(t.Context(), "GET", session, ""), r.request(t.Context(), "POST", modernEra, listen)} {
			body := r.do(req).Body //nolint:bodyclose // it is, below
			go func() {
				defer body.Close()
				in := bufio.NewReader(body)
				for {
					if _, err := in.ReadString('\n'); err != nil {
						done <- nil
						return
					}
				}
			}()
		}
		return done
	}
	done := open()
	call := make(chan string, 1)
	go func() {
		_, body := r.send("POST", session, slow(session, 1, "call"))
		call <- body
	}()
	<-r.begun
	r.h.Close()
	await(t, done)
	await(t, done)
	r.release <- struct{}{}
	if body := <-call; !strings.Contains(body, "released") { // calls are not streams
		t.Errorf("the call: %s", body)
	}
	done = open()
	await(t, done)
	await(t, done)
}

// A bug that one message of a batch meets is that message's error, and not the end of the process:
// each is served in a goroutine of its own.
func TestAPanicStaysInItsMessageOfABatch(t *testing.T) {
	r := newRig(t)
	call := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"bug","arguments":{}}}`
	status, body := r.send("POST", r.begin(), "["+call+`,{"jsonrpc":"2.0","id":8,"method":"ping"}]`)
	if status != 200 || !strings.Contains(body, `"id":7`) || !strings.Contains(body, "-32603") || !strings.Contains(body, `"id":8`) {
		t.Errorf("%d %s", status, body)
	}
}

// Several messages in one array are served where the version has them, each as if it came alone.
func TestBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	session := r.begin()
	list := func(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/list"}` }
	note := `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	many := strings.Repeat(list("1")+",", maxBatch) + list("1")
	for _, c := range []struct {
		name, session, version, body string
		status                       int
		want                         []string // parts of the body
	}{
		{"two requests and a notification", session, "", " [" + list("1") + "," + note + "," + list(`"b"`) + "]", 200, []string{`[{`, `"id":1`, `"slow"`, `"id":"b"`, "},{"}},
		{"by name", session, "2025-03-26", "[" + list("1") + "]", 200, []string{`[{`, `"id":1`}},
		{"notifications alone", session, "", "[" + note + "," + note + "]", 202, nil},
		{"something else among them", session, "", "[1," + list("2") + "]", 200, []string{`[{`, `-32600`, `"id":2`, `"slow"`}},
		{"a handshake among them", session, "", `[{"jsonrpc":"2.0","id":5,"method":"initialize"}]`, 200, []string{`-32600`, `"id":5`}},
		{"without a session", "", "", "[" + list("1") + "]", 200, []string{"Mcp-Session-Id", `"id":1`}},
		{"of no session", "mcp-session-x", "", "[" + list("1") + "]", 200, []string{`-32600`, "session", `"id":1`}},
		{"of a later version", session, "2025-06-18", "[" + list("1") + "]", 400, []string{"no batches"}},
		{"of the era without sessions", modernEra, "", "[" + list("1") + "]", 400, []string{"no batches"}},
		{"none", session, "", "[]", 400, []string{"1 to 100"}},
		{"too many", session, "", "[" + many + "]", 400, []string{"1 to 100"}},
		{"half of one", session, "", "[" + list("1"), 400, []string{"-32700"}},
	} {
		req := r.request(t.Context(), "POST", c.session, c.body)
		if c.version != "" {
			req.Header.Set("Mcp-Protocol-Version", c.version)
		}
		status, raw := r.read(req)
		if status != c.status {
			t.Errorf("%s: %d %.300s, want %d", c.name, status, raw, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(raw, want) {
				t.Errorf("%s: no %s in %.600s", c.name, want, raw)
			}
		}
	}
	// The calls of one run at the same time.
	done := make(chan string, 1)
	go func() {
		_, body := r.send("POST", session, "["+slow("", 1, "a")+","+slow("", 2, "b")+"]")
		done <- body
	}()
	<-r.begun
	<-r.begun
	r.release <- struct{}{}
	r.release <- struct{}{}
	if body := <-done; !strings.Contains(body, "released a") || !strings.Contains(body, "released b") {
		t.Errorf("two slow calls: %s", body)
	}
}

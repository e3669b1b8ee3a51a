package control

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
)

// One hundred senders of long bodies that never end cost the memory of a few: they cost 237 MB.
// Meanwhile everybody else is served.
//
// Mutation of body.go: long bodies are read however many there are.
func TestSlowBodiesCostLittle(t *testing.T) {
	const senders, size = 100, 900_000
	r := startServerWith(t, t.TempDir(), ServerOptions{Service: &recordingService{}, Log: discardLog(), Daemon: api.Daemon{PID: 1}})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	body := bytes.Repeat([]byte("x"), size) // all senders have the same one
	before := heap()
	var open []net.Conn
	var wg sync.WaitGroup
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
		wg.Wait()
	}()
	for range senders {
		_, c, err := socket.Dial(t.Context(), r.dir)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		wg.Go(func() {
			_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
			_, _ = fmt.Fprintf(c, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = c.Write(body[:size-10]) // it fails where the server reads no more
		})
	}
	for deadline := time.Now().Add(30 * time.Second); len(r.server.bodies) < largeBodies; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d long bodies are being read", len(r.server.bodies), largeBodies)
		}
	}
	if status, text := post(t, r, "POST", "/v1/messages", `{"to":"1","text":"small"}`); status != 200 {
		t.Errorf("a short request beside them: %d %s", status, text)
	}
	if grown := int64(heap()) - int64(before); grown > 60<<20 {
		t.Errorf("%d senders cost %d MiB", senders, grown>>20)
	}
	if len(r.server.bodies) > largeBodies {
		t.Errorf("%d long bodies at once", len(r.server.bodies))
	}
}

package crash

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// receiver is the endpoint of all webhooks. It stays up while the process that sends dies and comes
// back.
type receiver struct {
	url    string
	ledger atomic.Pointer[ledger]
	server *http.Server
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{url: "http://" + l.Addr().String()}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.server.Serve(l)
	}()
	t.Cleanup(func() {
		r.server.Close()
		<-done
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if strings.HasPrefix(q.URL.Path, "/"+leasePath) {
		r.serveLease(w, q)
		return
	}
	l := r.ledger.Load()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // cut off by the kill: it never arrived
	}
	p, err := readPost(q, body)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.fault("a POST to %s: %v", q.URL.Path, err)
		return
	}
	status := l.arrive(p)
	select { // up to 5 ms, so that some are in flight at any moment
	case <-time.After(time.Duration(hash(p.id+p.path)%5000) * time.Microsecond):
	case <-q.Context().Done():
	}
	l.answered(p, status)
	w.WriteHeader(status)
}

func readPost(q *http.Request, body []byte) (*post, error) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); q.Header.Get("X-Webhook-Signature") != want {
		return nil, fmt.Errorf("signature %q", q.Header.Get("X-Webhook-Signature"))
	}
	number := func(text string) (n int) {
		var failed error
		if n, failed = strconv.Atoi(text); failed != nil {
			n = -1
		}
		return n
	}
	p := &post{path: strings.TrimPrefix(q.URL.Path, "/"), id: q.Header.Get("X-Webhook-Id"), body: body,
		life: number(strings.TrimPrefix(q.Header.Get("User-Agent"), "crash/")), attempt: number(q.Header.Get("X-Webhook-Attempt"))}
	seq := number(q.Header.Get("X-Webhook-Sequence"))
	p.seq = outbox.Seq(seq)
	if text := q.Header.Get("X-Webhook-Replay"); text != "" {
		p.replay = number(text)
	}
	if seq < 1 || p.life < 0 || p.attempt < 1 || p.replay < 0 {
		return nil, fmt.Errorf("headers %v", q.Header)
	}
	return p, nil
}

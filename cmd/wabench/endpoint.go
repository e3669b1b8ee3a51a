package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What an endpoint does with a POST.
const (
	answerOK     = "ok"     // 200
	answer503    = "503"    // 503
	answerHang   = "hang"   // nothing, until the sender gives up
	answerRefuse = "refuse" // nobody listens
	// 200 for the first throttleRate of each second, 429 for the rest of it
	answerThrottle = "throttle"
)

// throttleRate is how many POSTs a second a throttled endpoint takes.
const throttleRate = 5

const (
	// maxSamples bounds the latencies one endpoint keeps.
	maxSamples = 1 << 20
	// maxSequence bounds the memory of what has arrived: 1 MiB a bit per sequence.
	maxSequence = 8 << 20
)

// postCounts is what an endpoint counted since its last reset. Times are unix nanoseconds.
type postCounts struct {
	Posts    int `json:"posts"`    // connections, of a hostile one
	Distinct int `json:"distinct"` // by sequence
	// signature wrong or absent, or an unreadable sequence
	Invalid   int             `json:"invalid"`
	First     int64           `json:"first"` // arrival
	Last      int64           `json:"last"`  // arrival of the newest distinct one
	Latencies []time.Duration `json:"latencies,omitempty"`
}

// endpoint is one webhook in the receiver process: as little work for a POST as allows to believe
// in it.
type endpoint struct {
	answer string
	url    string
	server *http.Server
	conns  *connServer   // of a hostile one, which has no server
	listen net.Listener  // of a hostile one
	done   chan struct{} // closed when nothing is accepted any more
	hang   chan struct{} // closed to let hanging POSTs go

	mu     sync.Mutex
	second int64 // unix, that taken counts in
	taken  int
	t      postCounts
	seen   []uint64 // one bit a sequence
}

// openEndpoint listens on a free loopback port; an endpoint that refuses has one that is closed
// again.
func openEndpoint(answer string) (*endpoint, error) {
	if !isResponse(answer) {
		return nil, fmt.Errorf("%q is no answer of an endpoint", answer)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	e := &endpoint{answer: answer, url: "http://" + l.Addr().String() + "/hook", done: make(chan struct{}), hang: make(chan struct{})}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	if answer == answerRefuse {
		close(e.done)
		return e, l.Close()
	}
	if slices.Contains(hostileResponses(), answer) {
		return e, e.serveHostile(l, aHostile(answer))
	}
	go func() {
		defer close(e.done)
		_ = e.server.Serve(l) // ends with ErrServerClosed after close
	}()
	return e, nil
}

// isResponse reports whether an endpoint can be told to respond so.
func isResponse(answer string) bool {
	switch answer {
	case answerOK, answer503, answerHang, answerRefuse, answerThrottle:
		return true
	}
	return slices.Contains(hostileResponses(), answer)
}

// serveHostile has each connection served by serve, and counts them.
func (e *endpoint) serveHostile(l net.Listener, serve func(net.Conn)) error {
	if e.answer == answerTLS {
		config, err := selfSigned()
		if err != nil {
			close(e.done)
			return errors.Join(err, l.Close())
		}
		e.url, l = strings.Replace(e.url, "http:", "https:", 1), tls.NewListener(l, config)
	}
	e.listen = l
	e.conns = &connServer{serve: func(c net.Conn) {
		e.mu.Lock()
		e.t.Posts++
		e.mu.Unlock()
		serve(c)
	}}
	go func() {
		defer close(e.done)
		e.conns.run(l)
	}()
	return nil
}

func (e *endpoint) close() error {
	close(e.hang)
	if e.conns != nil {
		err := e.listen.Close()
		<-e.done
		e.conns.close()
		return err
	}
	err := e.server.Close()
	<-e.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// ServeHTTP takes the time of arrival first, then counts and answers.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	now := time.Now()
	b, err := io.ReadAll(io.LimitReader(q.Body, 2*bodySize))
	if err != nil {
		return // the sender broke off
	}
	seq, err := strconv.ParseUint(q.Header.Get("X-Webhook-Sequence"), 10, 64)
	valid := err == nil && seq < maxSequence && signed(q.Header.Get("X-Webhook-Signature"), b)
	sent, dated := sentAt(b)
	if e.answer == answerThrottle && !e.takes(now) {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	e.count(now, seq, valid, dated, now.Sub(sent))
	switch e.answer {
	case answer503:
		w.WriteHeader(http.StatusServiceUnavailable)
	case answerHang:
		select {
		case <-q.Context().Done():
		case <-e.hang:
		}
		panic(http.ErrAbortHandler)
	}
}

// takes reports whether a throttled endpoint takes another POST at this moment.
func (e *endpoint) takes(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Unix() != e.second {
		e.second, e.taken = now.Unix(), 0
	}
	e.taken++
	return e.taken <= throttleRate
}

func (e *endpoint) count(now time.Time, seq uint64, valid, dated bool, latency time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.t
	t.Posts++
	if t.First == 0 {
		t.First = now.UnixNano()
	}
	if !valid {
		t.Invalid++
		return
	}
	word, bit := int(seq/64), uint64(1)<<(seq%64)
	if grow := word + 1 - len(e.seen); grow > 0 {
		e.seen = append(e.seen, make([]uint64, grow)...)
	}
	if e.seen[word]&bit != 0 {
		return
	}
	e.seen[word] |= bit
	t.Distinct++
	t.Last = max(t.Last, now.UnixNano())
	if dated && len(t.Latencies) < maxSamples {
		t.Latencies = append(t.Latencies, latency)
	}
}

func (e *endpoint) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.t = postCounts{Latencies: e.t.Latencies[:0]}
	clear(e.seen)
}

func (e *endpoint) distinct() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.t.Distinct
}

// take returns a copy of what was counted, its latencies only when asked for: they are many.
func (e *endpoint) take(samples bool) postCounts {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.t
	t.Latencies = nil
	if samples {
		t.Latencies = append([]time.Duration{}, e.t.Latencies...)
	}
	return t
}

// sign is X-Webhook-Signature.
func sign(b []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(b)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func signed(got string, b []byte) bool { return hmac.Equal([]byte(got), []byte(sign(b))) }

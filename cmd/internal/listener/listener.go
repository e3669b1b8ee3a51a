// Package listener is the receiver of `waoutbox listen`: it takes deliveries on this machine, one
// at a time, and checks their signatures as documented for receivers, without the code that made
// them.
package listener

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is more than any event has.
const maxBody = 2 << 20

// tolerance is how old a signature may be.
const tolerance = 5 * time.Minute

// Delivery is one POST that arrived. Fault says why its signatures are not valid, "" when they are.
type Delivery struct {
	ID, Event, Sequence, Attempt string
	Body                         []byte
	Fault                        string
}

// Listener is the receiver. Use New.
type Listener struct {
	ln     net.Listener
	status int
	show   func(Delivery)
	srv    *http.Server

	mu      sync.Mutex // held while one is shown
	secret  string
	serving sync.WaitGroup
}

// New makes a receiver on ln that responds with status. show is called for one delivery at a time,
// before it is answered.
func New(ln net.Listener, status int, show func(Delivery)) *Listener {
	l := &Listener{ln: ln, status: status, show: show}
	l.srv = &http.Server{Handler: l, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	return l
}

// Serve begins to take deliveries that are signed with secret, and returns at once. Call it once.
func (l *Listener) Serve(secret string) {
	l.secret = secret
	l.serving.Go(func() { _ = l.srv.Serve(l.ln) }) // it ends by Close
}

// Close ends it, a delivery that is being shown last.
func (l *Listener) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.srv.Shutdown(ctx) // what does not come to its end is cut off
	_ = l.srv.Close()
	l.serving.Wait()
}

func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if r.Method != http.MethodPost || err != nil {
		http.Error(w, "webhooks are posted here", http.StatusMethodNotAllowed)
		return
	}
	d := Delivery{
		ID: r.Header.Get("X-Webhook-Id"), Event: r.Header.Get("X-Webhook-Event"), Sequence: r.Header.Get("X-Webhook-Sequence"), Attempt: r.Header.Get("X-Webhook-Attempt"),
		Body: body,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := Verify(l.secret, r.Header, body, time.Now()); err != nil {
		d.Fault = err.Error()
	}
	l.show(d)
	w.WriteHeader(l.status)
}

// Verify checks both signatures of a delivery: the hex one over the body, and the one of Standard
// Webhooks, over id, time and body.
func Verify(secret string, h http.Header, body []byte, now time.Time) error {
	given, ok := strings.CutPrefix(h.Get("X-Webhook-Signature"), "sha256=")
	if !ok {
		return errors.New("there is no X-Webhook-Signature")
	}
	if want := hex.EncodeToString(mac([]byte(secret), body)); !hmac.Equal([]byte(want), []byte(given)) {
		return errors.New("X-Webhook-Signature is of another body or secret")
	}
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return errors.New("there is no webhook-timestamp")
	}
	if age := now.Sub(time.Unix(sent, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("webhook-timestamp is %s from now", age.Abs().Round(time.Second))
	}
	key := []byte(secret)
	if enc, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(enc); err == nil {
			key = raw
		}
	}
	id := h.Get("webhook-id")
	if id == "" {
		return errors.New("there is no webhook-id")
	}
	// The number and not its text, and one blank between signatures, as their libraries have it:
	// what is valid here is valid to a receiver that uses one.
	want := "v1," + base64.StdEncoding.EncodeToString(mac(key, fmt.Appendf(nil, "%s.%d.", id, sent), body))
	for s := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(want), []byte(s)) {
			return nil
		}
	}
	return errors.New("webhook-signature is of another body, time or secret")
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

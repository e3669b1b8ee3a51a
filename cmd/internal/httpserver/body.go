package httpserver

import (
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// withDeadlines bounds the time in which a body arrives, read or not: a handler that returns early
// leaves the rest of it to net/http, which waits for it. What is refused waits less.
func (s *Server) withDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.contain(r)
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		ctl := http.NewResponseController(w)
		_ = ctl.SetReadDeadline(time.Now().Add(s.limit.body))
		body := &watchedBody{ReadCloser: r.Body, asks: strings.EqualFold(r.Header.Get("Expect"), "100-continue")}
		r.Body = body
		next.ServeHTTP(&closingWriter{w, body}, r)
		if body.broken.Load() || w.Header().Get("Connection") == "close" {
			_ = ctl.SetReadDeadline(time.Now().Add(s.limit.denied))
		}
		if body.left(r.ContentLength) {
			_ = ctl.SetReadDeadline(time.Now().Add(s.limit.denied))
			_ = ctl.Flush() // the response comes before it
			_, _ = io.Copy(io.Discard, body)
		}
	})
}

// contain ends a request that panicked: its connection is closed, so that half a response is taken
// for none, and everything else goes on.
func (s *Server) contain(r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler { //nolint:errorlint // it is no error but a mark
		s.log.Error("a request over HTTP panicked", "path", api.PathWithoutURL(r.URL.Path), "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

// takenByHTTP is how much of a body that no handler read net/http reads itself before it ends the
// connection. A client that is still sending then loses the response: most read none before they
// have sent everything.
const takenByHTTP = 256 << 10

// watchedBody notes whether a body is read, whether it broke off, and whether it was read to its
// end.
type watchedBody struct {
	io.ReadCloser
	asks                 bool // its sender waits until it is read
	begun, broken, ended atomic.Bool
}

// left reports whether a body of that length, -1 for an unknown one, may have more to come than
// net/http reads. Of one whose sender waits until it is read, and that was not, nothing comes.
func (b *watchedBody) left(length int64) bool {
	return (b.begun.Load() || !b.asks) && !b.ended.Load() && !b.broken.Load() && (length < 0 || length > takenByHTTP)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.begun.Store(true)
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
	case err != nil:
		b.broken.Store(true)
	}
	return n, err
}

// closingWriter ends the connection of a body that broke off: net/http would wait for the rest of
// it, before the response and after it, and without end when a handler took its deadline away.
type closingWriter struct {
	http.ResponseWriter
	body *watchedBody
}

func (w *closingWriter) WriteHeader(status int) {
	w.mark()
	w.ResponseWriter.WriteHeader(status)
}

func (w *closingWriter) Write(p []byte) (int, error) {
	w.mark()
	return w.ResponseWriter.Write(p)
}

func (w *closingWriter) mark() {
	if w.body.broken.Load() {
		w.Header().Set("Connection", "close")
	}
}

// Flush satisfies http.Flusher, which some handlers look for.
func (w *closingWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the connection.
func (w *closingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

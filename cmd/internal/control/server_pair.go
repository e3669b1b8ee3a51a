package control

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"waoutbox/outbox/api"
)

// handlePair streams one JSON line per step and a last line with the result. A failure before the
// first step is an ordinary response. The stream ends with the caller's context or as soon as the
// daemon stops.
func (s *Server) handlePair(w http.ResponseWriter, r *http.Request) {
	var in api.PairRequest
	if err := readRequest(w, r, string(routePair), &in); err != nil {
		s.writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()

	lines := &lineWriter{w: w}
	err := s.pair(ctx, in, func(step api.PairStep) error { return lines.write(step) })
	if lines.err != nil {
		return // the caller is gone
	}
	var public *api.Error
	if err != nil {
		public = inField(s.public(ctx, r.URL.Path, err), in)
	}
	if public != nil && !lines.started {
		s.writeError(w, public)
		return
	}
	// a caller that is gone needs no end
	_ = lines.write(api.PairStep{Step: pairEnd, Error: public})
}

// pair turns a panic into an error, because the response may have begun.
func (s *Server) pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(ctx, string(routePair), p)
		}
	}()
	return s.service.Pair(ctx, in, step)
}

// lineWriter writes JSON lines, each flushed and with its own time limit.
type lineWriter struct {
	w        http.ResponseWriter
	patience time.Duration // for each line; 0: writeTimeout
	started  bool
	err      error // of the first write that failed
}

func (l *lineWriter) write(v any) error {
	if l.err != nil {
		return l.err
	}
	raw, err := json.Marshal(inWordsOf(l.w, v))
	if err != nil {
		l.err = err
		return err
	}
	ctl := http.NewResponseController(l.w)
	if !l.started {
		l.started = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.WriteHeader(http.StatusOK)
	}
	_ = ctl.SetWriteDeadline(time.Now().Add(cmp.Or(l.patience, writeTimeout)))
	if _, l.err = l.w.Write(append(raw, '\n')); l.err == nil {
		l.err = ctl.Flush()
	}
	return l.err
}

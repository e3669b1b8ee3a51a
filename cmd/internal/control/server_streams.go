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
	if err := s.readRequest(w, r, string(routePair), &in); err != nil {
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
		public = inField(s.public(ctx, api.PathWithoutURL(r.URL.Path), err), in)
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

// The daemon's own for MCP subscribers: programs have GET /v1/events, with bodies.
const (
	routeOccurrences        route[api.OccurrenceQuery, api.OccurrencePage]         = "POST /v1/occurrences"
	routeStreamOccurrences  route[api.OccurrenceQuery, occurrenceLine]             = "POST /v1/occurrences/stream"
	routeSubscriptionOffer  route[none, api.SubscriptionOffer]                     = "GET /v1/occurrences/offer"
	routeSubscribe          route[api.Subscribe, api.Subscribed]                   = "POST /v1/occurrences/subscribe"
	routeUnsubscribe        route[api.Unsubscribe, api.Unsubscribed]               = "POST /v1/occurrences/unsubscribe"
	routeRefuseSubscription route[api.RefuseSubscription, api.RefusedSubscription] = "POST /v1/occurrences/refuse"
)

// streamPatience is how long a subscriber may take no bytes of a stream: then it is dropped, and
// goes on with its cursor.
const streamPatience = 30 * time.Second

// occurrenceLine is one line of a stream: a page, or at last why it ended.
type occurrenceLine struct {
	Page  *api.OccurrencePage `json:"page,omitempty"`
	Error *api.Error          `json:"error,omitempty"`
}

// handleOccurrences streams one JSON line a page. A failure before the first is an ordinary
// response. The stream ends with its caller, with a line that was not taken in time, or as soon as
// the daemon stops.
func (s *Server) handleOccurrences(w http.ResponseWriter, r *http.Request) {
	var in api.OccurrenceQuery
	if err := s.readRequest(w, r, string(routeStreamOccurrences), &in); err != nil {
		s.writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()

	lines := &lineWriter{w: w, patience: s.patience}
	err := s.stream(ctx, in, func(page api.OccurrencePage) error { return lines.write(occurrenceLine{Page: &page}) })
	if lines.err != nil || r.Context().Err() != nil {
		return // the caller is gone
	}
	public := s.stoppedError()
	if err != nil {
		public = inField(s.public(ctx, api.PathWithoutURL(r.URL.Path), err), in)
	}
	if !lines.started {
		s.writeError(w, public)
		return
	}
	// a caller that is gone needs no end
	_ = lines.write(occurrenceLine{Error: public})
}

// stream turns a panic into an error, because the response may have begun.
func (s *Server) stream(ctx context.Context, in api.OccurrenceQuery, each func(api.OccurrencePage) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(ctx, string(routeStreamOccurrences), p)
		}
	}()
	err = s.service.StreamOccurrences(ctx, in, each)
	if s.stopping() {
		return s.stoppedError()
	}
	return err
}

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"waoutbox/outbox/api"
)

// The daemon's own for MCP subscribers: programs have GET /v1/events, with bodies.
const (
	routeOccurrences       route[api.OccurrenceQuery, api.OccurrencePage] = "POST /v1/occurrences"
	routeStreamOccurrences route[api.OccurrenceQuery, occurrenceLine]     = "POST /v1/occurrences/stream"
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
	if err := readRequest(w, r, string(routeStreamOccurrences), &in); err != nil {
		s.writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()

	lines := &lineWriter{w: w, patience: streamPatience}
	err := s.stream(ctx, in, func(page api.OccurrencePage) error { return lines.write(occurrenceLine{Page: &page}) })
	if lines.err != nil || r.Context().Err() != nil {
		return // the caller is gone
	}
	public := s.stoppedError()
	if err != nil {
		public = inField(s.public(ctx, r.URL.Path, err), in)
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

// StreamOccurrences is api.Service's. It has no time limit of its own.
func (c *Client) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also ends the daemon's side of the stream
	resp, err := c.request(ctx, string(routeStreamOccurrences), q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxLineBytes))
		if err != nil {
			return c.cutOff(ctx)
		}
		return c.decodeFailure(resp, raw)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		var line occurrenceLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Page == nil && line.Error == nil {
			return c.unreadable(resp)
		}
		if line.Error != nil {
			return line.Error
		}
		if err := each(*line.Page); err != nil {
			return err
		}
	}
	return c.cutOff(ctx)
}

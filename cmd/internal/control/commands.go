package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"waoutbox/outbox/api"
)

// handleOutbox streams a copy of the outbox to a command that makes a backup.
func (s *Server) handleOutbox(w http.ResponseWriter, r *http.Request) {
	if err := s.readRequest(w, r, string(routeOutbox), &none{}); err != nil {
		s.writeError(w, err)
		return
	}
	content, bytes, err := s.copyOutbox(r.Context())
	if err != nil {
		s.writeError(w, s.public(r.Context(), api.PathWithoutURL(r.URL.Path), err))
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(bytes, 10))
	w.WriteHeader(http.StatusOK)
	stream(w, content)
}

// Outbox returns a copy of the outbox as of one moment, which the caller closes, and its size. It
// has no time limit of its own: the copy is made first.
func (c *Client) Outbox(ctx context.Context) (io.ReadCloser, int64, error) {
	resp, err := c.request(ctx, string(routeOutbox), none{})
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		_, err := c.readAll(ctx, resp)
		return nil, 0, err
	}
	if resp.ContentLength < 0 {
		_ = resp.Body.Close()
		return nil, 0, c.unreadable(resp)
	}
	return &streamed{body: resp.Body, cutOff: func() error { return c.cutOff(ctx) }}, resp.ContentLength, nil
}

// Examine has the daemon look at what only it can see. It takes as long as reading the whole outbox
// does: end it by ctx.
func (c *Client) Examine(ctx context.Context, in api.Examine) (api.Examination, error) {
	return call(ctx, c, routeExamine, in)
}

// handleListen registers a webhook for as long as the caller's connection lives, which the end of
// its process ends too, or until the daemon stops.
func (s *Server) handleListen(w http.ResponseWriter, r *http.Request) {
	var in api.PutWebhook
	if err := s.readRequest(w, r, string(routeListen), &in); err != nil {
		s.writeError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()
	// what it changes is waited for when the server stops, however long it listens
	_, done, refused := s.beginMutation(r.Context())
	if refused != nil {
		s.writeError(w, refused)
		return
	}
	defer done()
	lines := &lineWriter{w: w}
	err := s.listen(ctx, in, func(out api.PutWebhookResult) error { return lines.write(out) })
	if err != nil && !lines.started {
		s.writeError(w, inField(s.public(r.Context(), api.PathWithoutURL(r.URL.Path), err), in))
	}
}

// Listen registers a webhook, calls started with it, and returns when ctx ends, which removes it,
// or when the daemon ends, which is an error. It has no time limit of its own.
func (c *Client) Listen(ctx context.Context, in api.PutWebhook, started func(api.PutWebhookResult) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also ends the daemon's side of the stream
	resp, lines, err := c.openLines(ctx, string(routeListen), in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var out api.PutWebhookResult
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &out) != nil {
		return c.unreadable(resp)
	}
	if err := started(out); err != nil {
		return err
	}
	lines.Scan() // there is no second line
	if err := ctx.Err(); err != nil {
		return err
	}
	return unavailable("the service stopped, and took the webhook with it. Listen again once it runs")
}

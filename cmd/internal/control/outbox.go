package control

import (
	"context"
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
		s.writeError(w, s.public(r.Context(), r.URL.Path, err))
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

package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// Media is api.Service's Media. It has no time limit of its own.
func (c *Client) Media(ctx context.Context, ref string) (api.Media, error) {
	if strings.Trim(ref, ". ") == "" {
		return api.Media{}, api.Errorf(api.CodeInvalidArguments, "%q is no message: give the id of its event (evt_…), its sequence, or WhatsApp's id of it", ref).In("id")
	}
	resp, err := c.request(ctx, string(routeMedia), idRef{ref})
	if err != nil {
		return api.Media{}, err
	}
	if resp.StatusCode != http.StatusOK {
		_, err := c.readAll(ctx, resp)
		return api.Media{}, err
	}
	out := api.Media{Content: &streamed{body: resp.Body, cutOff: func() error { return c.cutOff(ctx) }}}
	raw, err := base64.StdEncoding.DecodeString(resp.Header.Get(headerMedia))
	if err == nil {
		err = json.Unmarshal(raw, &out.MediaInfo)
	}
	if err != nil || resp.ContentLength != out.Bytes {
		_ = resp.Body.Close()
		return api.Media{}, c.unreadable(resp)
	}
	return out, nil
}

// streamed is a response's body that says in words why it broke off.
type streamed struct {
	body   io.ReadCloser
	cutOff func() error
}

func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a Reader returns it bare
		err = s.cutOff()
	}
	return n, err
}

func (s *streamed) Close() error { return s.body.Close() }

// SendFile is api.Service's SendFile. It has no time limit of its own. What the service refuses
// without looking at the file is refused before any of it is sent.
func (c *Client) SendFile(ctx context.Context, in api.Send, content io.Reader) (api.SendResult, error) {
	var out api.SendResult
	beside, err := fileSendOf(in)
	if err != nil {
		return out, err
	}
	method, target, _ := strings.Cut(string(routeSendFile), " ")
	if target += "?" + request.Query(beside).Encode(); len(target) > maxTargetBytes {
		return out, api.Errorf(api.CodeInvalidArguments, "what is asked beside the file is too long: shorten the caption").In("caption")
	}
	read := &remembered{from: content}
	req, err := http.NewRequestWithContext(ctx, method, "http://waoutbox"+target, read)
	if err != nil {
		return out, api.Errorf(api.CodeInternal, "the request cannot be made: %v", err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Expect", "100-continue")
	c.agent.writeTo(req.Header)
	resp, err := c.http.Do(req)
	if failed := read.err.Load(); failed != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return out, *failed // the file could not be read: nothing was sent
	}
	if err != nil {
		return out, c.failed(ctx, err)
	}
	body, err := c.readAll(ctx, resp)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, c.unreadable(resp)
	}
	return out, nil
}

// remembered keeps the error of reading what is sent.
type remembered struct {
	from io.Reader
	err  atomic.Pointer[error]
}

func (r *remembered) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err.Store(&err)
	}
	return n, err
}

package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// mediaChunk is how much of a file goes out within writeTimeout.
const mediaChunk = 64 << 10

// handleMedia streams the file of a message. It ends with its caller. What the sender says of the
// file decides nothing: only types that no browser runs are passed on, and the name is told in a
// header that no program saves by.
func (s *Server) handleMedia(w http.ResponseWriter, r *http.Request) {
	m, err := s.service.Media(r.Context(), r.PathValue("id"))
	if err != nil {
		s.writeError(w, s.public(r.Context(), routeMedia, err))
		return
	}
	defer m.Content.Close() // what was not read to its end stays for the next call
	info, err := json.Marshal(m.MediaInfo)
	if err != nil {
		s.writeError(w, s.public(r.Context(), routeMedia, err))
		return
	}
	h := w.Header()
	h.Set(headerMedia, base64.StdEncoding.EncodeToString(info))
	h.Set("Content-Type", harmlessType(m.MIME))
	h.Set("Content-Length", strconv.FormatInt(m.Bytes, 10))
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	ctl := http.NewResponseController(w)
	for {
		_ = ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := io.CopyN(w, m.Content, mediaChunk); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(http.ErrAbortHandler) // so that the caller does not take a part for the whole
		}
	}
}

// harmlessType is the media type a sender gave, or that of any bytes when a browser might run it.
func harmlessType(mime string) string {
	base, _, _ := strings.Cut(strings.ToLower(mime), ";")
	base = strings.TrimSpace(base)
	top, sub, _ := strings.Cut(base, "/")
	plain := strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789/.+-") == ""
	if plain && sub != "" && sub != "svg+xml" && (top == "image" || top == "audio" || top == "video") || base == "application/pdf" {
		return base
	}
	return "application/octet-stream"
}

// sendFileLimit ends the sending of a file that does not come to an end by itself.
const sendFileLimit = time.Hour

// handleSendFile sends the file that is the request's body. Until it is whole the caller can end
// it; then it is an operation that changes something, and runs to its end.
func (s *Server) handleSendFile(w http.ResponseWriter, r *http.Request) {
	var in api.Send
	raw, err := base64.StdEncoding.DecodeString(r.Header.Get(headerSend))
	if err == nil {
		err = json.Unmarshal(raw, &in)
	}
	if err != nil {
		s.writeError(w, api.Errorf(api.CodeInvalidArguments, "the header %s is not the request as JSON in base64", headerSend))
		return
	}
	ctx, done, refused := s.beginMutationWithin(r.Context(), sendFileLimit)
	if refused != nil {
		s.writeError(w, refused)
		return
	}
	defer done()
	body := &paced{body: r.Body, ctl: http.NewResponseController(w), open: s.open}
	out, err := s.service.SendFile(ctx, in, body)
	if err != nil {
		s.writeError(w, s.public(ctx, routeSendFile, err))
		return
	}
	s.writeJSON(w, http.StatusOK, out)
}

// paced is the body of a request that may take long as long as something of it comes.
type paced struct {
	body io.Reader
	ctl  *http.ResponseController
	open context.Context // ends when the server begins to stop: then no file is taken any more
}

func (p *paced) Read(b []byte) (int, error) {
	if err := p.open.Err(); err != nil {
		return 0, err
	}
	_ = p.ctl.SetReadDeadline(time.Now().Add(bodyTimeout))
	n, err := p.body.Read(b)
	_ = p.ctl.SetReadDeadline(time.Time{})
	return n, err
}

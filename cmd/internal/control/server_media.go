package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// mediaChunk is how much of a file goes out within writeTimeout.
const mediaChunk = 64 << 10

// handleMedia streams the file of a message. It ends with its caller. What the sender says of the
// file decides nothing: only types that no browser runs are passed on, and the name is told in a
// header that no program saves by.
func (s *Server) handleMedia(w http.ResponseWriter, r *http.Request) {
	var in idRef
	if err := s.readRequest(w, r, string(routeMedia), &in); err != nil {
		s.writeError(w, err)
		return
	}
	m, err := s.service.Media(r.Context(), in.ID)
	if err != nil {
		s.writeError(w, inField(s.public(r.Context(), api.PathWithoutURL(r.URL.Path), err), in))
		return
	}
	defer m.Content.Close() // what was not read to its end stays for the next call
	info, err := json.Marshal(m.MediaInfo)
	if err != nil {
		s.writeError(w, s.public(r.Context(), api.PathWithoutURL(r.URL.Path), err))
		return
	}
	h := w.Header()
	h.Set(headerMedia, base64.StdEncoding.EncodeToString(info))
	h.Set("Content-Type", harmlessType(m.MIME))
	h.Set("Content-Length", strconv.FormatInt(m.Bytes, 10))
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	stream(w, m.Content)
}

// stream writes a file whose end its caller waits for however long it takes, as long as it takes
// some of it.
func stream(w http.ResponseWriter, content io.Reader) {
	ctl := http.NewResponseController(w)
	for {
		_ = ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := io.CopyN(w, content, mediaChunk); errors.Is(err, io.EOF) {
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
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind == "multipart/form-data" || kind == "application/x-www-form-urlencoded" {
		s.writeError(w, api.Errorf(codeUnsupportedType, "the body is the file itself and no form: send it with the header Content-Type: application/octet-stream, or with the type that it has"))
		return
	}
	var in fileSend
	if err := request.DecodeQuery(r.URL.RawQuery, &in); err != nil {
		s.writeError(w, err)
		return
	}
	ctx, done, refused := s.beginMutationWithin(r.Context(), sendFileLimit)
	if refused != nil {
		s.writeError(w, refused)
		return
	}
	defer done()
	body := &paced{body: r.Body, ctl: http.NewResponseController(w), open: s.open}
	out, err := s.service.SendFile(ctx, in.send(), body)
	if err != nil {
		public := *s.public(ctx, api.PathWithoutURL(r.URL.Path), err)
		if public.Field == "file" {
			public.Field = "body"
		}
		public.Field = strings.TrimPrefix(public.Field, "file.") // its fields are the query's here
		s.writeError(w, inField(&public, in))
		return
	}
	s.writeJSON(w, http.StatusOK, out)
}

func (f fileSend) send() api.Send {
	return api.Send{To: f.To, IdempotencyKey: f.IdempotencyKey, QuotedMessageID: f.QuotedMessageID,
		File: &api.File{Kind: f.Kind, Caption: f.Caption, Name: f.Name, MIME: f.MIME}}
}

// fileSendOf returns the request beside which a file is sent; it has no place for anything else.
func fileSendOf(in api.Send) (fileSend, error) {
	about := in.File
	if about == nil {
		about = &api.File{}
	}
	f := fileSend{To: in.To, IdempotencyKey: in.IdempotencyKey, QuotedMessageID: in.QuotedMessageID,
		Kind: about.Kind, Caption: about.Caption, Name: about.Name, MIME: about.MIME}
	in.File = &api.File{Kind: f.Kind, Caption: f.Caption, Name: f.Name, MIME: f.MIME}
	if !reflect.DeepEqual(in, f.send()) || *about != *in.File {
		return f, api.Errorf(api.CodeInvalidArguments, "a file that is sent beside the request is the whole message: leave text, path, URL and all other content out").In("file")
	}
	return f, nil
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

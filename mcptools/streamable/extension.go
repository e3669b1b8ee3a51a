package streamable

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"waoutbox/mcptools/mcpevents"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// serveEvents serves a message of the extension: what mcp-go checks of its own is checked here.
func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request, m message, isModern bool) {
	if !isModern && !h.sessions.known(r.Header.Get(server.HeaderKeySessionID)) {
		refuse(w, http.StatusNotFound, m.ID, mcp.INVALID_REQUEST, "This session has ended: begin a new one with initialize.")
		return
	}
	if bad := wrongHeaders(r.Header, m, isModern); bad != nil {
		refuse(w, http.StatusBadRequest, m.ID, bad.code, bad.text)
		return
	}
	if len(m.ID) == 0 { // a notification, which nobody waits for
		w.WriteHeader(http.StatusAccepted)
		return
	}
	request := mcpevents.Request{ID: m.ID, Method: m.Method, Params: m.raw, NoStreams: !isModern}
	if out, whole := w.(*writer); whole && h.events.Streams(m.Method) {
		h.streamEvents(out, r, request)
		return
	}
	h.respond(w, h.events.Respond(r.Context(), request), isModern)
}

// wrong is what is wrong with the headers of a request.
type wrong struct {
	code int
	text string
}

// wrongHeaders returns what is wrong with a request's headers, nil when nothing is.
func wrongHeaders(h http.Header, m message, isModern bool) *wrong {
	inHeader, inBody := h.Get(mcp.HeaderProtocolVersion), m.Params.Meta.Version
	if !isModern {
		if inHeader != "" && !mcp.IsValidProtocolVersion(inHeader) {
			return &wrong{mcp.INVALID_REQUEST, "The protocol version of the header is not supported."}
		}
		return nil
	}
	switch {
	case h.Get(mcp.HeaderLastEventID) != "":
		return &wrong{mcp.HEADER_MISMATCH, "Streams are not resumed by Last-Event-ID: open a new one, with the last cursor."}
	case inBody == "":
		return &wrong{mcp.INVALID_PARAMS, "The request says no protocol version in its _meta."}
	case inHeader != inBody:
		return &wrong{mcp.HEADER_MISMATCH, "The protocol versions of the header and of the request are not the same."}
	}
	if err := mcp.ValidateStandardHeaders(h.Get, inBody, mcp.MCPMethod(m.Method), m.raw); err != nil {
		return &wrong{mcp.HEADER_MISMATCH, "The header " + mcp.HeaderMethod + " does not name the method of the request."}
	}
	return nil
}

// respond writes a whole response. The versions without sessions have a status for some errors.
func (h *Handler) respond(w http.ResponseWriter, body []byte, isModern bool) {
	status := http.StatusOK
	var m struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if isModern && json.Unmarshal(body, &m) == nil {
		switch m.Error.Code {
		case mcp.METHOD_NOT_FOUND:
			status = http.StatusNotFound
		case mcp.UNSUPPORTED_PROTOCOL_VERSION, mcp.INVALID_REQUEST, mcp.INVALID_PARAMS:
			status = http.StatusBadRequest
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no response
}

// streamEvents serves a stream until its client goes away, takes nothing for a while, or Close.
func (h *Handler) streamEvents(w *writer, r *http.Request, request mcpevents.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(h.open, func() { cancel(mcpevents.Stopping()) })()
	begun := false
	send := func(message []byte) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-cache, no-transform")
			w.Header().Set("X-Accel-Buffering", "no")
			w.WriteHeader(http.StatusOK)
		}
		var frame strings.Builder
		frame.WriteString("event: message\ndata: ")
		frame.Write(message)
		frame.WriteString("\n\n")
		if _, err := w.Write([]byte(frame.String())); err != nil {
			return err
		}
		return w.flush()
	}
	last := h.events.Stream(ctx, request, send)
	switch {
	case last == nil:
	case begun:
		_ = send(last) // a client that went away needs no end
	default:
		h.respond(w, last, !request.NoStreams)
	}
}

// flush is Flush with what became of it.
func (w *writer) flush() error {
	_ = w.ctl.SetWriteDeadline(time.Now().Add(w.patience))
	err := w.ctl.Flush()
	_ = w.ctl.SetWriteDeadline(time.Time{})
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// introduce serves a request that asks what the server is, and adds the extension to the response.
func (h *Handler) introduce(w http.ResponseWriter, r *http.Request) {
	out := &kept{recorded: recorded{header: http.Header{}}}
	h.inner.ServeHTTP(out, r)
	body := out.body.Bytes()
	if strings.HasPrefix(out.header.Get("Content-Type"), "application/json") {
		body = h.events.Advertise(body)
		out.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	for name, values := range out.header {
		w.Header()[name] = values
	}
	if out.status != 0 {
		w.WriteHeader(out.status)
	}
	_, _ = w.Write(body) // a client that went away needs no response
}

// kept is recorded with the status.
type kept struct {
	recorded
	status int
}

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

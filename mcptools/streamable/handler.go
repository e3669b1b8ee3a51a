package streamable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"waoutbox/mcptools/mcpevents"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	// maxBody bounds one message: mcp-go reads them whole. It is far above every message a tool
	// takes.
	maxBody = 4 << 20
	// defaultPatience is how long a message may take to arrive, and how long a client may take to
	// take one.
	defaultPatience = 30 * time.Second
)

// Handler is the HTTP endpoint of one MCP server. Use New.
//
// A call ends with the connection that waits for it, and so does a stream. Close ends the streams.
type Handler struct {
	inner    *server.StreamableHTTPServer
	events   *mcpevents.Extension // nil: there is none
	log      *slog.Logger
	patience time.Duration // defaultPatience but in tests
	sessions *sessions
	large    chan struct{}   // holds one element for each long message
	open     context.Context // ends with Close
	close    context.CancelFunc
}

// New returns the endpoint of s, with the methods of events, which mcp-go does not know; nil: there
// are none. It starts nothing.
func New(s *server.MCPServer, events *mcpevents.Extension, log *slog.Logger) *Handler {
	h := &Handler{events: events, log: log, patience: defaultPatience, large: make(chan struct{}, largeBodies)}
	h.open, h.close = context.WithCancel(context.Background())
	h.sessions = newSessions(maxSessions, h.forget)
	h.inner = server.NewStreamableHTTPServer(s,
		server.WithSessionIdManager(h.sessions),
		server.WithStreamableHTTPLogger(log),
		// what mounts this knows better which hosts are served
		server.WithDisableLocalhostProtection(true),
	)
	return h
}

// Close ends all streams, and those that come: clients that listen would hold a stop to its limit.
// Calls are left to their own ends.
func (h *Handler) Close() { h.close() }

// message is what must be known of a message before mcp-go gets it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Meta struct {
			Version string `json:"io.modelcontextprotocol/protocolVersion"`
		} `json:"_meta"`
	} `json:"params"`
	raw json.RawMessage // of the parameters
}

// read takes a message apart, as far as it can be read: mcp-go says what is wrong with it.
func read(body []byte) (m message) {
	_ = json.Unmarshal(body, &m)
	var whole struct {
		Params json.RawMessage `json:"params"`
	}
	_ = json.Unmarshal(body, &whole)
	m.raw = whole.Params
	return m
}

const noSession = "The header Mcp-Session-Id is missing: begin with initialize, and send the one that it returns."

type baseKey struct{}

// BaseURL returns the URL of the listener as the client of a call wrote it, without a path; "" for
// a call that came another way. Whoever mounted the Handler has checked that host.
func BaseURL(ctx context.Context) string {
	base, _ := ctx.Value(baseKey{}).(string)
	return base
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme := "http://"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https://"
	}
	r = r.WithContext(context.WithValue(r.Context(), baseKey{}, scheme+r.Host))
	out := &writer{ResponseWriter: w, ctl: http.NewResponseController(w), patience: h.patience}
	switch r.Method {
	case http.MethodPost:
		h.post(out, r)
	case http.MethodGet:
		id := r.Header.Get(server.HeaderKeySessionID)
		if id == "" && !modern(r.Header, "") {
			refuse(out, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, noSession)
			return
		}
		if id != "" && !h.sessions.known(id) {
			refuse(out, http.StatusNotFound, nil, mcp.INVALID_REQUEST, "This session has ended: begin a new one with initialize.")
			return
		}
		h.stream(out, r)
	case http.MethodDelete:
		if id := r.Header.Get(server.HeaderKeySessionID); !modern(r.Header, "") && !h.sessions.known(id) {
			refuse(out, http.StatusNotFound, nil, mcp.INVALID_REQUEST, "There is no such session.")
			return
		}
		h.inner.ServeHTTP(out, r)
	default:
		out.Header().Set("Allow", "GET, POST, DELETE")
		refuse(out, http.StatusMethodNotAllowed, nil, mcp.INVALID_REQUEST, "This endpoint takes POST, and GET and DELETE of the older protocol versions.")
	}
}

// post serves a message.
func (h *Handler) post(w *writer, r *http.Request) {
	_ = w.ctl.SetReadDeadline(time.Now().Add(h.patience))
	body, done, err := h.receive(http.MaxBytesReader(w.ResponseWriter, r.Body, maxBody))
	defer done()
	if err != nil {
		// else net/http waits for the rest, and for ever if the deadline went
		w.Header().Set("Connection", "close")
	} else {
		_ = w.ctl.SetReadDeadline(time.Time{})
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, nil, mcp.INVALID_REQUEST,
			fmt.Sprintf("The message is longer than %d MiB, the most one may have; it was not read. Send less in one message.", maxBody>>20))
		return
	}
	if errors.Is(err, errBodiesWait) {
		refuse(w, http.StatusServiceUnavailable, nil, mcp.INTERNAL_ERROR, fmt.Sprintf("%d %v already, the most at a time: try again in a moment.", largeBodies, errBodiesWait))
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, nil, mcp.PARSE_ERROR, "The message did not arrive whole.")
		return
	}
	if isBatch(body) {
		h.batch(w, r, body)
		return
	}
	h.message(w, r, body)
}

// message serves one message, which is the body of r.
func (h *Handler) message(w http.ResponseWriter, r *http.Request, body []byte) {
	m := read(body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	session := r.Header.Get(server.HeaderKeySessionID)
	isModern := modern(r.Header, m.Params.Meta.Version)
	switch {
	case len(body) >= smallBody && (m.Method == string(mcp.MethodSubscriptionsListen) || h.events != nil && h.events.Streams(m.Method)):
		// it would have the place of a long message for as long as it lasts
		refuse(w, http.StatusRequestEntityTooLarge, m.ID, mcp.INVALID_REQUEST, fmt.Sprintf("A request for a stream is shorter than %d KiB: ask for less, and filter what comes.", smallBody>>10))
	case isModern && m.Method == string(mcp.MethodNotificationCancelled):
		// The calls of this era belong to no session, so that mcp-go would end the call of whoever
		// used the same id. A client ends its call with the connection.
		w.WriteHeader(http.StatusAccepted)
	case !isModern && session == "" && m.Method != "" && m.Method != string(mcp.MethodInitialize):
		refuse(w, http.StatusBadRequest, m.ID, mcp.INVALID_REQUEST, noSession)
	case h.events != nil && h.events.Serves(m.Method):
		h.serveEvents(w, r, m, isModern)
	case h.events != nil && (m.Method == string(mcp.MethodInitialize) || m.Method == string(mcp.MethodServerDiscover)):
		h.introduce(w, r)
	case m.Method == string(mcp.MethodSubscriptionsListen):
		h.stream(w, r)
	default:
		h.inner.ServeHTTP(w, r)
	}
}

// stream serves a request that ends only with its client, or with Close.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.open, cancel)()
	h.inner.ServeHTTP(w, r.WithContext(ctx))
}

// forget has mcp-go let go of what it holds of a session: it has no other way than the client's.
func (h *Handler) forget(id string) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, "/", nil)
	if err != nil {
		return // its arguments are constants
	}
	r.Header.Set(server.HeaderKeySessionID, id)
	h.inner.ServeHTTP(discard{http.Header{}}, r)
}

// modern reports whether a request is of the era without sessions, as mcp-go does.
func modern(h http.Header, inBody string) bool {
	return mcp.IsModernProtocol(inBody) || mcp.IsModernProtocol(h.Get(mcp.HeaderProtocolVersion))
}

// refuse writes an error of the protocol. A nil id is that of no request.
func refuse(w http.ResponseWriter, status int, id json.RawMessage, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// a client that went away needs no response
	_, _ = w.Write(append(errorOf(id, code, text), '\n'))
}

// errorOf is an error of the protocol.
func errorOf(id json.RawMessage, code int, text string) []byte {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	raw, _ := json.Marshal(map[string]any{ // valid JSON and texts always marshal
		"jsonrpc": mcp.JSONRPC_VERSION, "id": id, "error": map[string]any{"code": code, "message": text},
	})
	return raw
}

// writer bounds each write, and not the response: a stream lives as long as its client takes what
// comes.
type writer struct {
	http.ResponseWriter
	ctl      *http.ResponseController
	patience time.Duration
}

func (w *writer) Write(p []byte) (int, error) {
	_ = w.ctl.SetWriteDeadline(time.Now().Add(w.patience))
	return w.ResponseWriter.Write(p)
}

// Flush sends what was written. It satisfies http.Flusher, without which mcp-go streams nothing.
func (w *writer) Flush() {
	_ = w.ctl.SetWriteDeadline(time.Now().Add(w.patience))
	_ = w.ctl.Flush() // a client that went away ends the request's context
	_ = w.ctl.SetWriteDeadline(time.Time{})
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard is where the response to a request of our own goes.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

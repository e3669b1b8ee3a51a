package streamable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/sync/errgroup"

	"waoutbox/outbox"
)

const (
	// maxBatch bounds the messages of one array.
	maxBatch = 100
	// atOnce is how many of them are served at a time.
	atOnce = 8
)

// isBatch reports whether a body is an array of messages.
func isBatch(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '['
}

// batch serves several messages in one array, which mcp-go does not know, where the version has
// them: 2025-03-26, whose clients say so or, since they came before the header, nothing. Each is
// served as if it had come alone, several at once, and their responses come in one array.
func (h *Handler) batch(w *writer, r *http.Request, body []byte) {
	if v := r.Header.Get(mcp.HeaderProtocolVersion); v != "" && !slices.Contains([]string{"2024-11-05", "2025-03-26"}, v) {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "This protocol version has no batches: send each message by itself.")
		return
	}
	var array []json.RawMessage
	if err := json.Unmarshal(body, &array); err != nil {
		refuse(w, http.StatusBadRequest, nil, mcp.PARSE_ERROR, "The batch is not valid JSON.")
		return
	}
	if len(array) == 0 || len(array) > maxBatch {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, fmt.Sprintf("A batch holds from 1 to %d messages.", maxBatch))
		return
	}
	responses := make([][]byte, len(array))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, raw := range array {
		g.Go(func() error {
			responses[i] = h.one(r, raw)
			return nil
		})
	}
	_ = g.Wait() // none returns an error
	responses = slices.DeleteFunc(responses, func(b []byte) bool { return b == nil })
	if len(responses) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	// a client that went away needs no response
	_, _ = w.Write(slices.Concat([]byte("["), bytes.Join(responses, []byte(",")), []byte("]\n")))
}

// one serves one message of a batch, and returns the response, nil for none. A panic stays in its
// message: net/http catches only those of the goroutine that serves the whole request.
func (h *Handler) one(r *http.Request, raw json.RawMessage) (response []byte) {
	var m message
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("a message of a batch panicked", "method", m.Method, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			if response = nil; len(m.ID) > 0 {
				response = errorOf(m.ID, mcp.INTERNAL_ERROR, "This message could not be served. That is a bug: please report it with the log of the service.")
			}
		}
	}()
	switch err := json.Unmarshal(raw, &m); {
	case err != nil || raw[0] != '{':
		return errorOf(nil, mcp.INVALID_REQUEST, "This is no message: a batch holds JSON-RPC objects.")
	case m.Method == string(mcp.MethodInitialize) || m.Method == string(mcp.MethodSubscriptionsListen):
		return errorOf(m.ID, mcp.INVALID_REQUEST, m.Method+" cannot be part of a batch.")
	}
	alone := r.Clone(r.Context())
	alone.Body = io.NopCloser(bytes.NewReader(raw))
	alone.ContentLength = int64(len(raw))
	out := &recorded{header: http.Header{}}
	h.message(out, alone, raw)
	response = bytes.TrimSpace(out.body.Bytes())
	switch {
	case len(m.ID) == 0 || m.Method == "": // nobody waits for one
		return nil
	case json.Valid(response):
		return response
	}
	return errorOf(m.ID, mcp.INVALID_REQUEST, string(response)) // what mcp-go says in plain text
}

// recorded keeps a response. It streams nothing, so that mcp-go responds with one message.
type recorded struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) Write(p []byte) (int, error) { return r.body.Write(p) }
func (r *recorded) WriteHeader(int)             {}

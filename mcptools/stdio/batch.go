package stdio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// versionsWithBatches are the protocol versions in which several messages may stand in one array.
// mcp-go knows none of it.
func versionsWithBatches() []string { return []string{"2024-11-05", "2025-03-26"} }

// batch is an array of messages whose requests are answered together, in one array.
type batch struct {
	open      int // requests without a response
	responses []json.RawMessage
}

// batches are the arrays that came in, and what the handshake said about them. Safe for concurrent
// use.
type batches struct {
	mu sync.Mutex
	// the id of an initialize without a response, and the version that the last one agreed on
	handshake, version string
	waiting            map[string][]*batch // by the id of a request; ids may repeat
}

// shaking notes that a client asks for a version.
func (b *batches) shaking(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handshake = key
}

// open takes an array apart. It returns the messages for mcp-go, one a line, and what is to be
// written at once: the refusal where the version has no batches, the response of one in which
// nothing is left to be done. register is called for each request that mcp-go will answer.
func (b *batches) open(array []json.RawMessage, register func(key string)) (lines, reply []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(versionsWithBatches(), b.version) {
		return nil, b.refusal(array)
	}
	if len(array) == 0 {
		return nil, append(errorResponse(nil, "An empty batch has nothing to respond to: put messages into the array."), '\n')
	}
	this := &batch{}
	for _, raw := range array {
		var m message
		request, fault := inspect(raw, &m)
		switch {
		case fault != "":
			this.responses = append(this.responses, errorResponse(m.ID, fault))
			continue
		case request:
			key := m.key()
			this.open++
			if b.waiting == nil {
				b.waiting = map[string][]*batch{}
			}
			b.waiting[key] = append(b.waiting[key], this)
			register(key)
		}
		lines = append(append(lines, raw...), '\n')
	}
	if this.open == 0 && len(this.responses) > 0 {
		reply = this.line()
	}
	return lines, reply
}

// inspect reads one message of a batch: whether it is a request, or what is wrong with it.
func inspect(raw json.RawMessage, m *message) (request bool, fault string) {
	if raw[0] != '{' || json.Unmarshal(raw, m) != nil {
		*m = message{}
		return false, "This is no message: a batch holds JSON-RPC objects."
	}
	switch m.ID.(type) {
	case nil, string, float64:
	default:
		m.ID = nil
		return false, "The id of a request is a string or a number."
	}
	switch {
	case m.JSONRPC != mcp.JSONRPC_VERSION:
		return false, `This is no message of JSON-RPC 2.0: it lacks "jsonrpc":"2.0".`
	case m.Method == string(mcp.MethodInitialize):
		return false, "An initialize cannot be part of a batch: send it alone, before."
	case m.Method == "" && m.Result == nil && m.Error == nil:
		return false, "The request names no method."
	}
	return m.Method != "" && m.ID != nil, ""
}

// refusal answers each request of a batch that the version does not have.
func (b *batches) refusal(array []json.RawMessage) []byte {
	why := "no version has been agreed on yet"
	if b.version != "" {
		why = "this session speaks " + b.version
	}
	text := fmt.Sprintf("Batches belong to the protocol versions %v, and %s: send one message a line.", versionsWithBatches(), why)
	var out []byte
	for _, raw := range array {
		var m message
		if json.Unmarshal(raw, &m) == nil && m.ID != nil && m.Method != "" {
			out = append(append(out, errorResponse(m.ID, text)...), '\n')
		}
	}
	if out == nil {
		out = append(errorResponse(nil, text), '\n')
	}
	return out
}

// take keeps a response that belongs to a batch and returns what is to be written instead of it:
// nothing until the batch is complete.
func (b *batches) take(key string, response []byte) (instead []byte, taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key == b.handshake {
		b.handshake = ""
		var m struct {
			Result struct {
				ProtocolVersion string `json:"protocolVersion"`
			} `json:"result"`
		}
		if json.Unmarshal(response, &m) == nil && m.Result.ProtocolVersion != "" {
			b.version = m.Result.ProtocolVersion
		}
	}
	queue := b.waiting[key]
	if len(queue) == 0 {
		return nil, false
	}
	this := queue[0]
	if queue = queue[1:]; len(queue) == 0 {
		delete(b.waiting, key)
	} else {
		b.waiting[key] = queue
	}
	this.open--
	this.responses = append(this.responses, bytes.Clone(bytes.TrimSpace(response)))
	if this.open > 0 {
		return nil, true
	}
	return this.line(), true
}

// line is the response to a batch, with its newline.
func (b *batch) line() []byte {
	out := []byte("[")
	for i, r := range b.responses {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, r...)
	}
	return append(out, "]\n"...)
}

// errorResponse refuses one message, without a newline.
func errorResponse(id any, text string) json.RawMessage {
	b, err := json.Marshal(map[string]any{
		"jsonrpc": mcp.JSONRPC_VERSION, "id": id, "error": map[string]any{"code": mcp.INVALID_REQUEST, "message": text},
	})
	if err != nil {
		panic(fmt.Sprintf("encode an error: %v", err)) // an id that was decoded encodes
	}
	return b
}

// asBatch is the array that a line holds, if it holds one.
func asBatch(line []byte) ([]json.RawMessage, bool) {
	line = bytes.TrimSpace(line)
	var array []json.RawMessage
	if len(line) == 0 || line[0] != '[' || json.Unmarshal(line, &array) != nil {
		return nil, false
	}
	return array, true
}

package stdio

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waoutbox/mcptools/mcpevents"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	// atOnce is how many requests of the extension run at a time, streams left out: beyond it
	// nothing is read until one is done.
	atOnce = 32
	// lastGrace is what is left of the extension's work gets to come back at the end.
	lastGrace = 2 * time.Second
)

// extension serves what of the client's messages is the extension's. One goroutine hands them over.
type extension struct {
	events *mcpevents.Extension
	out    *lineWriter
	client mcpevents.Client // what the handshake said

	ctx    context.Context // of all its work
	cancel context.CancelFunc
	work   sync.WaitGroup
	places chan struct{}

	mu   sync.Mutex
	ends map[string]context.CancelFunc // of what is open, by the key of its request
}

func newExtension(ctx context.Context, events *mcpevents.Extension, out *lineWriter) *extension {
	x := &extension{events: events, out: out, places: make(chan struct{}, atOnce), ends: map[string]context.CancelFunc{}}
	x.ctx, x.cancel = context.WithCancel(ctx)
	return x
}

// close ends all its work and gives it a moment to come back.
func (x *extension) close(log *slog.Logger) {
	x.cancel()
	done := make(chan struct{})
	go func() { x.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lastGrace):
		log.Warn("event requests did not end with the session", slog.Duration("waited", lastGrace))
	}
}

// envelope is a message as far as it must be known.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// introduce notes who the client says it is.
func (x *extension) introduce(line []byte) {
	var m struct {
		Params struct {
			Client struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"clientInfo"`
		} `json:"params"`
	}
	if json.Unmarshal(line, &m) == nil {
		x.client = mcpevents.Client{Name: m.Params.Client.Name, Version: m.Params.Client.Version}
	}
}

// take serves a message if it is the extension's, and reports whether it was. Of a batch the
// requests are counted as open already.
func (x *extension) take(line []byte, inBatch bool) bool {
	var e envelope
	var m message
	if json.Unmarshal(line, &e) != nil || json.Unmarshal(line, &m) != nil {
		return false
	}
	if m.Method == string(mcp.MethodNotificationCancelled) && m.ID == nil {
		return x.cancelled(e.Params)
	}
	if !x.events.Serves(m.Method) || m.Result != nil {
		return false
	}
	if m.ID == nil { // a notification, which nobody waits for
		return true
	}
	key := m.key()
	r := mcpevents.Request{ID: e.ID, Method: m.Method, Params: e.Params, Client: x.client}
	if x.events.Streams(m.Method) && !inBatch {
		x.stream(key, r)
		return true
	}
	if !inBatch {
		x.out.open.add(key)
	}
	ctx, end, fresh := x.begin(key)
	if !fresh {
		x.write(refusal(r.ID))
		return true
	}
	select {
	case x.places <- struct{}{}:
	case <-x.ctx.Done():
	}
	x.work.Go(func() {
		response := x.events.Respond(ctx, r)
		cancelled := ctx.Err() != nil && x.ctx.Err() == nil
		end() // before the response: with that the id is free
		select {
		case <-x.places:
		default:
		}
		if cancelled && !inBatch {
			// cancelled: its client waits for nothing
			x.out.open.remove(key)
			return
		}
		x.write(response)
	})
	return true
}

// write is a response that closes its request.
func (x *extension) write(line []byte) {
	_, _ = x.out.Write(append(line, '\n')) // a failed write has already ended the session
}

// refusal is the response to a request whose id is that of one without a response.
func refusal(id json.RawMessage) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"A request with this id is still open: give each its own."}}`, id, mcp.INVALID_REQUEST)
}

// begin makes the context of a request, which ends with a cancellation, with end, or with the
// session; false when there is one with that id.
func (x *extension) begin(key string) (ctx context.Context, end func(), fresh bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ends[key] != nil {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancel(x.ctx)
	x.ends[key] = cancel
	return ctx, func() {
		cancel()
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.ends, key)
	}, true
}

// cancelled ends the request that a notification names, if it is one of the extension's.
func (x *extension) cancelled(raw json.RawMessage) bool {
	var p struct {
		ID any `json:"requestId"`
	}
	if json.Unmarshal(raw, &p) != nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	cancel := x.ends[message{ID: p.ID}.key()]
	if cancel == nil {
		return false
	}
	cancel()
	return true
}

// stream serves a stream until it ends. It is no open request: the end of the input does not wait
// for it.
func (x *extension) stream(key string, r mcpevents.Request) {
	ctx, end, fresh := x.begin(key)
	if !fresh {
		x.out.raw(append(refusal(r.ID), '\n'))
		return
	}
	x.work.Go(func() {
		send := func(line []byte) error {
			if ctx.Err() != nil { // nothing more of a stream that was cancelled
				return ctx.Err()
			}
			x.out.raw(append(line, '\n'))
			return ctx.Err()
		}
		last := x.events.Stream(ctx, r, send)
		end() // before the response: with that the id is free
		if last != nil {
			x.out.raw(append(last, '\n'))
		}
	})
}

package stdio

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// message is the envelope of one line on the wire. It is decoded exactly as mcp-go does it, so that
// both see the same requests.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      any             `json:"id"`
	Method  string          `json:"method"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
}

// key tells the id 1 from the id "1".
func (m message) key() string { return fmt.Sprintf("%T %v", m.ID, m.ID) }

// openRequests knows which requests have come in and have no response yet. Safe for concurrent
// use.
type openRequests struct {
	mu      sync.Mutex
	count   map[string]int // ids may repeat: that is the client's business
	changed chan struct{}  // closed and renewed at each response
}

func newOpenRequests() *openRequests {
	return &openRequests{count: map[string]int{}, changed: make(chan struct{})}
}

func (o *openRequests) add(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[key]++
}

func (o *openRequests) remove(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count[key] == 0 {
		return
	}
	if o.count[key]--; o.count[key] == 0 {
		delete(o.count, key)
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

// waitAll blocks until no request is open; waitFor until none with this id is. Both return early
// when ctx ends.
func (o *openRequests) waitAll(ctx context.Context) {
	o.wait(ctx, func() bool { return len(o.count) == 0 })
}

func (o *openRequests) waitFor(ctx context.Context, key string) {
	o.wait(ctx, func() bool { return o.count[key] == 0 })
}

func (o *openRequests) wait(ctx context.Context, done func() bool) {
	for {
		o.mu.Lock()
		ok, changed := done(), o.changed
		o.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

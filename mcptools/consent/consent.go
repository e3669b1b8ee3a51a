// Package consent asks the user of an MCP client, by elicitation in either protocol era, before
// something is done that he may not want. It is a convenience, never the boundary: a client may
// answer without asking anybody.
package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"golang.org/x/time/rate"
)

const (
	// patience is how long a user has for an answer, where this side waits for it.
	patience = 60 * time.Second
	// atOnce questions may be asked in a row, and then one every pause: an agent that goes round in
	// circles must not pester its user. Each client has its own bound.
	atOnce = 10
	pause  = 20 * time.Second
	// maxAskers bounds the clients whose questions are counted; further ones share a bound.
	maxAskers = 256
)

// Answer is what is known of the user's consent.
type Answer uint8

const (
	Unable   Answer = iota // this client cannot ask its user
	Unasked                // it can, and was not yet asked for this
	Approved               // the user agreed
	Declined               // he did not, could not be asked in time, or was asked too often
)

// Question is what the user is asked. The text holds no secret, and nothing of it comes from
// WhatsApp.
type Question struct {
	id   string
	text string
}

// About makes a question. What is agreed to is agreed to for the same about only, in the call for
// which it was asked: the text must say nothing that may differ from one call to the next.
func About(about, text string) Question {
	sum := sha256.Sum256([]byte(about))
	return Question{id: "approve-" + hex.EncodeToString(sum[:16]), text: text}
}

// Needed is the error of a call that goes on only once the user was asked.
type Needed struct{ Question Question }

// Error says that the call waits for the user.
func (n *Needed) Error() string { return "the user is asked first" }

// Call is what one call of a tool knows of its user's consent. Its methods are for one goroutine.
type Call struct {
	able, modern bool
	client       string             // whose user is asked, as far as that is known
	responses    mcp.InputResponses // from the client's second call, in the modern era
	answers      map[string]Answer  // by question, from questions this side has asked
}

// Of returns what is known at the beginning of a call. Which client can ask its user is what the
// client says: in the request itself, or in its handshake.
func Of(ctx context.Context, responses mcp.InputResponses) *Call {
	c := &Call{responses: responses, answers: map[string]Answer{}}
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		c.modern = true // a request is in no session
		if info.ClientInfo != nil {
			c.client = "client " + info.ClientInfo.Name
		}
		c.able = info.ClientCapabilities != nil && takesForms(info.ClientCapabilities.Elicitation)
		return c
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if _, asks := session.(server.SessionWithElicitation); ok && asks {
		c.client = "session " + session.SessionID()
		c.able = takesForms(session.GetClientCapabilities().Elicitation)
	}
	return c
}

// takesForms reports whether a client shows forms: a capability that names no mode is that.
func takesForms(e *mcp.ElicitationCapability) bool {
	return e != nil && (e.Form != nil || e.URL == nil)
}

// Answer returns what is known about a thing.
func (c *Call) Answer(about string) Answer {
	q := About(about, "")
	if a, ok := c.answers[q.id]; ok {
		return a
	}
	if !c.able {
		return Unable
	}
	if _, ok := c.responses[q.id]; !ok {
		return Unasked
	}
	return answerOf(server.ElicitationResponse(c.responses, q.id))
}

func answerOf(r *mcp.ElicitationResult) Answer {
	if r != nil && r.Action == mcp.ElicitationResponseActionAccept {
		return Approved
	}
	return Declined
}

// Asker asks. Safe for concurrent use.
type Asker struct {
	mu     sync.Mutex
	limits map[string]*rate.Limiter // by Call.client
	shared *rate.Limiter
}

// NewAsker returns an Asker that has asked nothing yet.
func NewAsker() *Asker { return &Asker{limits: map[string]*rate.Limiter{}, shared: newLimit()} }

func newLimit() *rate.Limiter { return rate.NewLimiter(rate.Every(pause), atOnce) }

// mayAsk reports whether the user of a client may be asked now, and counts it.
func (a *Asker) mayAsk(client string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	limit := a.limits[client]
	if limit == nil && len(a.limits) >= maxAskers { // those who asked nothing lately need none
		maps.DeleteFunc(a.limits, func(_ string, l *rate.Limiter) bool { return l.Tokens() >= atOnce })
	}
	switch {
	case limit != nil:
	case len(a.limits) >= maxAskers:
		limit = a.shared
	default:
		limit = newLimit()
		a.limits[client] = limit
	}
	return limit.Allow()
}

// Ask puts a question to the user. In the modern era it returns what the client is to be sent,
// which ends the call: the client calls again with the answer. Before, it asks and waits, at most a
// minute, and c knows the answer afterwards.
func (a *Asker) Ask(ctx context.Context, s *server.MCPServer, c *Call, q Question) *mcp.CallToolResult {
	if !a.mayAsk(c.client) {
		c.answers[q.id] = Declined
		return nil
	}
	params := mcp.ElicitationParams{
		Mode: mcp.ElicitationModeForm, Message: q.text,
		// to accept is the whole answer
		RequestedSchema: json.RawMessage(`{"type":"object","properties":{}}`),
	}
	if c.modern {
		return server.NewInputRequestBuilder("").Elicit(q.id, params).ToolResult()
	}
	params.Mode = "" // older clients know forms only, and no word for them
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: params})
	if err != nil {
		r = nil
	}
	c.answers[q.id] = answerOf(r)
	return nil
}

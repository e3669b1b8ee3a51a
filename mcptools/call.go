package mcptools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"waoutbox/mcptools/consent"
	"waoutbox/outbox"
	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Backend is the part of api.Service the tools use. Its methods are safe for concurrent use, return
// early when ctx ends, and fail with an *api.Error; any other error is shown to agents as
// `internal`.
type Backend interface {
	Status(ctx context.Context) (api.Status, error)
	Webhooks(ctx context.Context) ([]api.Webhook, error)
	PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error)
	RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error)
	TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error)
	PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error)
	ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error)
	Events(ctx context.Context, q api.EventQuery) (api.EventPage, error)
	Event(ctx context.Context, ref string) (api.EventDetail, error)
	Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error)
	Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error)
	Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error)
	RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error)
	StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error
	Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error)
	Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error)
	Connect(ctx context.Context) (api.Link, error)
	Disconnect(ctx context.Context) (api.Link, error)
	DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error)
	DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error)
	Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error)
	PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error)
	ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error)
	Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error)
	Send(ctx context.Context, in api.Send) (api.SendResult, error)
	Media(ctx context.Context, ref string) (api.Media, error)
	MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error)
	WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error)
	FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error)
}

// clientOf names who is calling: modern requests say so themselves, older clients said it in their
// handshake.
func clientOf(ctx context.Context) ClientInfo {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		if info.ClientInfo == nil {
			return ClientInfo{}
		}
		return ClientInfo{Name: printable(info.ClientInfo.Name), Version: printable(info.ClientInfo.Version)}
	}
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		info := session.GetClientInfo()
		return ClientInfo{Name: printable(info.Name), Version: printable(info.Version)}
	}
	return ClientInfo{}
}

// printable makes a client's word about itself fit for a header and an audit line.
func printable(s string) string {
	const most = 64
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			break
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			n++
		}
	}
	return strings.TrimSpace(b.String())
}

// call is one invocation of a tool: the way to the Backend, and what follows the structured result.
type call struct {
	client  ClientInfo
	more    []mcp.Content // used by the tool alone until it returns
	say     func(sentence string) string
	consent *consent.Call

	open func(context.Context, ClientInfo) (Backend, error)
	// reached is set once there is a Backend: from then on the service may have been asked for
	// something.
	reached atomic.Bool
}

// backend returns the service. Tools ask for it only after their own checks: a wrong argument
// starts nothing. It is not kept from one call to the next: a service that ended in between is
// started again before anything is asked of it.
//
// Nothing here or in mcp-go asks a second time for what failed or was cut off: whether to repeat it
// is the agent's decision, made from the error's text and its retryable.
func (c *call) backend(ctx context.Context) (Backend, error) {
	b, err := c.open(ctx, c.client)
	if err != nil {
		return nil, err
	}
	c.reached.Store(true)
	return b, nil
}

// backend returns the service with its sentences in the words of this session.
func (s *Server) backend(ctx context.Context, client ClientInfo) (Backend, error) {
	b, err := s.opts.Backend(ctx, client)
	w := worded{service: b, say: s.inTools}
	if err != nil {
		_, err = inTools(w, struct{}{}, err)
		return nil, err
	}
	return w, nil
}

// confirm asks the user before something is done about a thing that is named the same in every call
// that does the same. It returns whether he agreed, ApprovalNone when this client cannot ask him:
// the service decides then. Any other error than that he declined must end the call at once:
// nothing may be done before. instead is the command by which the user does it himself.
func (c *call) confirm(about, question, instead string) (api.Approval, error) {
	switch c.consent.Answer(about) {
	case consent.Unasked:
		return api.ApprovalAsk, &consent.Needed{Question: consent.About(about, question)}
	case consent.Declined:
		return api.ApprovalDeclined, api.Errorf(api.CodeApprovalDeclined, "The user did not agree, or was not reached in time, so nothing was done. He can do it himself with: `%s`", instead)
	case consent.Approved:
		return api.ApprovalGiven, nil
	}
	return api.ApprovalNone, nil
}

// refusedBy returns the service's error for what its user declined, where it has one: its command
// names the state directory.
func refusedBy(service, declined error) error {
	if api.CodeOf(service) == api.CodeApprovalDeclined {
		return service
	}
	return declined
}

// note adds a line for the model after the result.
func (c *call) note(format string, a ...any) {
	c.more = append(c.more, textContent(c.say(fmt.Sprintf(format, a...))))
}

// handler is the one middleware: it checks arguments, bounds the call in time even if the Backend
// ignores its context, and turns every error and panic into a result with isError. It never returns
// an error: mcp-go would hide it from the model.
func (s *Server) handler(t tool) server.ToolHandlerFunc {
	pace := t.newPace()
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		start := time.Now()
		client := clientOf(ctx)
		if !pace.Allow() {
			e := *api.Retryf(api.CodeRateLimited, "%s was called more than %d times a minute. Wait, and look at why you call it so often.", t.name, t.callsPerMinute())
			return s.failure(e), nil
		}
		result, code := s.invoke(ctx, t, client, req.Params)
		level := slog.LevelDebug
		if code == api.CodeInternal {
			level = slog.LevelWarn
		}
		s.log.LogAttrs(ctx, level, "tool called", slog.String("tool", t.name),
			slog.String("client", client.Name), slog.String("client_version", client.Version),
			slog.String("code", string(code)), slog.Duration("took", time.Since(start)))
		return result, nil
	}
}

// questions bounds how often one call may ask: a tool asks once.
const questions = 3

// invoke runs one call, and returns its result and the code of its failure, if any. A call that
// asks the user first is begun anew once he has answered.
func (s *Server) invoke(ctx context.Context, t tool, client ClientInfo, params mcp.CallToolParams) (*mcp.CallToolResult, api.Code) {
	w, bad := t.bind(params.RawArguments)
	if bad != nil {
		return s.failure(*bad), bad.Code
	}
	known := consent.Of(ctx, params.InputResponses)
	for range questions {
		result, code, ask := s.attempt(ctx, t, w, &call{client: client, open: s.backend, say: s.inShell, consent: known})
		if ask == nil {
			return result, code
		}
		if result = s.asker.Ask(ctx, s.mcp, known, *ask); result != nil {
			return result, api.CodeApprovalRequired
		}
	}
	e := s.explain(ctx, t, fmt.Errorf("a call asked its user %d times", questions))
	return s.failure(e), e.Code
}

// attempt runs a call until it has a result, or the question that comes first.
func (s *Server) attempt(ctx context.Context, t tool, w work, c *call) (*mcp.CallToolResult, api.Code, *consent.Question) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	if s.opts.Context != nil {
		ctx = s.opts.Context(ctx, c.client)
	}

	type outcome struct {
		result *mcp.CallToolResult
		err    error
	}
	done := make(chan outcome, 1)
	s.calls.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				done <- outcome{err: &panicError{value: p, stack: debug.Stack()}}
			}
		}()
		structured, err := w.run(ctx, c)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		result, err := success(structured, c.more)
		done <- outcome{result, err}
	})
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		select {
		case o = <-done: // both at once: the result counts
		default:
			o.err = ctx.Err()
		}
	}
	if o.err == nil {
		return o.result, "", nil
	}
	if first, ok := errors.AsType[*consent.Needed](o.err); ok {
		return nil, "", &first.Question
	}
	e := s.explain(ctx, t, o.err)
	if c.reached.Load() && !e.NothingDone() {
		switch e.Code {
		case api.CodeServiceUnavail, api.CodeTimeout, api.CodeInternal:
			e = w.unsure(e)
		}
	}
	return s.failure(e), e.Code, nil
}

// panicError is a recovered panic on its way to the log.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string {
	return fmt.Sprintf("panic: %s\n%s", outbox.PanicText(p.value), p.stack)
}

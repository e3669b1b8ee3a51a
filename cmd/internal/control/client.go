package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"waoutbox/outbox/api"
)

// Client is api.Service spoken over the control socket of one state directory. Every call is its own connection, so a Client survives
// any number of daemons, and a call that was cut off is never sent again by itself. Every failure is an *api.Error except the
// caller's own: the end of its context, or the error of its Pair callback. Safe for concurrent use.
type Client struct {
	stateDir string
	agent    Agent
	http     *http.Client
}

var _ api.Service = (*Client)(nil)

// NewClient makes a client. It starts nothing and connects to nothing.
func NewClient(stateDir string, a Agent) *Client {
	c := &Client{stateDir: stateDir, agent: a}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:            c.dial,
			DisableKeepAlives:      true, // connecting costs microseconds, a stale connection costs an answer
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close gives back what the client holds. Calls in flight go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call(ctx, c, routeStatus, none{})
}

func (c *Client) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	return unwrap(call(ctx, c, routeWebhooks, none{}))
}

func (c *Client) Webhook(ctx context.Context, id string) (api.Webhook, error) {
	return call(ctx, c, routeWebhook, ref{id})
}

func (c *Client) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	return call(ctx, c, routePutWebhook, in)
}

func (c *Client) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	return call(ctx, c, routeRemoveWebhook, in)
}

func (c *Client) TestWebhook(ctx context.Context, id string) (api.TestWebhookResult, error) {
	return call(ctx, c, routeTestWebhook, ref{id})
}

func (c *Client) DeadLetterSummary(ctx context.Context, f api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	return unwrap(call(ctx, c, routeSummary, f))
}

func (c *Client) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	return call(ctx, c, routeDeadLetters, q)
}

func (c *Client) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	return call(ctx, c, routeDeadLetter, ref{id})
}

func (c *Client) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	return call(ctx, c, routeReplay, in)
}

func (c *Client) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	return call(ctx, c, routePurge, in)
}

func (c *Client) QR(ctx context.Context) (api.PairStep, error) {
	return call(ctx, c, routeQR, none{})
}

func (c *Client) SendText(ctx context.Context, in api.SendText) (api.SendResult, error) {
	return call(ctx, c, routeSendText, in)
}

// Daemon answers who owns the state: it is also the ping. A daemon that takes the call and stays silent, stopped or stuck, is
// service_unavailable after daemonTimeout.
func (c *Client) Daemon(ctx context.Context) (api.Daemon, error) {
	return c.ask(ctx, daemonTimeout)
}

// ask is Daemon with a limit.
func (c *Client) ask(ctx context.Context, limit time.Duration) (api.Daemon, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, err := call(limited, c, routeDaemon, none{})
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return api.Daemon{}, c.deaf()
	}
	return d, err
}

func unwrap[T any](list items[T], err error) ([]T, error) { return list.Items, err }

// call asks one question and reads the whole answer.
func call[In, Out any](ctx context.Context, c *Client, path route[In, Out], in In) (Out, error) {
	var out Out
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, callTimeout, errNoAnswer)
		defer cancel()
	}
	resp, err := c.post(ctx, string(path), in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	switch {
	case err != nil:
		return out, c.cutOff(ctx)
	case len(raw) > maxResponseBytes:
		return out, api.Errorf(api.CodeInternal, "the answer is larger than %d bytes; ask for less at once", maxResponseBytes)
	case resp.StatusCode != http.StatusOK:
		return out, c.decodeFailure(resp, raw)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, c.unreadable(resp)
	}
	return out, nil
}

// errNoAnswer marks our own limit, as against the caller's.
var errNoAnswer = errors.New("no answer")

// post sends one question and answers the response, whose body the caller closes.
func (c *Client) post(ctx context.Context, path string, in any) (*http.Response, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidArguments, "the request cannot be written as JSON: %v", err)
	}
	if len(raw) > maxRequestBytes {
		return nil, api.Errorf(api.CodeInvalidArguments, "the request is larger than %d bytes; send less at once", maxRequestBytes)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://waoutbox"+path, bytes.NewReader(raw))
	if err != nil {
		return nil, api.Errorf(api.CodeInternal, "the request cannot be made: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	c.agent.writeTo(req.Header)
	resp, err := c.http.Do(req)
	if err == nil {
		return resp, nil
	}
	if d, ok := errors.AsType[*dialError](err); ok && ctx.Err() == nil {
		return nil, c.notReached(d)
	}
	return nil, c.cutOff(ctx)
}

// cutOff says why a call has no answer although the daemon was reached: the caller gave up, our limit, or the daemon ended.
func (c *Client) cutOff(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		if context.Cause(ctx) == errNoAnswer {
			return api.Retryf(api.CodeTimeout, "waoutbox did not answer within %s; it may still be doing what it was asked", callTimeout)
		}
		return err
	}
	return unavailable("the connection to waoutbox was lost before it answered; it may have done what it was asked. Look, then try again: %s", command(c.stateDir, "status"))
}

func (c *Client) unreadable(resp *http.Response) error {
	return api.Errorf(api.CodeInternal, "the answer of the running waoutbox (version %s) cannot be read by version %s. Restart the service with this version: %s",
		orUnknown(resp.Header.Get(headerVersion)), orUnknown(c.agent.build()), c.restart())
}

// restart is how the daemon is replaced by one of this version.
func (c *Client) restart() string {
	return command(c.stateDir, "stop") + " && " + command(c.stateDir, "start")
}

// dialError is a failure before anything was sent: nothing can have happened on the other side.
type dialError struct {
	path string
	err  error
}

func (e *dialError) Error() string { return "dial " + e.path + ": " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	path, conn, err := dialSocket(ctx, c.stateDir)
	if err != nil {
		return nil, &dialError{path: path, err: err}
	}
	if err := checkServer(conn); err != nil {
		conn.Close()
		return nil, &dialError{path: path, err: err}
	}
	return conn, nil
}

// pollEvery is how often waiting for a daemon to come or go looks again.
const pollEvery = 20 * time.Millisecond

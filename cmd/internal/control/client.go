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

	"waoutbox/cmd/internal/control/request"
	"waoutbox/cmd/internal/control/socket"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// Client is api.Service spoken over the control socket of one state directory. Every call is its
// own connection, so a Client survives any number of daemons, and a call that was cut off is never
// sent again by itself. Every failure is an *api.Error except the caller's own: the end of its
// context, or the error of its Pair callback. Safe for concurrent use.
type Client struct {
	stateDir string
	agent    Agent
	http     *http.Client
	most     int // bytes of a response: maxResponseBytes but in tests
}

var _ api.Service = (*Client)(nil)

// NewClient returns a client. It starts nothing and connects to nothing.
func NewClient(stateDir string, a Agent) *Client {
	c := &Client{stateDir: stateDir, agent: a, most: maxResponseBytes}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext: c.dial,
			// connecting costs microseconds, a stale connection costs a response
			DisableKeepAlives:      true,
			DisableCompression:     true,
			ExpectContinueTimeout:  expectWait,
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
	return call(ctx, c, routeWebhook, webhookRef{id})
}

func (c *Client) WebhookActivity(ctx context.Context, id string) (api.WebhookActivity, error) {
	return call(ctx, c, routeActivity, webhookRef{id})
}

func (c *Client) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	return call(ctx, c, routePutWebhook, in)
}

func (c *Client) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	return call(ctx, c, routeRemoveWebhook, in)
}

func (c *Client) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	return call(ctx, c, routeTestWebhook, in)
}

func (c *Client) PauseWebhook(ctx context.Context, id string) (api.WebhookState, error) {
	return call(ctx, c, routePauseWebhook, webhookRef{id})
}

func (c *Client) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	return call(ctx, c, routeResumeWebhook, in)
}

func (c *Client) RotateSecret(ctx context.Context, in api.RotateSecret) (api.RotateSecretResult, error) {
	return call(ctx, c, routeRotateSecret, in)
}

func (c *Client) AllowHost(ctx context.Context, in api.AllowHost) (api.HostPolicy, error) {
	return call(ctx, c, routeAllowHost, in)
}

func (c *Client) RecordSetting(ctx context.Context, in api.RecordSetting) (api.RecordedSetting, error) {
	return call(ctx, c, routeRecordSetting, in)
}

func (c *Client) Audit(ctx context.Context, q api.AuditQuery) (api.AuditPage, error) {
	return call(ctx, c, routeAudit, q)
}

func (c *Client) VerifyAudit(ctx context.Context, in api.VerifyAudit) (api.AuditCheck, error) {
	return call(ctx, c, routeVerifyAudit, in)
}

// AcceptAudit takes an audit trail that something else changed as it is.
func (c *Client) AcceptAudit(ctx context.Context, in api.AcceptAudit) (api.AcceptedAudit, error) {
	return call(ctx, c, routeAcceptAudit, in)
}

func (c *Client) DeadLetterSummary(ctx context.Context, f api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	return unwrap(call(ctx, c, routeSummary, f))
}

func (c *Client) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	return call(ctx, c, routeDeadLetters, q)
}

func (c *Client) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	return call(ctx, c, routeDeadLetter, idRef{id})
}

func (c *Client) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	return call(ctx, c, routeReplay, in)
}

func (c *Client) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	return call(ctx, c, routePurge, in)
}

func (c *Client) StartReplay(ctx context.Context, in api.StartReplay) (api.StartReplayResult, error) {
	return call(ctx, c, routeStartReplay, in)
}

func (c *Client) Replays(ctx context.Context) ([]api.ReplayRun, error) {
	return unwrap(call(ctx, c, routeReplays, none{}))
}

func (c *Client) StopReplay(ctx context.Context, in api.StopReplay) ([]api.ReplayRun, error) {
	return unwrap(call(ctx, c, routeStopReplay, in))
}

func (c *Client) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	return call(ctx, c, routeEvents, q)
}

func (c *Client) Event(ctx context.Context, id string) (api.EventDetail, error) {
	return call(ctx, c, routeEvent, idRef{id})
}

func (c *Client) Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return call(ctx, c, routeOccurrences, q)
}

func (c *Client) SubscriptionOffer(ctx context.Context) (api.SubscriptionOffer, error) {
	return call(ctx, c, routeSubscriptionOffer, none{})
}

func (c *Client) Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error) {
	return call(ctx, c, routeSubscribe, in)
}

func (c *Client) Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	return call(ctx, c, routeUnsubscribe, in)
}

func (c *Client) RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	return call(ctx, c, routeRefuseSubscription, in)
}

func (c *Client) ReplayEvents(ctx context.Context, in api.ReplayEvents) (api.StartReplayResult, error) {
	return call(ctx, c, routeReplayEvents, in)
}

func (c *Client) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	return call(ctx, c, routePairNow, in)
}

func (c *Client) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	return call(ctx, c, routePairContinue, in)
}

func (c *Client) Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error) {
	return call(ctx, c, routeUnpair, in)
}

func (c *Client) Connect(ctx context.Context) (api.Link, error) {
	return call(ctx, c, routeConnect, none{})
}

func (c *Client) Disconnect(ctx context.Context) (api.Link, error) {
	return call(ctx, c, routeDisconnect, none{})
}

func (c *Client) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	return call(ctx, c, routeSend, in)
}

func (c *Client) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	return call(ctx, c, routeMarkRead, in)
}

func (c *Client) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	return call(ctx, c, routeTyping, in)
}

func (c *Client) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	return call(ctx, c, routeWatchPresence, in)
}

func (c *Client) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	return call(ctx, c, routeFindRecipients, in)
}

func (c *Client) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	return unwrap(call(ctx, c, routeGroups, in))
}

// StateDir returns the state directory as NewClient got it.
func (c *Client) StateDir() string { return c.stateDir }

// Daemon returns who owns the state. A daemon that takes the call and stays silent, stopped or
// stuck, is service_unavailable after 3 s.
func (c *Client) Daemon(ctx context.Context) (api.Daemon, error) {
	return c.DaemonWithin(ctx, daemonTimeout)
}

// DaemonWithin is Daemon with another limit.
func (c *Client) DaemonWithin(ctx context.Context, limit time.Duration) (api.Daemon, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, err := call(limited, c, routeDaemon, none{})
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return api.Daemon{}, c.unresponsive()
	}
	return d, err
}

// Metrics returns the daemon's metrics in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, metricsTimeout, errCallLimit)
	defer cancel()
	resp, err := c.request(ctx, string(routeMetrics), none{})
	if err != nil {
		return "", err
	}
	raw, err := c.readAll(ctx, resp)
	return string(raw), err
}

// RequestStop asks the daemon to stop and returns which one that was, before it has stopped.
func (c *Client) RequestStop(ctx context.Context) (api.Daemon, error) {
	return call(ctx, c, routeStop, none{})
}

func unwrap[T any](list items[T], err error) ([]T, error) { return list.Items, err }

// call sends one request and reads the whole response.
func call[In, Out any](ctx context.Context, c *Client, path route[In, Out], in In) (Out, error) {
	var out Out
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, callTimeout, errCallLimit)
		defer cancel()
	}
	resp, err := c.request(ctx, string(path), in)
	if err != nil {
		return out, err
	}
	raw, err := c.readAll(ctx, resp)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, c.unreadable(resp)
	}
	return out, nil
}

// readAll reads the whole response, which is an error unless it is a 200, and closes its body.
func (c *Client) readAll(ctx context.Context, resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.most)+1))
	switch {
	case err != nil:
		return nil, c.cutOff(ctx)
	case len(raw) > c.most:
		return nil, api.Errorf(api.CodeInternal, "the response is larger than %d bytes; ask for less at once", c.most)
	case resp.StatusCode != http.StatusOK:
		return nil, c.decodeFailure(resp, raw)
	}
	return raw, nil
}

// errCallLimit is the cause of a context that ended by callTimeout and not by its caller.
var errCallLimit = errors.New("no response within the limit")

// request sends the request of an operation and returns the response, whose body the caller closes.
func (c *Client) request(ctx context.Context, pattern string, in any) (*http.Response, error) {
	method, target, body, err := request.Encode(pattern, in)
	switch {
	case err != nil && api.CodeOf(err) != api.CodeInternal:
		return nil, err
	case err != nil:
		return nil, api.Errorf(api.CodeInvalidArguments, "the request cannot be written as JSON: %v", err)
	case len(body) > maxRequestBytes:
		return nil, api.Errorf(api.CodeInvalidArguments, "the request is larger than %d bytes; send less at once", maxRequestBytes)
	case len(target) > maxTargetBytes:
		return nil, api.Errorf(api.CodeInvalidArguments, "the request is longer than %d bytes; ask for less at once", maxTargetBytes)
	case body == nil:
		return c.send(ctx, method, target, nil)
	}
	return c.send(ctx, method, target, bytes.NewReader(body))
}

// send sends one request, whose body is JSON if it has one, and returns the response, whose body
// the caller closes.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://waoutbox"+path, body)
	if err != nil {
		return nil, api.Errorf(api.CodeInternal, "the request cannot be made: %v", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.agent.writeTo(req.Header)
	resp, err := c.http.Do(req)
	if err == nil {
		return resp, nil
	}
	return nil, c.failed(ctx, err)
}

// failed says why a request has no response.
func (c *Client) failed(ctx context.Context, err error) error {
	if d, ok := errors.AsType[*dialError](err); ok && ctx.Err() == nil {
		return c.notReached(d).Undone()
	}
	return c.cutOff(ctx)
}

// cutOff returns why a call has no response although the daemon was reached: the caller gave up,
// our limit, or the daemon ended.
func (c *Client) cutOff(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		if errors.Is(context.Cause(ctx), errCallLimit) {
			return api.Retryf(api.CodeTimeout, "waoutbox did not answer within %s; it may still be doing what it was asked", callTimeout)
		}
		return err
	}
	return unavailable("the connection to waoutbox was lost before it answered; it may have done what it was asked. Look, then try again: %s", term.Command(c.stateDir, "status"))
}

func (c *Client) unreadable(resp *http.Response) error {
	if isOfEveryVersion(resp) {
		return c.strange(resp)
	}
	return api.Errorf(api.CodeInternal, "the response of the running waoutbox (version %s) cannot be read by version %s. Restart the service with this version: %s",
		orUnknown(resp.Header.Get(headerVersion)), orUnknown(c.agent.build()), c.restart())
}

// restart returns the command line that replaces the daemon by one of this version.
func (c *Client) restart() string {
	return term.Command(c.stateDir, "stop") + " && " + term.Command(c.stateDir, "start")
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
	path, conn, err := socket.Dial(ctx, c.stateDir)
	if err != nil {
		return nil, &dialError{path: path, err: err}
	}
	return conn, nil
}

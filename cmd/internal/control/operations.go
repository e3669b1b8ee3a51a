package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// routes is every operation on one screen, and which of them change something.
func (s *Server) routes() {
	svc := s.service
	read(s, routeStatus, func(ctx context.Context, _ none) (api.Status, error) { return svc.Status(ctx) })
	read(s, routeWebhooks, func(ctx context.Context, _ none) (items[api.Webhook], error) { return wrap(svc.Webhooks(ctx)) })
	read(s, routeWebhook, func(ctx context.Context, in webhookRef) (api.Webhook, error) { return svc.Webhook(ctx, in.Webhook) })
	read(s, routeActivity, func(ctx context.Context, in webhookRef) (api.WebhookActivity, error) {
		return svc.WebhookActivity(ctx, in.Webhook)
	})
	mutate(s, routePutWebhook, svc.PutWebhook)
	mutate(s, routeRemoveWebhook, svc.RemoveWebhook)
	// its outcome can end a hold
	mutate(s, routeTestWebhook, svc.TestWebhook)
	mutate(s, routePauseWebhook, func(ctx context.Context, in webhookRef) (api.WebhookState, error) {
		return svc.PauseWebhook(ctx, in.Webhook)
	})
	mutate(s, routeResumeWebhook, svc.ResumeWebhook)
	mutate(s, routeRotateSecret, svc.RotateSecret)
	read(s, routeAudit, svc.Audit)
	read(s, routeVerifyAudit, svc.VerifyAudit)
	read(s, routeSummary, func(ctx context.Context, in api.DeadLetterFilter) (items[api.DeadLetterGroup], error) {
		return wrap(svc.DeadLetterSummary(ctx, in))
	})
	read(s, routeDeadLetters, svc.DeadLetters)
	read(s, routeDeadLetter, func(ctx context.Context, in idRef) (api.DeadLetterDetail, error) { return svc.DeadLetter(ctx, in.ID) })
	mutate(s, routeReplay, svc.Replay)
	mutate(s, routePurge, svc.Purge)
	mutate(s, routeStartReplay, svc.StartReplay)
	read(s, routeReplays, func(ctx context.Context, _ none) (items[api.ReplayRun], error) { return wrap(svc.Replays(ctx)) })
	mutate(s, routeStopReplay, func(ctx context.Context, in api.StopReplay) (items[api.ReplayRun], error) {
		return wrap(svc.StopReplay(ctx, in))
	})
	read(s, routeEvents, svc.Events)
	read(s, routeEvent, func(ctx context.Context, in idRef) (api.EventDetail, error) { return svc.Event(ctx, in.ID) })
	mutate(s, routeReplayEvents, svc.ReplayEvents)
	mount(s, routeMedia, s.handleMedia)
	mutate(s, routeSend, svc.Send)
	mount(s, routeSendFile, s.handleSendFile)
	mutate(s, routeMarkRead, svc.MarkRead)
	mutate(s, routeTyping, svc.Typing)
	mutate(s, routeWatchPresence, svc.WatchPresence)
	read(s, routeFindRecipients, svc.FindRecipients)
	read(s, routeGroups, func(ctx context.Context, in api.ListGroups) (items[api.Group], error) {
		return wrap(svc.Groups(ctx, in))
	})
	read(s, routeLink, func(ctx context.Context, _ none) (api.Link, error) {
		status, err := svc.Status(ctx)
		return status.Link, err
	})
	mount(s, routePair, s.handlePair)
	// a pairing session belongs to the link and outlives this wait for its code
	read(s, routePairNow, svc.PairNow)
	// what was handed over is with WhatsApp: the wait for the step after it ends with the caller
	read(s, routePairContinue, svc.ContinuePairing)
	mutate(s, routeUnpair, svc.Unpair)
	mutate(s, routeConnect, func(ctx context.Context, _ none) (api.Link, error) { return svc.Connect(ctx) })
	mutate(s, routeDisconnect, func(ctx context.Context, _ none) (api.Link, error) { return svc.Disconnect(ctx) })

	mount(s, routeOpenAPI, s.handleOpenAPI)

	s.ofDaemon = true // what follows is the daemon's own
	mutate(s, routeAllowHost, svc.AllowHost)
	mutate(s, routeAcceptAudit, svc.AcceptAudit)
	read(s, routeOccurrences, svc.Occurrences)
	read(s, routeSubscriptionOffer, func(ctx context.Context, _ none) (api.SubscriptionOffer, error) { return svc.SubscriptionOffer(ctx) })
	mutate(s, routeSubscribe, svc.Subscribe)
	mutate(s, routeUnsubscribe, svc.Unsubscribe)
	mutate(s, routeRefuseSubscription, svc.RefuseSubscription)
	mount(s, routeStreamOccurrences, s.handleOccurrences)
	mutate(s, routeRecordSetting, svc.RecordSetting)
	read(s, routeDaemon, func(context.Context, none) (api.Daemon, error) { return s.daemon, nil })
	mount(s, routeStop, s.handleStop)
	if s.metrics != nil {
		mount(s, routeMetrics, s.handleMetrics)
	}
	if s.copyOutbox != nil {
		mount(s, routeOutbox, s.handleOutbox)
	}
	if s.listen != nil {
		mount(s, routeListen, s.handleListen)
	}
	if s.examine != nil {
		read(s, routeExamine, s.examine)
	}
	s.routesOfListener()
}

func wrap[T any](list []T, err error) (items[T], error) {
	if list == nil {
		list = []T{}
	}
	return items[T]{Items: list}, err
}

// read mounts an operation that changes nothing: it ends with its caller.
func read[In, Out any](s *Server, path route[In, Out], run func(context.Context, In) (Out, error)) {
	handle(s, path, run)
}

// mutate mounts an operation that changes something: once its request is read, it runs to its end.
// A caller's patience decides neither whether it is done nor whether it is done whole.
func mutate[In, Out any](s *Server, path route[In, Out], run func(context.Context, In) (Out, error)) {
	handle(s, path, func(caller context.Context, in In) (Out, error) {
		ctx, done, refused := s.beginMutation(caller)
		if refused != nil {
			var none Out
			return none, refused
		}
		defer done()
		return run(ctx, in)
	})
}

// handle mounts one operation: read the request, run it, write the response.
func handle[In, Out any](s *Server, path route[In, Out], run func(context.Context, In) (Out, error)) {
	mount(s, path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := s.readRequest(w, r, string(path), &in); err != nil {
			s.writeError(w, err)
			return
		}
		out, err := run(r.Context(), in)
		if err != nil {
			s.writeError(w, inField(s.public(r.Context(), api.PathWithoutURL(r.URL.Path), err), in))
			return
		}
		s.writeJSON(w, http.StatusOK, out)
	})
}

// readRequest reads the whole request before the operation starts: only then does net/http watch
// for the caller going away.
func (s *Server) readRequest(w http.ResponseWriter, r *http.Request, pattern string, in any) *api.Error {
	ctl := http.NewResponseController(w)
	// a connection without deadlines still ends with its caller
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTimeout))
	raw, err := s.bodies.read(r.Context(), http.MaxBytesReader(w, r.Body, maxRequestBytes), r.ContentLength)
	_ = ctl.SetReadDeadline(time.Time{})
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return api.Errorf(codeTooLarge, "the request is larger than %d bytes; send less at once", maxRequestBytes)
		}
		if errors.Is(err, errBodiesWait) {
			return api.Retryf(api.CodeServiceUnavail, "%d %v; try again", largeBodies, errBodiesWait)
		}
		return api.Retryf(api.CodeInvalidArguments, "the request did not arrive whole; try again")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); len(raw) > 0 && !request.InQuery(pattern) && (err != nil || kind != "application/json") {
		return api.Errorf(codeUnsupportedType, "this operation takes JSON: send it with the header Content-Type: application/json")
	}
	return request.Decode(pattern, r.PathValue, r.URL.RawQuery, raw, in)
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(inWordsOf(w, body))
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the response could not be written as JSON"}}`)
		s.log.Error("control response not encoded", "error", err)
	}
	ctl := http.NewResponseController(w)
	_ = ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a caller that went away needs no response
	// before the call counts as ended: a stopping server closes the connection then
	_ = ctl.Flush()
}

// limitedFor is how many seconds a program that is too fast waits where nothing else is known.
const limitedFor = 60

func (s *Server) writeError(w http.ResponseWriter, e *api.Error) {
	status := httpStatus(e.Code)
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(cmp.Or(e.RetryAfterSeconds, limitedFor)))
	}
	s.writeJSON(w, status, failure{Error: e})
}

// handleMetrics writes no JSON: what asks is a program that reads metrics.
func (s *Server) handleMetrics(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(metricsTimeout))
	s.metrics.ServeHTTP(w, r)
}

func (s *Server) handleStop(w http.ResponseWriter, r *http.Request) {
	agent, _ := AgentFrom(r.Context())
	s.log.Info("stop asked for", "caller", agent.Name, "caller_version", agent.Version)
	s.writeJSON(w, http.StatusOK, s.daemon)
	s.stop()
}

package control

import (
	"context"
	"io"

	"waoutbox/outbox/api"
)

// Local returns the service for calls from within this process, such as those of agents over HTTP.
// It is as over the socket: what only reads ends with its caller, and what changes something runs
// to its end and is waited for when the server stops. The caller is in the context, see WithAgent.
func (s *Server) Local() api.Service { return local{s.service, s} }

// local has the methods that change something; those that read are the service's own.
type local struct {
	api.Service
	server *Server
}

// change runs what changes something.
func change[In, Out any](caller context.Context, s *Server, in In, run func(context.Context, In) (Out, error)) (Out, error) {
	ctx, done, refused := s.beginMutation(caller)
	if refused != nil {
		var none Out
		return none, refused
	}
	defer done()
	return run(ctx, in)
}

func (l local) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	return change(ctx, l.server, in, l.Service.PutWebhook)
}

func (l local) AllowHost(ctx context.Context, in api.AllowHost) (api.HostPolicy, error) {
	return change(ctx, l.server, in, l.Service.AllowHost)
}

func (l local) AcceptAudit(ctx context.Context, in api.AcceptAudit) (api.AcceptedAudit, error) {
	return change(ctx, l.server, in, l.Service.AcceptAudit)
}

func (l local) RecordSetting(ctx context.Context, in api.RecordSetting) (api.RecordedSetting, error) {
	return change(ctx, l.server, in, l.Service.RecordSetting)
}

func (l local) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	return change(ctx, l.server, in, l.Service.RemoveWebhook)
}

func (l local) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	return change(ctx, l.server, in, l.Service.TestWebhook)
}

func (l local) PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error) {
	return change(ctx, l.server, ref, l.Service.PauseWebhook)
}

func (l local) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	return change(ctx, l.server, in, l.Service.ResumeWebhook)
}

func (l local) RotateSecret(ctx context.Context, in api.RotateSecret) (api.RotateSecretResult, error) {
	return change(ctx, l.server, in, l.Service.RotateSecret)
}

func (l local) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	return change(ctx, l.server, in, l.Service.Replay)
}

func (l local) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	return change(ctx, l.server, in, l.Service.Purge)
}

func (l local) StartReplay(ctx context.Context, in api.StartReplay) (api.StartReplayResult, error) {
	return change(ctx, l.server, in, l.Service.StartReplay)
}

func (l local) StopReplay(ctx context.Context, in api.StopReplay) ([]api.ReplayRun, error) {
	return change(ctx, l.server, in, l.Service.StopReplay)
}

func (l local) Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error) {
	return change(ctx, l.server, in, l.Service.Subscribe)
}

func (l local) Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	return change(ctx, l.server, in, l.Service.Unsubscribe)
}

func (l local) RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	return change(ctx, l.server, in, l.Service.RefuseSubscription)
}

func (l local) ReplayEvents(ctx context.Context, in api.ReplayEvents) (api.StartReplayResult, error) {
	return change(ctx, l.server, in, l.Service.ReplayEvents)
}

func (l local) Connect(ctx context.Context) (api.Link, error) {
	return change(ctx, l.server, none{}, func(ctx context.Context, _ none) (api.Link, error) { return l.Service.Connect(ctx) })
}

func (l local) Disconnect(ctx context.Context) (api.Link, error) {
	return change(ctx, l.server, none{}, func(ctx context.Context, _ none) (api.Link, error) { return l.Service.Disconnect(ctx) })
}

func (l local) Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error) {
	return change(ctx, l.server, in, l.Service.Unpair)
}

func (l local) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	return change(ctx, l.server, in, l.Service.Send)
}

func (l local) SendFile(ctx context.Context, in api.Send, content io.Reader) (api.SendResult, error) {
	ctx, done, refused := l.server.beginMutationWithin(ctx, sendFileLimit)
	if refused != nil {
		return api.SendResult{}, refused
	}
	defer done()
	return l.Service.SendFile(ctx, in, content)
}

func (l local) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	return change(ctx, l.server, in, l.Service.MarkRead)
}

func (l local) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	return change(ctx, l.server, in, l.Service.Typing)
}

func (l local) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	return change(ctx, l.server, in, l.Service.WatchPresence)
}

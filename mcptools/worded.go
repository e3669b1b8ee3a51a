package mcptools

import (
	"cmp"
	"context"

	"waoutbox/outbox/api"
	"waoutbox/outbox/api/wording"
)

// worded is a Backend whose sentences, in results and in errors, name the tools of this session
// where they name commands.
type worded struct {
	service Backend
	say     func(sentence string) string
}

// inTools returns a sentence of the service as an agent understands it.
func (s *Server) inTools(sentence string) string {
	return wording.ForAgents(sentence, func(tool string) bool { return s.listed[tool] })
}

// inShell returns a sentence of this package with the commands that the user is to run as he types
// them.
func (s *Server) inShell(sentence string) string {
	return wording.ForShell(sentence, cmp.Or(s.opts.Command, "waoutbox"))
}

// callOrRun names the tool that does what a command does, or the command where this session has no
// such tool. The command is given without the program's name.
func (s *Server) callOrRun(command string) string {
	if tool := s.inTools("waoutbox " + command); tool != "waoutbox "+command {
		return "call " + tool
	}
	return s.inShell("the user can run `waoutbox " + command + "`")
}

// commandOrTool is callOrRun as a noun.
func (s *Server) commandOrTool(command string) string {
	if tool := s.inTools("waoutbox " + command); tool != "waoutbox "+command {
		return tool
	}
	return s.inShell("`waoutbox " + command + "`")
}

// inTools returns what the service returned, with its sentences in the words of the session.
func inTools[T any](w worded, out T, err error) (T, error) {
	return wording.Result(out, err, w.say)
}

func (w worded) Status(ctx context.Context) (api.Status, error) {
	out, err := w.service.Status(ctx)
	return inTools(w, out, err)
}

func (w worded) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	out, err := w.service.Webhooks(ctx)
	return inTools(w, out, err)
}

func (w worded) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	out, err := w.service.PutWebhook(ctx, in)
	return inTools(w, out, err)
}

func (w worded) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	out, err := w.service.RemoveWebhook(ctx, in)
	return inTools(w, out, err)
}

func (w worded) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	out, err := w.service.TestWebhook(ctx, in)
	return inTools(w, out, err)
}

func (w worded) PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error) {
	out, err := w.service.PauseWebhook(ctx, ref)
	return inTools(w, out, err)
}

func (w worded) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	out, err := w.service.ResumeWebhook(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	out, err := w.service.Events(ctx, q)
	return inTools(w, out, err)
}

func (w worded) Event(ctx context.Context, ref string) (api.EventDetail, error) {
	out, err := w.service.Event(ctx, ref)
	return inTools(w, out, err)
}

func (w worded) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	out, err := w.service.Purge(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	out, err := w.service.Groups(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Connect(ctx context.Context) (api.Link, error) {
	out, err := w.service.Connect(ctx)
	return inTools(w, out, err)
}

func (w worded) Disconnect(ctx context.Context) (api.Link, error) {
	out, err := w.service.Disconnect(ctx)
	return inTools(w, out, err)
}

func (w worded) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	out, err := w.service.DeadLetters(ctx, q)
	return inTools(w, out, err)
}

func (w worded) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	out, err := w.service.DeadLetter(ctx, id)
	return inTools(w, out, err)
}

func (w worded) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	out, err := w.service.Replay(ctx, in)
	return inTools(w, out, err)
}

func (w worded) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	out, err := w.service.PairNow(ctx, in)
	return inTools(w, out, err)
}

func (w worded) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	out, err := w.service.ContinuePairing(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error) {
	out, err := w.service.Unpair(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	out, err := w.service.Send(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Media(ctx context.Context, ref string) (api.Media, error) {
	out, err := w.service.Media(ctx, ref)
	return inTools(w, out, err)
}

func (w worded) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	out, err := w.service.MarkRead(ctx, in)
	return inTools(w, out, err)
}

func (w worded) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	out, err := w.service.WatchPresence(ctx, in)
	return inTools(w, out, err)
}

func (w worded) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	out, err := w.service.FindRecipients(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	out, err := w.service.Occurrences(ctx, q)
	return inTools(w, out, err)
}

func (w worded) Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error) {
	out, err := w.service.Subscribe(ctx, in)
	return inTools(w, out, err)
}

func (w worded) Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	out, err := w.service.Unsubscribe(ctx, in)
	return inTools(w, out, err)
}

func (w worded) RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	out, err := w.service.RefuseSubscription(ctx, in)
	out.Message = w.say(out.Message)
	return inTools(w, out, err)
}

func (w worded) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	_, err := inTools(w, struct{}{}, w.service.StreamOccurrences(ctx, q, each))
	return err
}

package admin

import (
	"context"
	"io"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/api/wording"
)

// saidLink is a Link whose sentences, in results and in errors, name commands on this state: the
// link itself knows of no state directory.
type saidLink struct {
	link Link
	say  func(sentence string) string
}

func (l saidLink) Link() api.Link { return wording.Of(l.link.Link(), l.say) }

func (l saidLink) Alarms() []api.Alarm { return wording.Of(l.link.Alarms(), l.say) }

func (l saidLink) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	err := l.link.Pair(ctx, in, func(p api.PairStep) error { return step(wording.Of(p, l.say)) })
	return l.failed(err)
}

func (l saidLink) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	out, err := l.link.PairNow(ctx, in)
	return wording.Result(out, err, l.say)
}

func (l saidLink) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	out, err := l.link.ContinuePairing(ctx, in)
	return wording.Result(out, err, l.say)
}

func (l saidLink) Unpair(ctx context.Context) (api.UnpairResult, error) {
	out, err := l.link.Unpair(ctx)
	return wording.Result(out, err, l.say)
}

func (l saidLink) Connect(ctx context.Context) (api.Link, error) {
	out, err := l.link.Connect(ctx)
	return wording.Result(out, err, l.say)
}

func (l saidLink) Disconnect(ctx context.Context) (api.Link, error) {
	out, err := l.link.Disconnect(ctx)
	return wording.Result(out, err, l.say)
}

func (l saidLink) Send(ctx context.Context, in api.Send, record ...outbox.SendRecorder) (api.SendResult, error) {
	out, err := l.link.Send(ctx, in, record...)
	return out, l.failed(err)
}

func (l saidLink) SendFile(ctx context.Context, in api.Send, content io.Reader, record ...outbox.SendRecorder) (api.SendResult, error) {
	out, err := l.link.SendFile(ctx, in, content, record...)
	return out, l.failed(err)
}

func (l saidLink) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	out, err := l.link.MarkRead(ctx, in)
	return out, l.failed(err)
}

func (l saidLink) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	out, err := l.link.Typing(ctx, in)
	return out, l.failed(err)
}

func (l saidLink) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	out, err := l.link.WatchPresence(ctx, in)
	return out, l.failed(err)
}

func (l saidLink) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	out, err := l.link.FindRecipients(ctx, in)
	return out, l.failed(err)
}

func (l saidLink) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	out, err := l.link.Groups(ctx, in)
	return out, l.failed(err)
}

func (l saidLink) failed(err error) error {
	_, err = wording.Result(struct{}{}, err, l.say)
	return err
}

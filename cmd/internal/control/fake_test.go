package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// recordingService returns from every call with a result in which no field is zero, or with err,
// and keeps the arguments.
type recordingService struct {
	err     error
	block   bool              // every call waits for its context to end, or for release
	panic   any               // every call panics with it
	steps   []api.PairStep    // what Pair reports before it returns err
	enter   chan struct{}     // gets a value when a blocking call has begun
	left    chan error        // gets the error of a blocking call's context, nil for a released one
	release chan struct{}     // ends blocking calls
	pairs   chan api.PairStep // if set, Pair reports what it gets here after steps

	pages      int   // how many StreamOccurrences gives
	streamEnds error // what it then returns; nil: it waits for its context

	mu    sync.Mutex
	calls []recordedCall

	mediaSize, mediaRead int64
	mediaBreaks          bool // in the middle
	mediaClosed          int
	refuse               error // of SendFile
}

type recordedCall struct {
	method string
	args   []any
	agent  Agent
}

var _ api.Service = (*recordingService)(nil)

func record[Out any](ctx context.Context, f *recordingService, method string, args ...any) (Out, error) {
	if err := f.interrupt(ctx); err != nil {
		var none Out
		return none, err
	}
	agent, _ := AgentFrom(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, recordedCall{method, args, agent})
	if f.err != nil {
		var none Out
		return none, f.err
	}
	return full[Out](), nil
}

func (f *recordingService) Status(ctx context.Context) (api.Status, error) {
	return record[api.Status](ctx, f, "Status")
}
func (f *recordingService) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	return record[[]api.Webhook](ctx, f, "Webhooks")
}
func (f *recordingService) Webhook(ctx context.Context, ref string) (api.Webhook, error) {
	return record[api.Webhook](ctx, f, "Webhook", ref)
}
func (f *recordingService) WebhookActivity(ctx context.Context, ref string) (api.WebhookActivity, error) {
	return record[api.WebhookActivity](ctx, f, "WebhookActivity", ref)
}
func (f *recordingService) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	return record[api.PutWebhookResult](ctx, f, "PutWebhook", in)
}
func (f *recordingService) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	return record[api.RemoveWebhookResult](ctx, f, "RemoveWebhook", in)
}
func (f *recordingService) TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error) {
	return record[api.TestWebhookResult](ctx, f, "TestWebhook", in)
}
func (f *recordingService) PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error) {
	return record[api.WebhookState](ctx, f, "PauseWebhook", ref)
}
func (f *recordingService) ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error) {
	return record[api.WebhookState](ctx, f, "ResumeWebhook", in)
}
func (f *recordingService) RotateSecret(ctx context.Context, in api.RotateSecret) (api.RotateSecretResult, error) {
	return record[api.RotateSecretResult](ctx, f, "RotateSecret", in)
}

func (f *recordingService) AllowHost(ctx context.Context, in api.AllowHost) (api.HostPolicy, error) {
	return record[api.HostPolicy](ctx, f, "AllowHost", in)
}

func (f *recordingService) RecordSetting(ctx context.Context, in api.RecordSetting) (api.RecordedSetting, error) {
	return record[api.RecordedSetting](ctx, f, "RecordSetting", in)
}

func (f *recordingService) Audit(ctx context.Context, q api.AuditQuery) (api.AuditPage, error) {
	return record[api.AuditPage](ctx, f, "Audit", q)
}

func (f *recordingService) AcceptAudit(ctx context.Context, in api.AcceptAudit) (api.AcceptedAudit, error) {
	return record[api.AcceptedAudit](ctx, f, "AcceptAudit", in)
}

func (f *recordingService) VerifyAudit(ctx context.Context, in api.VerifyAudit) (api.AuditCheck, error) {
	return record[api.AuditCheck](ctx, f, "VerifyAudit", in)
}
func (f *recordingService) DeadLetterSummary(ctx context.Context, in api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	return record[[]api.DeadLetterGroup](ctx, f, "DeadLetterSummary", in)
}
func (f *recordingService) DeadLetters(ctx context.Context, in api.DeadLetterQuery) (api.DeadLetterPage, error) {
	return record[api.DeadLetterPage](ctx, f, "DeadLetters", in)
}
func (f *recordingService) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	return record[api.DeadLetterDetail](ctx, f, "DeadLetter", id)
}
func (f *recordingService) Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error) {
	return record[api.ReplayResult](ctx, f, "Replay", in)
}
func (f *recordingService) Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	return record[api.PurgeResult](ctx, f, "Purge", in)
}
func (f *recordingService) StartReplay(ctx context.Context, in api.StartReplay) (api.StartReplayResult, error) {
	return record[api.StartReplayResult](ctx, f, "StartReplay", in)
}
func (f *recordingService) Replays(ctx context.Context) ([]api.ReplayRun, error) {
	return record[[]api.ReplayRun](ctx, f, "Replays")
}
func (f *recordingService) StopReplay(ctx context.Context, in api.StopReplay) ([]api.ReplayRun, error) {
	return record[[]api.ReplayRun](ctx, f, "StopReplay", in)
}
func (f *recordingService) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	return record[api.EventPage](ctx, f, "Events", q)
}
func (f *recordingService) Event(ctx context.Context, ref string) (api.EventDetail, error) {
	return record[api.EventDetail](ctx, f, "Event", ref)
}
func (f *recordingService) ReplayEvents(ctx context.Context, in api.ReplayEvents) (api.StartReplayResult, error) {
	return record[api.StartReplayResult](ctx, f, "ReplayEvents", in)
}
func (f *recordingService) SubscriptionOffer(ctx context.Context) (api.SubscriptionOffer, error) {
	return record[api.SubscriptionOffer](ctx, f, "SubscriptionOffer")
}

func (f *recordingService) Subscribe(ctx context.Context, in api.Subscribe) (api.Subscribed, error) {
	return record[api.Subscribed](ctx, f, "Subscribe", in)
}

func (f *recordingService) Unsubscribe(ctx context.Context, in api.Unsubscribe) (api.Unsubscribed, error) {
	return record[api.Unsubscribed](ctx, f, "Unsubscribe", in)
}

func (f *recordingService) RefuseSubscription(ctx context.Context, in api.RefuseSubscription) (api.RefusedSubscription, error) {
	return record[api.RefusedSubscription](ctx, f, "RefuseSubscription", in)
}

func (f *recordingService) Occurrences(ctx context.Context, q api.OccurrenceQuery) (api.OccurrencePage, error) {
	return record[api.OccurrencePage](ctx, f, "Occurrences", q)
}

// StreamOccurrences gives pages until its caller has enough, or it is to fail.
func (f *recordingService) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	page, err := record[api.OccurrencePage](ctx, f, "StreamOccurrences", q)
	if err != nil {
		return err
	}
	for range f.pages {
		if err := each(page); err != nil {
			if f.left != nil {
				f.left <- err
			}
			return err
		}
	}
	if f.streamEnds != nil {
		return f.streamEnds
	}
	<-ctx.Done()
	return ctx.Err()
}
func (f *recordingService) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	return record[api.PairStep](ctx, f, "PairNow", in)
}
func (f *recordingService) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	return record[api.PairStep](ctx, f, "ContinuePairing", in)
}
func (f *recordingService) Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error) {
	return record[api.UnpairResult](ctx, f, "Unpair", in)
}

func (f *recordingService) Connect(ctx context.Context) (api.Link, error) {
	return record[api.Link](ctx, f, "Connect")
}

func (f *recordingService) Disconnect(ctx context.Context) (api.Link, error) {
	return record[api.Link](ctx, f, "Disconnect")
}

func (f *recordingService) Media(ctx context.Context, ref string) (api.Media, error) {
	info, err := record[api.MediaInfo](ctx, f, "Media", ref)
	if err != nil {
		return api.Media{}, err
	}
	info.Bytes = f.mediaSize
	return api.Media{MediaInfo: info, Content: f}, nil
}

// Read and Close make the service the file of every message: mediaSize bytes that are all 7, or a
// failure after half of them.
func (f *recordingService) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.mediaSize - f.mediaRead
	switch {
	case f.mediaBreaks && left <= f.mediaSize/2:
		return 0, errors.New("the disk is gone")
	case left == 0:
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), left, f.mediaSize/2))
	for i := range p[:n] {
		p[i] = 7
	}
	f.mediaRead += int64(n)
	return n, nil
}

func (f *recordingService) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mediaClosed++
	return nil
}

func (f *recordingService) SendFile(ctx context.Context, in api.Send, content io.Reader) (api.SendResult, error) {
	if f.refuse != nil { // without a look at the file
		return api.SendResult{}, f.refuse
	}
	b, err := io.ReadAll(content)
	if err != nil {
		return api.SendResult{}, err
	}
	return record[api.SendResult](ctx, f, "SendFile", in, string(b))
}

func (f *recordingService) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	return record[api.SendResult](ctx, f, "Send", in)
}

func (f *recordingService) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	return record[api.MarkReadResult](ctx, f, "MarkRead", in)
}

func (f *recordingService) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	return record[api.TypingResult](ctx, f, "Typing", in)
}

func (f *recordingService) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	return record[api.WatchPresenceResult](ctx, f, "WatchPresence", in)
}

func (f *recordingService) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	return record[api.FoundRecipients](ctx, f, "FindRecipients", in)
}

func (f *recordingService) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	return record[[]api.Group](ctx, f, "Groups", in)
}

func (f *recordingService) Pair(ctx context.Context, _ api.PairRequest, step func(api.PairStep) error) error {
	for _, s := range f.steps {
		if err := step(s); err != nil {
			return err
		}
	}
	for f.pairs != nil {
		select {
		case s, ok := <-f.pairs:
			if !ok {
				return f.err
			}
			if err := step(s); err != nil {
				return err
			}
		case <-ctx.Done():
			f.left <- ctx.Err()
			return ctx.Err()
		}
	}
	_, err := record[none](ctx, f, "Pair")
	return err
}

// interrupt panics or blocks, if the fake is made to.
func (f *recordingService) interrupt(ctx context.Context) error {
	if f.panic != nil {
		panic(f.panic)
	}
	if !f.block {
		return nil
	}
	f.enter <- struct{}{}
	select {
	case <-ctx.Done():
	case <-f.release:
	}
	f.left <- ctx.Err()
	return ctx.Err()
}

func (f *recordingService) taken() []recordedCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// full makes a value in which every exported field, element and pointer is set, each to something
// else.
func full[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, *n%60, 123456789, time.UTC)))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes(fmt.Appendf(nil, `{"n":%d}`, *n))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			// it does not cross
			if f := v.Type().Field(i); !f.IsExported() || f.Tag.Get("json") == "-" {
				continue
			}
			fill(v.Field(i), n)
			within(v.Field(i), v.Type().Field(i).Tag, *n)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case request.Values(v.Type()) != nil:
		set := request.Values(v.Type())
		v.SetString(set[*n%len(set)])
	case v.Kind() == reflect.String:
		v.SetString("text <&> ünï\n" + string(rune('a'+*n%26)))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n) + 1<<30)
	case v.CanUint():
		v.SetUint(uint64(*n) + 1<<30)
	case v.CanFloat():
		v.SetFloat(float64(*n) + 0.25)
	default:
		panic("fill: teach me " + v.Type().String())
	}
}

// within brings a field into the range or the set that its tags name.
func within(v reflect.Value, tag reflect.StructTag, n int) {
	if tag.Get("range") != "" {
		v.SetInt(int64(n%30) + 1)
	}
	if tag.Get("enum") == "" {
		return
	}
	set := strings.Split(tag.Get("enum"), ",")
	v = reflect.Indirect(v)
	if v.Kind() == reflect.String {
		v.SetString(set[n%len(set)])
		return
	}
	for i := range v.Len() {
		v.Index(i).SetString(set[(n+i)%len(set)])
	}
}

func TestFullLeavesNothingOut(t *testing.T) {
	q := full[api.DeadLetterQuery]()
	if len(q.IDs) != 2 || q.Webhook == "" || q.Since.IsZero() || q.Limit == 0 || q.IDs[0] == q.IDs[1] {
		t.Errorf("%+v", q)
	}
}

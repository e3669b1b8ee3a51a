package control

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// recordingService answers every call with a result in which no field is zero, or with err, and keeps what it was asked.
type recordingService struct {
	err   error
	block bool              // SendText and Pair wait for their context to end
	panic any               // SendText and Pair panic with it
	steps []api.PairStep    // what Pair reports before it returns err
	enter chan struct{}     // gets a value when a blocking call has begun
	left  chan error        // gets a blocking call's context error
	pairs chan api.PairStep // if set, Pair reports what it gets here after steps

	mu    sync.Mutex
	calls []recordedCall
}

type recordedCall struct {
	method string
	args   []any
	agent  Agent
}

var _ api.Service = (*recordingService)(nil)

func record[Out any](ctx context.Context, f *recordingService, method string, args ...any) (Out, error) {
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
func (f *recordingService) PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
	return record[api.PutWebhookResult](ctx, f, "PutWebhook", in)
}
func (f *recordingService) RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error) {
	return record[api.RemoveWebhookResult](ctx, f, "RemoveWebhook", in)
}
func (f *recordingService) TestWebhook(ctx context.Context, ref string) (api.TestWebhookResult, error) {
	return record[api.TestWebhookResult](ctx, f, "TestWebhook", ref)
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
func (f *recordingService) QR(ctx context.Context) (api.PairStep, error) {
	return record[api.PairStep](ctx, f, "QR")
}

func (f *recordingService) SendText(ctx context.Context, in api.SendText) (api.SendResult, error) {
	if err := f.trouble(ctx); err != nil {
		return api.SendResult{}, err
	}
	return record[api.SendResult](ctx, f, "SendText", in)
}

func (f *recordingService) Pair(ctx context.Context, step func(api.PairStep) error) error {
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
	if err := f.trouble(ctx); err != nil {
		return err
	}
	_, err := record[none](ctx, f, "Pair")
	return err
}

// trouble panics or blocks, if the fake is made to.
func (f *recordingService) trouble(ctx context.Context) error {
	if f.panic != nil {
		panic(f.panic)
	}
	if !f.block {
		return nil
	}
	f.enter <- struct{}{}
	<-ctx.Done()
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

// full makes a value in which every exported field, element and pointer is set, each to something else.
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
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
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
	case v.Kind() == reflect.String:
		v.SetString("text <&> ünï\n" + string(rune('a'+*n%26)))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n) + 1<<30)
	default:
		panic("fill: teach me " + v.Type().String())
	}
}

func TestFullLeavesNothingOut(t *testing.T) {
	q := full[api.DeadLetterQuery]()
	if len(q.IDs) != 2 || q.Webhook == "" || q.Since.IsZero() || q.Limit == 0 || q.IDs[0] == q.IDs[1] {
		t.Errorf("%+v", q)
	}
}

package control

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

func TestPairStreamsEveryStep(t *testing.T) {
	want := []api.PairStep{
		{Step: api.StepQR, QR: "2@a<b>&c", N: 1, Of: 6, ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		full[api.PairStep](),
		{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net", Name: "Alice"},
	}
	r := startServer(t, &recordingService{steps: want})
	var got []api.PairStep
	if err := r.client.Pair(t.Context(), api.PairRequest{}, func(s api.PairStep) error { got = append(got, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// Each step is there when it happens, not when the buffer is full or the session over.
func TestPairStepsArriveAtOnce(t *testing.T) {
	svc := &recordingService{pairs: make(chan api.PairStep), left: make(chan error, 1)}
	r := startServer(t, svc)
	got := make(chan string)
	end := make(chan error)
	go func() {
		end <- r.client.Pair(t.Context(), api.PairRequest{}, func(s api.PairStep) error { got <- s.QR; return nil })
	}()
	for _, qr := range []string{"one", "two", "three"} {
		svc.pairs <- api.PairStep{Step: api.StepQR, QR: qr}
		if g := <-got; g != qr {
			t.Errorf("got %q, want %q", g, qr)
		}
	}
	close(svc.pairs)
	if err := <-end; err != nil {
		t.Error(err)
	}
}

// The last step and the error are both delivered, the step once.
func TestPairFailsAfterSteps(t *testing.T) {
	why := &api.Error{Code: api.CodePairingUnavail, Message: "six codes went unscanned; try again", Retryable: true}
	steps := []api.PairStep{{Step: api.StepQR, QR: "x"}, {Step: api.StepFailed, Error: why}}
	r := startServer(t, &recordingService{steps: steps, err: why})
	var got []api.PairStep
	err := r.client.Pair(t.Context(), api.PairRequest{}, func(s api.PairStep) error { got = append(got, s); return nil })
	if e, ok := errors.AsType[*api.Error](err); !ok || *e != *why {
		t.Errorf("got %v", err)
	}
	if !reflect.DeepEqual(got, steps) {
		t.Errorf("got %+v", got)
	}
}

func TestPairReturnsTheCallbacksError(t *testing.T) {
	svc := &recordingService{pairs: make(chan api.PairStep), left: make(chan error, 1), steps: []api.PairStep{{Step: api.StepQR}}}
	r := startServer(t, svc)
	full := errors.New("terminal too small")
	if err := r.client.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	// the daemon's side ended with the caller
	if err := <-svc.left; !errors.Is(err, context.Canceled) {
		t.Errorf("the daemon's side ended with %v", err)
	}
}

func TestPairEndsWithTheCallersContext(t *testing.T) {
	svc := &recordingService{pairs: make(chan api.PairStep), left: make(chan error, 1), steps: []api.PairStep{{Step: api.StepQR}}}
	r := startServer(t, svc)
	ctx, cancel := context.WithCancel(t.Context())
	if err := r.client.Pair(ctx, api.PairRequest{}, func(api.PairStep) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-svc.left
}

func TestPairPanicsAfterSteps(t *testing.T) {
	r := startServer(t, &recordingService{steps: []api.PairStep{{Step: api.StepQR}}, panic: "boom"})
	if err := r.client.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil }); api.CodeOf(err) != api.CodeInternal {
		t.Errorf("got %v", err)
	}
}

// A number that is none is in the field phone, as for calls that are no streams.
func TestPairNamesTheField(t *testing.T) {
	r := startServer(t, &recordingService{err: &api.Error{Code: api.CodeInvalidPhone, Message: "that is no phone number"}})
	err := r.client.Pair(t.Context(), api.PairRequest{Phone: "abc"}, func(api.PairStep) error { return nil })
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != "phone" {
		t.Errorf("got %+v", err)
	}
}

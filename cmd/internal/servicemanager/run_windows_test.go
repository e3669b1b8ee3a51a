package servicemanager

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/windows/svc"
)

// A service that is stopped before it is ready ends as one that was, though it becomes ready
// meanwhile: before, that closed a channel which was not there any more.
func TestStoppedBeforeItIsReady(t *testing.T) {
	h := handler{ctx: t.Context(), err: make(chan error, 1), work: Work{
		Run: func(ctx context.Context, ready func()) error {
			<-ctx.Done()
			ready()
			return nil
		},
		Final: func(error) bool { return false },
		Crash: func(err error) { t.Errorf("it crashed: %v", err) },
	}}
	requests, states := make(chan svc.ChangeRequest, 1), make(chan svc.Status, 3)
	requests <- svc.ChangeRequest{Cmd: svc.Stop}
	if specific, code := h.Execute(nil, requests, states); specific || code != 0 {
		t.Errorf("it ended with %d, specific %t", code, specific)
	}
	if err := <-h.err; err != nil {
		t.Error(err)
	}
	close(states)
	var said []svc.State
	for s := range states {
		said = append(said, s.State)
	}
	if len(said) != 2 || said[0] != svc.StartPending || said[1] != svc.StopPending {
		t.Errorf("Windows was told %v", said)
	}
}

// What ends with an error is a crash, which Windows starts again, and not where no start would
// help.
func TestHowAServiceEnds(t *testing.T) {
	for _, final := range []bool{true, false} {
		crashed := false
		h := handler{ctx: t.Context(), err: make(chan error, 1), work: Work{
			Run:   func(context.Context, func()) error { return errors.New("no port") },
			Final: func(error) bool { return final },
			Crash: func(error) { crashed = true },
		}}
		specific, code := h.Execute(nil, nil, make(chan svc.Status, 3))
		if want := map[bool]uint32{true: ExitConfig, false: 1}[final]; !specific || code != want || crashed == final {
			t.Errorf("final %t: ended with %d, specific %t, crashed %t", final, code, specific, crashed)
		}
	}
}

package control

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
)

// A stream's pages cross whole and in order, with their caller's name; it ends with the daemon's
// reason, with its caller, or with the daemon.
func TestStreamsOfOccurrences(t *testing.T) {
	t.Parallel()
	svc := &recordingService{pages: 3, streamEnds: api.Errorf(api.CodeOutboxFull, "full")}
	r := startServer(t, svc)
	q := api.OccurrenceQuery{Events: []string{"message.received"}, Cursor: "c"}
	var got []api.OccurrencePage
	take := func(p api.OccurrencePage) error { got = append(got, p); return nil }
	if err := r.client.StreamOccurrences(t.Context(), q, take); api.CodeOf(err) != api.CodeOutboxFull {
		t.Errorf("it ended with %v", err)
	}
	if len(got) != 3 || !reflect.DeepEqual(got[2], full[api.OccurrencePage]()) {
		t.Errorf("pages %+v", got)
	}
	if len(svc.calls) != 1 || svc.calls[0].agent.Name != "cli" || !reflect.DeepEqual(svc.calls[0].args, []any{q}) {
		t.Errorf("calls %+v", svc.calls)
	}

	refused := startServer(t, &recordingService{err: api.Retryf(api.CodeTooManyStreams, "too many")})
	if err := refused.client.StreamOccurrences(t.Context(), q, take); api.CodeOf(err) != api.CodeTooManyStreams {
		t.Errorf("refused with %v", err)
	}

	svc = &recordingService{pages: 2}
	open := startServer(t, svc)
	enough := errors.New("enough")
	if err := open.client.StreamOccurrences(t.Context(), q, func(api.OccurrencePage) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("its caller's end is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := open.client.StreamOccurrences(ctx, q, func(api.OccurrencePage) error {
		if n++; n == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled it is %v", err)
	}
	n = 0
	err = open.client.StreamOccurrences(t.Context(), q, func(api.OccurrencePage) error {
		if n++; n == 2 {
			open.stop()
		}
		return nil
	})
	if api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("with the daemon it ends with %v", err)
	}
}

// A subscriber that takes no bytes is dropped after a while, however much there is for it.
func TestASubscriberThatReadsNothingIsDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	svc := &recordingService{pages: 1 << 30, left: make(chan error, 1)}
	s := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()})
	s.patience = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	_, conn, err := socket.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "POST /v1/occurrences/stream HTTP/1.1\r\nHost: waoutbox\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-svc.left:
		if err == nil {
			t.Error("a page was taken that nobody read")
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the stream goes on")
	}
}

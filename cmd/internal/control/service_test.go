package control

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
)

// running is a server over a real socket with a fake service behind it.
type running struct {
	server *Server
	dir    string
	client *Client
	stop   context.CancelFunc // begins to stop
	done   chan struct{}      // closed when Serve returned
	err    error              // of Serve; read after done
}

func startServer(t *testing.T, svc api.Service) *running {
	t.Helper()
	return startServerWith(t, t.TempDir(), ServerOptions{Service: svc, Log: discardLog()})
}

func startServerWith(t *testing.T, dir string, o ServerOptions) *running {
	t.Helper()
	ln, err := socket.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if o.Stop == nil {
		o.Stop = cancel
	}
	if o.Daemon.PID == 0 && o.Daemon.Version == "" {
		o.Daemon = api.Daemon{PID: 4711, Version: "0.1.0", StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	}
	r := &running{dir: dir, client: NewClient(dir, Agent{Kind: api.CallerCLI, Name: "cli", Version: "0.2.0"}), stop: cancel, done: make(chan struct{})}
	s := NewServer(o)
	r.server = s
	go func() { r.err = s.Serve(ctx, ln); close(r.done) }()
	t.Cleanup(func() {
		cancel()
		<-r.done
		r.client.Close()
		if r.err != nil {
			t.Errorf("Serve: %v", r.err)
		}
	})
	return r
}

// streams are the methods whose request or result comes bit by bit.
var streams = []string{"Pair", "Media", "SendFile", "StreamOccurrences"}

// methods is api.Service by reflection: a method that is added later is driven, too.
func methods() []reflect.Method { return slices.Collect(reflect.TypeFor[api.Service]().Methods()) }

// invoke calls a method of the client with arguments in which nothing is zero.
func invoke(t *testing.T, c *Client, m reflect.Method) (args []any, results []reflect.Value) {
	t.Helper()
	in := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < m.Type.NumIn(); i++ { // an interface's method has no receiver
		v := reflect.New(m.Type.In(i)).Elem()
		n := i * 7
		fill(v, &n)
		in = append(in, v)
		args = append(args, v.Interface())
	}
	return args, reflect.ValueOf(c).MethodByName(m.Name).Call(in)
}

// Every method of api.Service crosses the socket whole: arguments there, results back, and the
// caller's name.
//
// Mutation of server.go: a caller says himself as whom he was let in.
func TestEveryMethodCrosses(t *testing.T) {
	svc := &recordingService{}
	r := startServer(t, svc)
	for _, m := range methods() {
		if slices.Contains(streams, m.Name) {
			continue // has its own tests
		}
		t.Run(m.Name, func(t *testing.T) {
			args, results := invoke(t, r.client, m)
			if err := results[1].Interface(); err != nil {
				t.Fatal(err)
			}
			calls := svc.taken()
			if len(calls) != 1 || calls[0].method != m.Name {
				t.Fatalf("the service saw %+v", calls)
			}
			if !reflect.DeepEqual(calls[0].args, args) {
				t.Errorf("arguments\n%+v\narrived as\n%+v", args, calls[0].args)
			}
			if want := (Agent{Kind: api.CallerCLI, Name: "cli", Version: "0.2.0", Principal: api.PrincipalLocal}); calls[0].agent != want {
				t.Errorf("caller arrived as %+v", calls[0].agent)
			}
			want := reflect.New(m.Type.Out(0)).Elem()
			n := 0
			fill(want, &n)
			if !reflect.DeepEqual(results[0].Interface(), want.Interface()) {
				t.Errorf("result\n%+v\narrived as\n%+v", want, results[0])
			}
		})
	}
}

// Every code crosses unchanged, through every method.
func TestErrorsCrossUnchanged(t *testing.T) {
	svc := &recordingService{}
	r := startServer(t, svc)
	codes := []api.Code{
		api.CodeInvalidURL, api.CodeInvalidEvents, api.CodeInvalidSecret, api.CodeInvalidArguments, api.CodeInvalidCursor, api.CodeTooManyWebhooks,
		api.CodeWebhookNotFound, api.CodeNotFound, api.CodeAlreadyLinked, api.CodePairingUnavail, api.CodePairingCancelled, api.CodeInvalidPhone, api.CodeNotWaiting, api.CodeNotConnected, api.CodeInvalidRecipient,
		api.CodeNotOnWhatsApp, api.CodeRateLimited, api.CodeSendFailed, api.CodeMessageNotFound, api.CodeIdempotencyConflict, api.CodeMediaUnavailable, api.CodeMediaExpired, api.CodeMediaTooLarge, api.CodePathNotAllowed, api.CodeServiceUnavail, api.CodeOutboxFull, api.CodeTimeout, api.CodeInternal,
	}
	for i, m := range methods() {
		for j, code := range codes {
			want := &api.Error{Code: code, Message: "what happened, and the fix", Field: "where", Retryable: (i+j)%2 == 0}
			svc.err = want
			var err error
			switch m.Name {
			case "Pair":
				err = r.client.Pair(t.Context(), api.PairRequest{}, func(api.PairStep) error { return nil })
			case "StreamOccurrences":
				err = r.client.StreamOccurrences(t.Context(), api.OccurrenceQuery{}, func(api.OccurrencePage) error { return nil })
			case "SendFile":
				_, err = r.client.SendFile(t.Context(), api.Send{}, strings.NewReader("x"))
			default:
				_, results := invoke(t, r.client, m)
				err, _ = results[1].Interface().(error)
			}
			if got, ok := errors.AsType[*api.Error](err); !ok || *got != *want {
				t.Errorf("%s: %+v arrived as %+v", m.Name, want, err)
			}
		}
	}
}

func TestEmptyAndAbsentAreKept(t *testing.T) {
	svc := &recordingService{}
	r := startServer(t, svc)
	empty := ""
	in := api.PutWebhook{URL: "http://localhost/", Events: &[]string{}, Secret: &empty}
	if _, err := r.client.PutWebhook(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := svc.taken()[0].args[0]; !reflect.DeepEqual(got, in) {
		t.Errorf("arrived as %+v", got)
	}
}

func TestDaemon(t *testing.T) {
	r := startServer(t, &recordingService{})
	d, err := r.client.Daemon(t.Context())
	if err != nil || d.PID != 4711 || d.Version != "0.1.0" || d.StartedAt.Nanosecond() != 6 {
		t.Errorf("%+v, %v", d, err)
	}
}

package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// readers are the methods of api.Service that end with their caller: they change nothing, or what
// they began goes on without them, as pairing does. Every other method, one that is added later
// included, must run to its end.
var readers = []string{"Status", "Webhooks", "Webhook", "WebhookActivity", "DeadLetterSummary", "DeadLetters", "DeadLetter", "Replays", "Events", "Event", "Occurrences", "SubscriptionOffer", "PairNow", "ContinuePairing", "Pair",
	"FindRecipients", "Groups", "Audit", "VerifyAudit"}

// A caller that hangs up while its call runs changes nothing about a call that changes something.
// Before, it printed "PutWebhook ended with context canceled, want <nil>", and the same for the
// five other methods that change something.
//
// Mutation of operations.go: a call over the socket ends with its caller.
func TestCallerGoneChangesNoMutation(t *testing.T) {
	for _, m := range methods() {
		if slices.Contains(streams, m.Name) {
			continue // has its own tests
		}
		t.Run(m.Name, func(t *testing.T) {
			svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1), release: make(chan struct{})}
			s := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()})
			// ends when the server sees that the caller is gone
			connected := make(chan context.Context, 1)
			ended := make(chan struct{})
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				connected <- r.Context()
				defer close(ended)
				s.serveHTTP(w, r)
			})
			ctx, cancel := context.WithCancel(t.Context())
			in := []reflect.Value{reflect.ValueOf(ctx)}
			for i := 1; i < m.Type.NumIn(); i++ {
				v, n := reflect.New(m.Type.In(i)).Elem(), i
				fill(v, &n) // no part of a path is empty
				in = append(in, v)
			}
			go func() { <-svc.enter; cancel() }()
			if err, _ := reflect.ValueOf(c).MethodByName(m.Name).Call(in)[1].Interface().(error); !errors.Is(err, context.Canceled) {
				t.Fatalf("the caller got %v", err) // the service may not have been asked
			}
			<-(<-connected).Done()
			want := context.Canceled
			if !slices.Contains(readers, m.Name) {
				want = nil
				close(svc.release)
			}
			if err := <-svc.left; !errors.Is(err, want) {
				t.Errorf("%s ended with %v, want %v", m.Name, err, want)
			}
			<-ended
		})
	}
}

// memoryListener is a socket without a system, for tests whose time is faked.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l memoryListener) Close() error   { close(l.closed); return nil }
func (l memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// serveInMemory runs a server over memory until stop is called; done is closed when it returned.
func serveInMemory(t *testing.T, svc api.Service) (c *Client, stop func(), done chan struct{}) {
	t.Helper()
	ln := memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := NewServer(ServerOptions{Service: svc, Stop: func() {}, Log: discardLog()})
	s.check = func(net.Conn) error { return nil }
	ctx, stop := context.WithCancel(t.Context())
	done = make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ctx, ln); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	c = NewClient("/state", Agent{Name: "cli"})
	c.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case ln.conns <- there:
			return here, nil
		case <-ln.closed:
			return nil, net.ErrClosed
		}
	}
	return c, stop, done
}

// A stop waits for what changes something, past the grace of the reads, and its caller still gets
// the result: the store is closed only when Serve has returned. Before, it printed "the mutation
// was cut: context canceled, its caller got waoutbox is stopping".
func TestStopWaitsForMutations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1), release: make(chan struct{})}
		c, stop, done := serveInMemory(t, svc)
		result := make(chan error, 1)
		go func() {
			_, err := c.PutWebhook(t.Context(), api.PutWebhook{})
			result <- err
		}()
		<-svc.enter
		began := time.Now()
		stop()
		<-time.After(mutationGrace - time.Second)
		synctest.Wait()
		select {
		case err := <-svc.left:
			t.Fatalf("the mutation was cut: %v, its caller got %v", err, <-result)
		case <-done:
			t.Fatal("Serve returned while a mutation ran")
		default:
		}
		close(svc.release)
		if err := <-svc.left; err != nil {
			t.Errorf("the mutation ended with %v", err)
		}
		if err := <-result; err != nil {
			t.Errorf("its caller got %v", err)
		}
		<-done
		if took := time.Since(began); took > mutationGrace {
			t.Errorf("the stop took %v", took)
		}
	})
}

// A mutation that does not end keeps a stop for a bounded time only, and its caller is told.
// Before, it printed "the stop took 2s, want 32s": no mutation had more time than a read.
func TestStopCutsAMutationAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1)}
		c, stop, done := serveInMemory(t, svc)
		result := make(chan error, 1)
		go func() {
			_, err := c.Replay(t.Context(), api.ReplayRequest{})
			result <- err
		}()
		<-svc.enter
		began := time.Now()
		stop()
		if err := <-result; api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "stopping") {
			t.Errorf("its caller got %v", err)
		}
		<-done
		if took := time.Since(began); took != stopGrace+mutationGrace {
			t.Errorf("the stop took %v, want %v", took, stopGrace+mutationGrace)
		}
	})
}

// No mutation begins after the stop has waited for them.
func TestNoMutationAfterTheStop(t *testing.T) {
	s := NewServer(ServerOptions{Service: &recordingService{}, Log: discardLog()})
	s.awaitCalls()
	if _, _, refused := s.beginMutation(t.Context()); refused == nil || refused.Code != api.CodeServiceUnavail {
		t.Errorf("got %v", refused)
	}
}

// A mutation that never ends by itself ends by the server's limit, without a stop.
func TestMutationHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1)}
		c, stop, done := serveInMemory(t, svc)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*mutationLimit)
		defer cancel()
		if _, err := c.Purge(ctx, api.PurgeRequest{}); api.CodeOf(err) != api.CodeTimeout {
			t.Errorf("its caller got %v", err)
		}
		if took := time.Since(began); took != mutationLimit {
			t.Errorf("ended after %v", took)
		}
		stop()
		<-done
	})
}

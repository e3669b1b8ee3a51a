package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// Stopping: calls in flight get grace to finish, then their contexts end and they get cutoff to notice.
const (
	stopGrace  = 2 * time.Second
	stopCutoff = 2 * time.Second
)

// ServerOptions is what a Server needs; all fields are required.
type ServerOptions struct {
	Service api.Service
	Daemon  api.Daemon // answered to Client.Daemon; Version goes with every answer
	Stop    func()     // asks the daemon to stop; called after the caller was answered, must not block, may be called again
	Log     *slog.Logger
}

// Server answers the control socket. Use NewServer.
type Server struct {
	service api.Service
	daemon  api.Daemon
	stop    func()
	log     *slog.Logger
	mux     *http.ServeMux
	open    context.Context // ends when Serve begins to stop
	shut    context.CancelFunc

	mu     sync.Mutex
	closed bool // no call may begin
	calls  sync.WaitGroup
}

// NewServer makes a Server; it does nothing until Serve.
func NewServer(o ServerOptions) *Server {
	s := &Server{service: o.Service, daemon: o.Daemon, stop: o.Stop, log: o.Log, mux: http.NewServeMux()}
	s.open, s.shut = context.WithCancel(context.Background())
	s.routes()
	return s
}

// routes is every operation in one screen.
func (s *Server) routes() {
	svc := s.service
	handle(s, routeStatus, func(ctx context.Context, _ none) (api.Status, error) { return svc.Status(ctx) })
	handle(s, routeWebhooks, func(ctx context.Context, _ none) (items[api.Webhook], error) { return wrap(svc.Webhooks(ctx)) })
	handle(s, routeWebhook, func(ctx context.Context, in ref) (api.Webhook, error) { return svc.Webhook(ctx, in.Ref) })
	handle(s, routePutWebhook, svc.PutWebhook)
	handle(s, routeRemoveWebhook, svc.RemoveWebhook)
	handle(s, routeTestWebhook, func(ctx context.Context, in ref) (api.TestWebhookResult, error) { return svc.TestWebhook(ctx, in.Ref) })
	handle(s, routeSummary, func(ctx context.Context, in api.DeadLetterFilter) (items[api.DeadLetterGroup], error) {
		return wrap(svc.DeadLetterSummary(ctx, in))
	})
	handle(s, routeDeadLetters, svc.DeadLetters)
	handle(s, routeDeadLetter, func(ctx context.Context, in ref) (api.DeadLetterDetail, error) { return svc.DeadLetter(ctx, in.Ref) })
	handle(s, routeReplay, svc.Replay)
	handle(s, routePurge, svc.Purge)
	handle(s, routeQR, func(ctx context.Context, _ none) (api.PairStep, error) { return svc.QR(ctx) })
	handle(s, routeSendText, svc.SendText)
	handle(s, routeDaemon, func(context.Context, none) (api.Daemon, error) { return s.daemon, nil })
	s.mux.HandleFunc("POST "+string(routePair), s.handlePair)
	s.mux.HandleFunc("POST "+string(routeStop), s.handleStop)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, api.Errorf(codeUnknownRoute, "waoutbox %s has no %s %s", s.daemon.Version, r.Method, r.URL.Path))
	})
}

func wrap[T any](list []T, err error) (items[T], error) { return items[T]{Items: list}, err }

// handle mounts one operation: read the question, run it, write the answer.
func handle[In, Out any](s *Server, path route[In, Out], run func(context.Context, In) (Out, error)) {
	s.mux.HandleFunc("POST "+string(path), func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := readBody(w, r, &in); err != nil {
			s.fail(w, err)
			return
		}
		out, err := run(r.Context(), in)
		if err != nil {
			s.fail(w, s.public(r.Context(), string(path), err))
			return
		}
		s.answer(w, http.StatusOK, out)
	})
}

// readBody reads the whole question before the operation starts: only then does net/http watch for the caller going away.
func readBody(w http.ResponseWriter, r *http.Request, in any) *api.Error {
	ctl := http.NewResponseController(w)
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTimeout)) // a connection without deadlines still has the caller's patience
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	_ = ctl.SetReadDeadline(time.Time{})
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return api.Errorf(api.CodeInvalidArguments, "the request is larger than %d bytes; send less at once", maxRequestBytes)
		}
		return api.Retryf(api.CodeInvalidArguments, "the request did not arrive whole; try again")
	}
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, in); err != nil { // err quotes no values beyond a type name and an offset
		return api.Errorf(api.CodeInvalidArguments, "the request is not the JSON this operation takes")
	}
	return nil
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer could not be written as JSON"}}`)
		s.log.Error("control answer not encoded", "error", err)
	}
	ctl := http.NewResponseController(w)
	_ = ctl.SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a caller that went away needs no answer
	_ = ctl.Flush()     // before the call counts as ended: a stopping server closes the connection then
}

func (s *Server) fail(w http.ResponseWriter, e *api.Error) {
	s.answer(w, httpStatus(e.Code), failure{Error: e})
}

func (s *Server) handleStop(w http.ResponseWriter, r *http.Request) {
	agent, _ := AgentFrom(r.Context())
	s.log.Info("stop asked for", "caller", agent.Name, "caller_version", agent.Version)
	s.answer(w, http.StatusOK, s.daemon)
	s.stop()
}

// Serve answers calls on ln until ctx ends, then closes ln and returns: pairing streams end at once, other calls get a short grace,
// then they are cut. It returns nil after such a stop, else why the socket failed. Call it once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, s.shut)()
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(guard{Listener: ln, check: checkPeer, log: s.log}) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		graceCtx, cancel := context.WithTimeout(base, stopGrace)
		defer cancel()
		_ = srv.Shutdown(graceCtx) // what is still open is cut below
		<-failed
	}
	s.shut()
	abort()
	s.awaitCalls() // each may still say why it was cut
	_ = srv.Close()
	return err
}

// stopping says whether the server has begun to stop.
func (s *Server) stopping() bool { return s.open.Err() != nil }

// begin counts a call, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

// awaitCalls waits for the handlers, whose contexts have ended. One that ignores its context must not keep the process alive.
func (s *Server) awaitCalls() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.calls.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(stopCutoff):
		s.log.Error("a control call did not end when it was cut off")
	}
}

// serveHTTP is around every call: who calls, what it took, and a panic stays in its call.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		panic(http.ErrAbortHandler) // closes the connection without a word
	}
	defer s.calls.Done()
	agent := agentOf(r.Header)
	r = r.WithContext(WithAgent(r.Context(), agent))
	w.Header().Set(headerVersion, s.daemon.Version)
	out := &recorder{ResponseWriter: w}
	start := time.Now()
	defer func() {
		p, begun := recover(), out.status != 0
		if p != nil {
			if e := s.panicked(r.Context(), r.URL.Path, p); !begun {
				s.fail(out, e)
			}
		}
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "control call", slog.String("route", r.URL.Path), slog.String("caller", agent.Name),
			slog.Int("status", out.status), slog.Duration("took", time.Since(start)))
		if p != nil && begun {
			panic(http.ErrAbortHandler) // half an answer is out: the caller must not take it for a whole one
		}
	}()
	s.mux.ServeHTTP(out, r)
}

// recorder notes the status that was written.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// guard refuses connections of other users before a byte of theirs is read.
type guard struct {
	net.Listener
	check func(net.Conn) error
	log   *slog.Logger
}

func (g guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := g.check(conn); err != nil {
			g.log.Warn("control connection refused", "error", err)
			_ = conn.Close()
			continue
		}
		return conn, nil
	}
}

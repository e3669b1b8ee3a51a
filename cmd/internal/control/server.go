package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"waoutbox/cmd/internal/control/socket"
	"waoutbox/outbox/api"
	"waoutbox/outbox/api/wording"
)

// ServerOptions is what a Server needs; all fields but Metrics, Health, RotateToken, CopyOutbox,
// Examine, Listen and OpenPage are required.
type ServerOptions struct {
	Service api.Service
	Metrics http.Handler // serves GET /metrics; nil: there are none
	Health  http.Handler // serves /healthz and /readyz; nil: there are none
	// replaces the token of the HTTP listener; nil: there is none
	RotateToken func(context.Context) error
	// returns a copy of the outbox, which ends when it is closed; nil: there is none
	CopyOutbox func(context.Context) (content io.ReadCloser, bytes int64, err error)
	// registers a webhook until the context ends; nil: there is none
	Listen func(ctx context.Context, in api.PutWebhook, started func(api.PutWebhookResult) error) error
	// looks at what only the owner of the state sees; nil: there is none
	Examine func(context.Context, api.Examine) (api.Examination, error)
	// makes a link to the operator's page; nil: there is none
	OpenPage func(context.Context) (api.PageLink, error)
	StateDir string     // what it serves
	Daemon   api.Daemon // what Client.Daemon returns; Version goes with every response
	// asks the daemon to stop; called after the caller got its response, must not block, may be
	// called again
	Stop func()
	Log  *slog.Logger
}

// Server serves the control socket. Use NewServer.
//
// A caller that hangs up, or a client whose limit passes, ends a reading operation and changes
// nothing for one that writes: that one runs to its end under a context of its own, which only
// mutationLimit or the end of a stop cuts.
type Server struct {
	service     api.Service
	metrics     http.Handler
	health      http.Handler
	rotateToken func(context.Context) error
	copyOutbox  func(context.Context) (io.ReadCloser, int64, error)
	listen      func(context.Context, api.PutWebhook, func(api.PutWebhookResult) error) error
	examine     func(context.Context, api.Examine) (api.Examination, error)
	openPage    func(context.Context) (api.PageLink, error)
	stateDir    string
	daemon      api.Daemon
	stop        func()
	log         *slog.Logger
	socket      *routing
	http        *routing             // without what is the daemon's own
	check       func(net.Conn) error // whether a connection may be served
	patience    time.Duration        // streamPatience but in tests

	ofDaemon   bool // what is mounted is the daemon's own
	operations []operation

	open      context.Context // ends when Serve begins to stop
	shut      context.CancelFunc
	reading   context.Context // ends when a stop has waited long enough for the reads
	cutReads  context.CancelFunc
	mutating  context.Context // ends when a stop has waited long enough for the mutations
	cutWrites context.CancelFunc

	bodies  bodies       // of every call
	running atomic.Int64 // calls over the socket
	most    int64        // of them: maxCalls but in tests

	mu              sync.Mutex
	closed          bool // no call may begin
	mutationsClosed bool // and none of those that have begun may become a mutation
	calls           sync.WaitGroup
	mutations       sync.WaitGroup // those of the calls that change something
}

// NewServer returns a Server; it does nothing until Serve.
func NewServer(o ServerOptions) *Server {
	s := &Server{service: o.Service, metrics: o.Metrics, health: o.Health, rotateToken: o.RotateToken, copyOutbox: o.CopyOutbox, examine: o.Examine, listen: o.Listen, openPage: o.OpenPage, stateDir: o.StateDir, daemon: o.Daemon, stop: o.Stop, log: o.Log, check: socket.CheckPeer, patience: streamPatience, bodies: make(bodies, largeBodies), most: maxCalls}
	s.open, s.shut = context.WithCancel(context.Background())
	s.reading, s.cutReads = context.WithCancel(context.Background())
	s.mutating, s.cutWrites = context.WithCancel(context.Background())
	s.socket, s.http = newRouting(s), newRouting(s)
	s.routes()
	return s
}

// Serve serves calls on ln until ctx ends, then closes ln and returns: pairing streams end at once,
// other calls get a short grace, then readers are cut and what changes something is waited for,
// half a minute at most. Close the store after it. It returns nil after such a stop, else why the
// socket failed. Call it once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, cutReads := context.WithCancel(context.WithoutCancel(ctx))
	defer cutReads()
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
	own := netutil.LimitListener(peerListener{Listener: ln, check: s.check, log: s.log}, maxConnections)
	go func() { failed <- srv.Serve(own) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		graceCtx, cancel := context.WithTimeout(base, stopGrace)
		defer cancel()
		_ = srv.Shutdown(graceCtx) // what is still open is cut below
		<-failed                   //nolint:errcheck // it is http.ErrServerClosed
	}
	s.shut()
	cutReads()
	s.cutReads()
	s.awaitCalls() // each may still say why it was cut
	_ = srv.Close()
	return err
}

// serveHTTP serves one call of the control socket.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		panic(http.ErrAbortHandler) // closes the connection without a word
	}
	defer s.calls.Done()
	defer s.running.Add(-1)
	next := http.Handler(s.socket)
	if s.running.Add(1) > s.most && !ofOwner(r) {
		next = http.HandlerFunc(s.refuseCall)
	}
	if r.ContentLength != 0 { // of a body that no handler reads; who reads it sets another
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	agent := agentOf(r.Header)
	agent.Principal = api.PrincipalLocal // nobody else reaches this socket
	s.serveCall(w, r, agent, next)
}

// ofOwner reports whether a call is how the daemon's owner finds and ends it, however many programs
// hold theirs open.
func ofOwner(r *http.Request) bool {
	asked := r.Method + " " + r.URL.Path
	return asked == string(routeDaemon) || asked == string(routeStop)
}

// refuseCall is in the place of the operation while too many calls are open.
func (s *Server) refuseCall(w http.ResponseWriter, _ *http.Request) {
	s.writeError(w, api.Retryf(api.CodeServiceUnavail, "%d calls are open already, the most at a time; end programs that listen or wait, then try again", s.most))
}

// serveCall is around every call: who calls, what it took, and a panic stays in its call.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request, agent Agent, next http.Handler) {
	r = r.WithContext(WithAgent(r.Context(), agent)) // and net/http's own stays as it is
	w.Header().Set(headerVersion, s.daemon.Version)
	body := &watchedBody{ReadCloser: r.Body}
	body.whole.Store(r.ContentLength == 0)
	r.Body = body
	out := &statusRecorder{ResponseWriter: w, body: body, program: agent.Kind == api.CallerHTTP}
	start := time.Now()
	defer func() {
		p, begun := recover(), out.status != 0
		if p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // it is no error but a mark
				panic(p) // the caller is gone, or is to see that the response broke off
			}
			if e := s.panicked(r.Context(), api.PathWithoutURL(r.URL.Path), p); !begun {
				s.writeError(out, e)
			}
		}
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "control call", slog.String("route", api.PathWithoutURL(r.URL.Path)), slog.String("caller", agent.Name),
			slog.Int("status", out.status), slog.Duration("took", time.Since(start)))
		if p != nil && begun {
			// half a response is out: the caller must not take it for a whole one
			panic(http.ErrAbortHandler)
		}
	}()
	next.ServeHTTP(out, r)
}

// statusRecorder keeps the status that was written. A response that comes before the whole body, of
// which nothing more may come, ends the connection: net/http would wait for the rest, before the
// response and after it.
type statusRecorder struct {
	http.ResponseWriter
	status  int
	body    *watchedBody
	program bool // the caller is one
}

// inWordsOf returns what is to be written, with its sentences as the caller understands them: where
// they name a command, a program is told the route.
func inWordsOf(w http.ResponseWriter, body any) any {
	if r, ok := w.(*statusRecorder); ok && r.program {
		return wording.Of(body, wording.ForPrograms)
	}
	return body
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	if !r.body.whole.Load() {
		r.Header().Set("Connection", "close")
		_ = http.NewResponseController(r.ResponseWriter).SetReadDeadline(time.Now().Add(restTimeout))
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// watchedBody notes whether the whole body was read.
type watchedBody struct {
	io.ReadCloser
	whole atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
	}
	return n, err
}

// peerListener refuses connections of other users before a byte of theirs is read.
type peerListener struct {
	net.Listener
	check func(net.Conn) error
	log   *slog.Logger
}

func (l peerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := l.check(conn); err != nil {
			l.log.Warn("control connection refused", "error", err)
			_ = conn.Close()
			continue
		}
		return conn, nil
	}
}

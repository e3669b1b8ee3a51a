package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/outbox/api"
)

// Limits. Each is far above what an honest client needs.
const (
	maxConnections = 256
	maxHeaderBytes = 32 << 10

	metricsTimeout = 20 * time.Second // to gather and to send them
	healthTimeout  = 5 * time.Second

	// wrong tokens that are told of: so many at once, and then one in so long
	wrongBurst = 10
	wrongEvery = 6 * time.Second
)

// limits are those in time; tests have shorter ones.
type limits struct {
	header time.Duration // from connect to the end of the header
	body   time.Duration // of a body that nobody reads; who reads it sets another
	denied time.Duration // of what is left of a refused request
	idle   time.Duration // of a connection between two requests

	// Stopping: streams end at once, other requests get grace to finish, then their contexts end,
	// and they get cutoff to notice.
	grace  time.Duration
	cutoff time.Duration
	retry  time.Duration // between two tries to take the address again
}

func defaultLimits() limits {
	return limits{
		header: 5 * time.Second, body: 30 * time.Second, denied: time.Second, idle: time.Minute,
		grace: 2 * time.Second, cutoff: 2 * time.Second, retry: 5 * time.Second,
	}
}

// Options is what a Server needs. Nil handlers are not served.
type Options struct {
	Listener *Listener
	Token    Token        // not needed where only Page is served
	MCP      http.Handler // at /mcp, streams included
	// ends the streams of MCP and Page, which end by themselves only with their clients; may be nil
	CloseStreams func()
	API          http.Handler // below /v1/
	Metrics      http.Handler // at /metrics
	// below PageRoot; it needs no token, since it has sessions of its own
	Page  http.Handler
	Ready func() string // why no events are taken now, in a word or two; "" when they are
	Log   *slog.Logger
}

// Server serves one Listener. Use New.
type Server struct {
	o     Options
	log   *slog.Logger
	limit limits
	wrong *rate.Limiter

	mu     sync.Mutex
	holds  context.Context // ends when the token is replaced
	expire context.CancelFunc
	down   time.Time // since when the listener is not there; zero when it is
	reason error     // why
}

// New returns a Server; it serves nothing until Run.
func New(o Options) *Server {
	s := &Server{o: o, log: o.Log, limit: defaultLimits(), wrong: rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)}
	s.holds, s.expire = context.WithCancel(context.Background())
	return s
}

// Run serves until ctx ends, and returns nil: a listener that fails is logged, shown as an alarm
// and taken again, and nothing else of the service notices. It returns a few seconds after ctx
// ended at most; a request that ignores the end of its context is left behind. Call it once.
func (s *Server) Run(ctx context.Context) error {
	handler := s.routes()
	for {
		ln, err := s.o.Listener.take()
		if err == nil {
			s.report(nil)
			err = s.serve(ctx, ln, handler)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.report(err)
		timer := time.NewTimer(s.limit.retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// serve serves ln until ctx ends or the listener fails.
func (s *Server) serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           s.withDeadlines(handler),
		ReadHeaderTimeout: s.limit.header,
		IdleTimeout:       s.limit.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	// a connection is a request, so that their cap is one of requests
	srv.Protocols.SetHTTP1(true)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		if s.o.CloseStreams != nil {
			s.o.CloseStreams()
		}
		shutdown(srv, s.limit.grace)
		<-failed //nolint:errcheck // it is http.ErrServerClosed
	}
	cut()
	shutdown(srv, s.limit.cutoff)
	_ = srv.Close()
	return err
}

// shutdown waits for the requests, at most for limit.
func shutdown(srv *http.Server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_ = srv.Shutdown(ctx) // what is still open is cut by the caller
}

// report notes that the listener failed, or works again.
func (s *Server) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && !s.down.IsZero():
		s.log.Info("the HTTP listener works again", "url", s.o.Listener.URL())
		s.down = time.Time{}
	case err != nil && s.down.IsZero():
		s.log.Error("the HTTP listener failed; deliveries go on, and it is tried again", "url", s.o.Listener.URL(), "error", err)
		s.down = time.Now()
	}
	s.reason = err
}

// Alarms tells of a listener that is not there.
func (s *Server) Alarms() []api.Alarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down.IsZero() {
		return nil
	}
	return []api.Alarm{{Code: "http_listener_down", Since: s.down.UTC(), Message: "The HTTP listener on " + s.o.Listener.URL() + " is not there (" + s.reason.Error() +
		"): programs and agents that use it get nothing. Deliveries go on, and it is tried again every few seconds"}}
}

// RotateToken replaces the token: the one before stops working, and what was asked for with it and
// still goes on ends.
func (s *Server) RotateToken() error {
	if err := s.o.Token.Rotate(); err != nil {
		return err
	}
	s.mu.Lock()
	s.expire()
	s.holds, s.expire = context.WithCancel(context.Background())
	s.mu.Unlock()
	s.log.Info("the token of the HTTP listener was replaced")
	return nil
}

// valid returns the context that ends when the token of now is replaced.
func (s *Server) valid() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds
}

// until returns ctx ending with other too; call done when it is needed no more.
func until(ctx, other context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(errReplaced) })
	return ctx, func() { stop(); cancel(nil) }
}

var errReplaced = errors.New("the token was replaced")

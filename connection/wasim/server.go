package wasim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"go.mau.fi/whatsmeow/util/keys"

	"waoutbox/connection/wasim/fault"
	"waoutbox/connection/wasim/noise"
)

// ErrNotLoopback is returned by Listen for an address other machines can reach.
var ErrNotLoopback = errors.New("the simulator listens on loopback only, e.g. 127.0.0.1:0")

// ErrClosed is returned once the server has been closed.
var ErrClosed = errors.New("the simulator is closed")

// Options configure a Server.
type Options struct {
	Log *slog.Logger // nil discards
	// Window is how many stanzas may be unacknowledged on one connection; 0 is 500.
	Window int
}

// Server is the simulated WhatsApp: accounts with their contacts and groups,
// and the websocket their linked companions connect to. All methods are safe
// for concurrent use.
type Server struct {
	log    *slog.Logger
	window int
	keys   *noise.Keys
	// fewPreKeys is for this package's tests: a companion told of one prekey
	// after pairing uploads 50 instead of 812, which is most of a test's time.
	fewPreKeys bool

	ctx    context.Context // ends with Close; every connection derives from it
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine and connection

	pairFaults pairFaults

	mu       sync.Mutex
	changed  notifier // unlinked clients and accounts
	closed   bool
	addr     string
	http     *http.Server
	accounts []*Account
	unlinked map[*conn]struct{} // connected, showing a QR
	refuse   int                // failure code for clients that are not linked
	nextLID  int64
	revision atomic.Uint32 // the least of a client's version

	plan           fault.Plan         // for every connection
	clock          atomic.Int64       // offset of the simulated world from the real time
	media          map[string]*Medium // by direct path
	sentMedia      []*Medium          // of contacts
	uploads        int                // of companions
	uploadCutAfter int64              // bytes of an upload before it is cut
	uploadCuts     int                // how many uploads are cut
}

// New makes a server with a fresh root key. It starts nothing.
func New(o Options) (*Server, error) { return newServer(o, keys.NewKeyPair()) }

func newServer(o Options, root *keys.KeyPair) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k, err := noise.NewKeys(root, time.Now())
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Log, window: cmp.Or(o.Window, defaultWindow), keys: k, unlinked: make(map[*conn]struct{}), media: make(map[string]*Medium)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Listen serves the websocket and the control API on a loopback address such
// as "127.0.0.1:0" and returns once connections are accepted. It may be called
// once.
func (s *Server) Listen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen on %q: %w", addr, ErrNotLoopback)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.http != nil {
		return fmt.Errorf("listen on %q: already listening on %s", addr, s.addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/chat", s.serveWebsocket)
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.Handle("/control/v1/", s.controlHandler())
	s.mediaRoutes(mux)
	s.addr = l.Addr().String()
	s.http = &http.Server{Handler: s.dated(mux), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return s.ctx }}
	srv := s.http
	s.wg.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serving ended", "error", err)
		}
	})
	return nil
}

// dated has responses tell the time as stanzas do, see SetClock.
func (s *Server) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

// URL is where a client connects; empty before Listen.
func (s *Server) URL() string { return s.url("ws", "/ws/chat") }

// ControlURL is the root of the control API; empty before Listen.
func (s *Server) ControlURL() string { return s.url("http", "/control/v1") }

func (s *Server) url(scheme, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr == "" {
		return ""
	}
	return scheme + "://" + s.addr + path
}

// RootKey is the public root key as 64 hex digits: what a client must trust
// instead of WhatsApp's own.
func (s *Server) RootKey() string { return s.keys.RootHex() }

// Refuse lets every further connection of a client that is not linked end with
// <failure reason=code>; 0 accepts again. Linked clients: Account.Refuse.
func (s *Server) Refuse(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = code
}

// Close drops every connection, stops serving and waits for all goroutines.
// Idempotent.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	srv := s.http
	s.mu.Unlock()
	s.cancel()
	var err error
	if srv != nil {
		err = srv.Close()
	}
	s.wg.Wait()
	return err
}

// start runs f in a goroutine that Close waits for; false when closed.
func (s *Server) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// hold lets Close wait for the calling goroutine, which http.Server started,
// until release; false when closed.
func (s *Server) hold() (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.wg.Add(1)
	return s.wg.Done, true
}

func (s *Server) serveWebsocket(w http.ResponseWriter, r *http.Request) {
	release, ok := s.hold()
	if !ok {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer release()
	// the Origin is WhatsApp Web's
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.log.Warn("websocket refused", "error", err)
		return
	}
	c := newConn(s.ctx, ws)
	c.start, c.plans = s.start, []*fault.Plan{&s.plan}
	defer c.close()
	if err := c.handshake(s.keys); err != nil {
		s.log.Warn("noise handshake failed", "error", err)
		return
	}
	if s.outdated(c) {
		s.fail(c, 405, nil)
		return
	}
	if c.Payload.GetDevicePairingData() != nil {
		s.serveUnlinked(c)
		return
	}
	s.serveLinked(c)
}

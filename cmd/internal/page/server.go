// Package page is the operator's page: what `waoutbox open` shows. Everything is rendered on the
// server from what the service returns, one file a page, and is whole without script; page.js adds
// dialogs and what changes by itself. Package view has the words.
//
// A page is for whoever used a link that the control socket gave out: a session in memory, known by
// a cookie that no script reads and no other site's request carries.
package page

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Service is the part of api.Service that the page shows and changes.
type Service interface {
	Status(ctx context.Context) (api.Status, error)
	Webhook(ctx context.Context, ref string) (api.Webhook, error)
	WebhookActivity(ctx context.Context, ref string) (api.WebhookActivity, error)
	RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error)
	TestWebhook(ctx context.Context, in api.TestWebhook) (api.TestWebhookResult, error)
	PauseWebhook(ctx context.Context, ref string) (api.WebhookState, error)
	ResumeWebhook(ctx context.Context, in api.ResumeWebhook) (api.WebhookState, error)
	RotateSecret(ctx context.Context, in api.RotateSecret) (api.RotateSecretResult, error)
	Audit(ctx context.Context, q api.AuditQuery) (api.AuditPage, error)

	DeadLetterSummary(ctx context.Context, f api.DeadLetterFilter) ([]api.DeadLetterGroup, error)
	DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error)
	DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error)
	Purge(ctx context.Context, in api.PurgeRequest) (api.PurgeResult, error)
	StartReplay(ctx context.Context, in api.StartReplay) (api.StartReplayResult, error)
	Replays(ctx context.Context) ([]api.ReplayRun, error)
	StopReplay(ctx context.Context, in api.StopReplay) ([]api.ReplayRun, error)

	Events(ctx context.Context, q api.EventQuery) (api.EventPage, error)
	Event(ctx context.Context, ref string) (api.EventDetail, error)
	ReplayEvents(ctx context.Context, in api.ReplayEvents) (api.StartReplayResult, error)

	Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error
	ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error)
	Unpair(ctx context.Context, in api.UnpairRequest) (api.UnpairResult, error)
	Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error)
	Connect(ctx context.Context) (api.Link, error)
	Disconnect(ctx context.Context) (api.Link, error)
}

// Options is what a Server needs. All but Arrivals and LastMinute are required.
type Options struct {
	Service Service
	// Caller returns ctx with the page as the caller of what is done under it; client names the
	// session, for the audit trail.
	Caller func(ctx context.Context, client string) context.Context
	// Command returns a command line of this program on this state, for people to copy.
	Command func(words ...string) string
	// Arrivals counts the events of each of the last 60 minutes, the oldest first, and LastMinute
	// those of the last 60 seconds; nil: not known
	Arrivals   func(now time.Time) []int64
	LastMinute func(now time.Time) int64
	Place      string // the state directory as people write it
	Version    string
	Started    time.Time
	Events     []string // the names of all events
	Log        *slog.Logger
}

// Server serves the page below Root. Use New. Safe for concurrent use.
type Server struct {
	o         Options
	sessions  *sessions
	templates map[string]*template.Template
	policy    string // of contents
	mux       *http.ServeMux
	zone      *time.Location
	streams   chan struct{} // holds one element for each that is open

	pairings pairings
	groups   groups
	// of the account
	groupNames groupNames
	searching  sync.WaitGroup // searches

	ctx   context.Context // ends with Close
	close context.CancelFunc
}

// Root is the path that everything of the page lies below.
const Root = "/page/"

// maxStreams bounds the open streams of all sessions.
const maxStreams = 64

// New returns a Server that nobody has a session of.
func New(o Options) (*Server, error) {
	templates, err := parseTemplates(o.Command)
	if err != nil {
		return nil, err
	}
	policy, err := contentPolicy()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, sessions: newSessions(), templates: templates, policy: policy, zone: time.Local, streams: make(chan struct{}, maxStreams)} //nolint:gosmopolitan // the machine's zone is what its operator reads
	s.ctx, s.close = context.WithCancel(context.Background())
	s.mux = s.routes()
	return s, nil
}

// Link makes a link that opens one session at the listener whose URL is base, like
// http://127.0.0.1:8080. It can be used once, within five minutes.
func (s *Server) Link(base string) api.PageLink {
	token, until := s.sessions.link()
	return api.PageLink{URL: base + Root + "open?k=" + token, ExpiresAt: until.UTC().Truncate(time.Second)}
}

// Close ends the streams, which end by themselves only with their browsers, what follows a pairing
// session, searches, and the question for the names of groups, and waits for that. Pages go on.
func (s *Server) Close() {
	s.close()
	s.pairings.running.Wait()
	s.groupNames.running.Wait()
	s.searching.Wait()
}

// contained runs f, which no request waits for. A panic ends f alone, with an error.
func (s *Server) contained(doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("the page panicked", "doing", doing, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			err = api.Errorf(api.CodeInternal, "something went wrong inside waoutbox (%s); its log has more: %s", doing, s.o.Command("logs"))
		}
	}()
	return f()
}

// ServeHTTP serves what lies below Root. Whoever calls it has checked Host and Origin.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header(), r, s.policy)
	s.mux.ServeHTTP(w, r)
}

// routes is everything that is served, on one screen.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET "+Root+"assets/{name}", s.serveAsset)
	m.HandleFunc("GET "+Root+"open", s.openSession)
	get := func(path string, h handler) { m.HandleFunc("GET "+Root+path, s.read(h)) }
	post := func(path string, h handler) { m.HandleFunc("POST "+Root+path, s.change(h)) }
	for _, p := range s.pages() {
		get(p.path, s.shown(p))
	}
	m.HandleFunc("GET "+Root+"stream", s.within(0, s.stream))
	get("glance", s.glance)
	post("settings", s.choose)
	post("end", s.endSession)

	post("webhooks/{id}/test", s.testWebhook)
	for _, d := range s.dialogs() {
		get(d.path, s.asked(d))
		post(d.path, s.answered(d))
	}
	post("deadletters/stop", s.stopReplay)
	post("search/stop", s.stopSearch)

	post("link/pair", s.startPairing)
	post("link/code", s.startPairingByCode)
	post("link/continue", s.continuePairing)
	post("link/connect", s.connect)
	post("link/disconnect", s.disconnect)
	m.HandleFunc(Root, s.read(func(c *call) error {
		return &notFound{"There is no such page."}
	}))
	return m
}

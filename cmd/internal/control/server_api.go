package control

import (
	"context"
	_ "embed"
	"io"
	"net/http"
	"strconv"
	"time"

	"waoutbox/outbox/api"
)

// openAPI is docs/openapi.json.
//
//go:embed openapi.json
var openAPI string

// handleOpenAPI describes the operations to programs.
func (s *Server) handleOpenAPI(w http.ResponseWriter, r *http.Request) {
	if err := s.readRequest(w, r, string(routeOpenAPI), &none{}); err != nil {
		s.writeError(w, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(openAPI)))
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, openAPI) // a caller that went away needs no response
}

// httpAgent is the name of a program that calls by HTTP without giving one.
const httpAgent = "http"

// API returns the handler of what programs may ask for over another listener than the control
// socket: the operations under /v1 but the daemon's own. The listener decides who may call, which
// hosts and origins it serves, and how many; everything else is as on the socket: a call is waited
// for when the server stops, and what changes something runs to its end. A caller that gives no
// name is "http".
func (s *Server) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			s.writeError(w, s.stoppedError())
			return
		}
		defer s.calls.Done()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.reading, cancel)()
		agent := agentOf(r.Header)
		agent.Kind = api.CallerHTTP // whatever it says of itself
		if agent.Name == "" {
			agent.Name = httpAgent
		}
		s.serveCall(w, r.WithContext(ctx), agent, s.http)
	})
}

// The daemon's own beside its HTTP listener: what that says of the service's health, its token, and
// links to the operator's page.
const (
	routeHealthz     route[none, file] = "GET /healthz"
	routeReadyz      route[none, file] = "GET /readyz"
	routeRotateToken route[none, none] = "POST /v1/http-token/rotate"

	routeOpenPage route[none, api.PageLink] = "POST /v1/page/open"
)

// routesOfListener mounts them.
func (s *Server) routesOfListener() {
	if s.health != nil {
		mount(s, routeHealthz, http.HandlerFunc(s.health.ServeHTTP))
		mount(s, routeReadyz, http.HandlerFunc(s.health.ServeHTTP))
	}
	if s.rotateToken != nil {
		mutate(s, routeRotateToken, func(ctx context.Context, _ none) (none, error) { return none{}, s.rotateToken(ctx) })
	}
	if s.openPage != nil {
		mutate(s, routeOpenPage, func(ctx context.Context, _ none) (api.PageLink, error) { return s.openPage(ctx) })
	}
}

// RotateHTTPToken replaces the token of the HTTP listener: the one before stops working at once.
func (c *Client) RotateHTTPToken(ctx context.Context) error {
	_, err := call(ctx, c, routeRotateToken, none{})
	return err
}

// OpenPage asks for a link to the operator's page.
func (c *Client) OpenPage(ctx context.Context) (api.PageLink, error) {
	return call(ctx, c, routeOpenPage, none{})
}

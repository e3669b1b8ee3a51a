package httpserver

import (
	"io"
	"net/http"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// PageRoot is the path that the operator's page lies below.
const PageRoot = "/page/"

// routes is everything that is served, and for whom. It redirects nowhere: a path is what it is.
func (s *Server) routes() http.Handler {
	health := Health(s.o.Ready)
	secret := s.authorized(http.HandlerFunc(s.serveSecret))
	return s.guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/healthz" || path == "/readyz":
			// whoever has no token keeps no connection: there are only so many
			w.Header().Set("Connection", "close")
			health.ServeHTTP(w, r)
		case s.o.Page != nil && strings.HasPrefix(path, PageRoot):
			s.o.Page.ServeHTTP(w, r)
		// agents look there for how to get a token when they lack one; this is none to ask for
		case strings.HasPrefix(path, "/.well-known/"):
			s.noRoute(w, r)
		case s.o.MCP == nil && s.o.API == nil && s.o.Metrics == nil:
			s.noRoute(w, r)
		default:
			secret.ServeHTTP(w, r)
		}
	}))
}

// serveSecret serves who has the token.
func (s *Server) serveSecret(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/mcp" && s.o.MCP != nil:
		s.o.MCP.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/v1/") && s.o.API != nil:
		s.o.API.ServeHTTP(w, r)
	case path == "/metrics" && s.o.Metrics != nil:
		if !isGet(w, r) {
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(metricsTimeout))
		s.o.Metrics.ServeHTTP(w, r)
	default:
		s.noRoute(w, r)
	}
}

func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	_, command := s.tokenFor(r)
	deny(w, http.StatusNotFound, api.Errorf(codeNoRoute, "nothing is here. This listener has /mcp for agents, /v1/ for programs (see /v1/openapi.json), /metrics, /healthz and /readyz; "+
		"its token is one that `%s` tells of, and no OAuth", command))
}

// isGet reports whether a request only reads, and refuses it otherwise.
func isGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	deny(w, http.StatusMethodNotAllowed, api.Errorf(codeMethod, "%s takes GET", api.PathWithoutURL(r.URL.Path)))
	return false
}

// Health serves /healthz and /readyz. The first says that the service lives; the second whether it
// takes events: 200 ok, or 503 with what ready returns, why it takes none. Neither needs a token,
// so that must be a word or two of a fixed set. Ready must not block.
func Health(ready func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isGet(w, r) {
			return
		}
		status, text := http.StatusOK, "ok"
		if r.URL.Path == "/readyz" {
			if why := ready(); why != "" {
				status, text = http.StatusServiceUnavailable, "not ready: "+why
			}
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(healthTimeout))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text+"\n") // a caller that went away needs no response
	})
}

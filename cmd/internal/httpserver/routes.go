package httpserver

import (
	"io"
	"net/http"
	"time"

	"waoutbox/outbox/api"
)

// routes is everything that is served, and for whom.
func (s *Server) routes() http.Handler {
	secret := http.NewServeMux()
	mount := func(pattern string, h http.Handler) {
		if h != nil {
			secret.Handle(pattern, h)
		}
	}
	mount("/mcp", s.o.MCP)
	mount("/v1/", s.o.API)
	if s.o.Metrics != nil {
		secret.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(metricsTimeout))
			s.o.Metrics.ServeHTTP(w, r)
		})
	}
	secret.HandleFunc("/", noRoute)

	open := http.NewServeMux()
	health := Health(s.o.Ready)
	open.Handle("/healthz", health)
	open.Handle("/readyz", health)
	// Agents look there for how to get a token when they lack one: it is none that is asked for.
	open.HandleFunc("/.well-known/", noRoute)
	open.Handle("/", s.authorized(secret))
	return s.guarded(open)
}

func noRoute(w http.ResponseWriter, _ *http.Request) {
	deny(w, http.StatusNotFound, api.Errorf(codeNoRoute, "nothing is here. This listener has /mcp for agents, /v1/ for programs (see /v1/openapi.json), /metrics, /healthz and /readyz; "+
		"its token is one that `waoutbox http-token` tells of, and no OAuth"))
}

// Health serves /healthz and /readyz. The first says that the service lives; the second whether it
// takes events: 200 ok, or 503 with what ready returns, why it takes none. Neither needs a token,
// so that must be a word or two of a fixed set. Ready must not block.
func Health(ready func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			deny(w, http.StatusMethodNotAllowed, api.Errorf(codeMethod, "this takes GET"))
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

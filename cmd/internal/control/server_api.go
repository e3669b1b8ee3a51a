package control

import (
	"context"
	"net/http"

	"waoutbox/outbox/api"
)

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

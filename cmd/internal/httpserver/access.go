package httpserver

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// Codes of what is refused before an operation is reached.
const (
	codeUnauthorized api.Code = "unauthorized"
	codeHost         api.Code = "host_not_allowed"
	codeOrigin       api.Code = "origin_not_allowed"
	codeNoRoute      api.Code = "unknown_route"
	codeMethod       api.Code = "method_not_allowed"
)

// deny ends a request with an error, and its connection with it.
func deny(w http.ResponseWriter, status int, e *api.Error) {
	raw, _ := json.Marshal(map[string]*api.Error{"error": e}) // strings always marshal
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // a caller that went away needs no response
}

// guarded lets pass only what is sent to this listener, and by no page of another one. Together
// with the token that is what keeps pages in a browser out, those behind a name that leads here
// included.
func (s *Server) guarded(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !s.o.Listener.serves(host, local) {
			deny(w, http.StatusForbidden, api.Errorf(codeHost, "the request is for another host than this listener's. Call it by its address, or name that host in the setting http-hosts"))
			return
		}
		// Check lets all methods pass that should change nothing; an agent's stream is one of them.
		if !sameOrigin(r) || crossOrigin.Check(r) != nil {
			deny(w, http.StatusForbidden, api.Errorf(codeOrigin, "a page of another origin cannot use this listener"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin reports whether a request was sent by no page, or by one of its own host.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// authorized lets pass only what has the token. A request ends early when the token is replaced.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		valid := s.valid() // before the token is read: a rotation in between ends the request
		given, some := bearer(r.Header)
		good := false
		if some {
			var err error
			if good, err = s.o.Token.matches(given); err != nil {
				s.log.Error("the token of the HTTP listener cannot be read", "error", err)
				_, command := s.tokenFor(r)
				deny(w, http.StatusServiceUnavailable, api.Retryf(api.CodeServiceUnavail,
					"the token of this listener cannot be read. Make a new one: %s rotate", command))
				return
			}
		}
		if !good {
			s.refuse(w, r, some)
			return
		}
		ctx, done := until(r.Context(), valid)
		defer done()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// refuse is the response to a request without the token. Wrong ones are limited: the token cannot
// be guessed, and a client that goes on with an old one shall not fill the log.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, some bool) {
	where, command := s.tokenFor(r)
	hint := fmt.Sprintf("It is %s; `%s` says how to use it. Send it as the header Authorization: Bearer TOKEN", where, command)
	if !some {
		w.Header().Set("WWW-Authenticate", `Bearer realm="waoutbox"`)
		deny(w, http.StatusUnauthorized, api.Errorf(codeUnauthorized, "this listener wants its token. %s", hint))
		return
	}
	if !s.wrong.Allow() {
		w.Header().Set("Retry-After", "60")
		deny(w, http.StatusTooManyRequests, api.Retryf(api.CodeRateLimited, "too many requests with a wrong token. %s", hint))
		return
	}
	s.log.Warn("a request with a wrong token was refused", "from", r.RemoteAddr)
	w.Header().Set("WWW-Authenticate", `Bearer realm="waoutbox", error="invalid_token"`)
	deny(w, http.StatusUnauthorized, api.Errorf(codeUnauthorized, "that is not this listener's token. %s", hint))
}

// tokenFor says where the token is, and the command that tells of it. Who is not on this machine
// does not learn where the state is.
func (s *Server) tokenFor(r *http.Request) (where, command string) {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && from.Addr().Unmap().IsLoopback() && s.o.Token.Path() != "" {
		return "in " + s.o.Token.Path(), term.Command(filepath.Dir(s.o.Token.Path()), "http-token")
	}
	return "in the file " + TokenFile + " of its state directory", "waoutbox http-token"
}

// bearer returns what a request gives as its token.
func bearer(h http.Header) (token string, some bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", len(values) > 0
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

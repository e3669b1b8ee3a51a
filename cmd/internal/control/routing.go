package control

import (
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

// operation is what is mounted, for the description of it.
type operation struct {
	pattern string
	in, out reflect.Type
}

// mount gives an operation its handler.
func mount[In, Out any](s *Server, pattern route[In, Out], h http.HandlerFunc) {
	s.socket.add(string(pattern), h)
	if s.ofDaemon {
		return
	}
	s.http.add(string(pattern), h)
	s.operations = append(s.operations, operation{string(pattern), reflect.TypeFor[In](), reflect.TypeFor[Out]()})
}

// routing finds the handler of a request. It redirects nowhere: a path is what it is.
type routing struct {
	server *Server
	mux    *http.ServeMux
	plain  map[string][]string // paths without wildcards → their methods
}

func newRouting(s *Server) *routing {
	return &routing{server: s, mux: http.NewServeMux(), plain: map[string][]string{}}
}

func (t *routing) add(pattern string, h http.Handler) {
	t.mux.Handle(pattern, h)
	if method, path, _ := strings.Cut(pattern, " "); !strings.Contains(path, "{") {
		t.plain[path] = append(t.plain[path], method)
	}
}

func (t *routing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	clean := path.Clean(r.URL.EscapedPath()) == r.URL.EscapedPath()
	if allow := t.methods(r); clean && slices.Contains(allow, r.Method) {
		t.mux.ServeHTTP(w, r)
	} else if clean && len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		t.server.writeError(w, api.Errorf(codeMethodNotAllowed, "%s takes no %s: use %s", api.PathWithoutURL(r.URL.Path), r.Method, strings.Join(allow, " or ")))
	} else {
		t.server.writeError(w, api.Errorf(codeUnknownRoute, "waoutbox %s has no %s %s; GET /v1/openapi.json lists what there is", t.server.daemon.Version, r.Method, api.PathWithoutURL(r.URL.Path)))
	}
}

// methods returns the methods that a request's path takes. The name of an operation, such as
// /v1/events/replay, is no id of an event.
func (t *routing) methods(r *http.Request) []string {
	found := map[string]bool{}
	for _, m := range t.plain[r.URL.Path] {
		found[m] = true
	}
	if len(found) == 0 {
		for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			probe := *r
			probe.Method = m
			if _, pattern := t.mux.Handler(&probe); pattern != "" {
				found[m] = true
			}
		}
	}
	if found[http.MethodGet] {
		found[http.MethodHead] = true
	}
	return slices.Sorted(maps.Keys(found))
}

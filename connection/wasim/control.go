package wasim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// maxBody bounds the body of a control request; none comes near it.
const maxBody = 1 << 20

// errUnknown marks a name that no account, contact or group has.
var errUnknown = errors.New("unknown")

// route is one operation of the control API.
type route struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Does   string `json:"does"`
	Takes  string `json:"takes,omitempty"` // an example of the JSON body, or of the query
	run    func(ctx context.Context, s *Server, in request) (any, error)
}

// request is every argument a route may take: the JSON body, or the query of a
// GET. Unknown names are refused.
type request struct {
	Account string   `json:"account"` // phone or name; may be left out while there is one
	Phone   string   `json:"phone"`
	Name    string   `json:"name"`
	Address string   `json:"addressing"` // lid, pn or pn-alone
	Subject string   `json:"subject"`
	Members []string `json:"members"`
	QR      string   `json:"qr"`
	// contact by name, phone or JID; "phone" is the account's own
	From      string          `json:"from"`
	To        string          `json:"to"`
	Group     string          `json:"group"` // JID or subject
	Text      string          `json:"text"`
	Message   json.RawMessage `json:"message"` // waE2E.Message in protobuf JSON, instead of text
	Count     int             `json:"count"`
	Type      string          `json:"type"`
	Types     []string        `json:"types"`
	IDs       []string        `json:"ids"`
	Available bool            `json:"available"`
	LastSeen  int64           `json:"last_seen"` // Unix seconds, 0 hidden
	State     string          `json:"state"`
	Action    string          `json:"action"`
	By        string          `json:"by"`
	Who       []string        `json:"who"`
	Code      string          `json:"code"`
	Contact   string          `json:"contact"`
	Class     string          `json:"class"`
	After     int             `json:"after"`
	For       string          `json:"for"`

	Form   Form            `json:"form"`
	Fault  json.RawMessage `json:"fault"`
	Node   json.RawMessage `json:"node"`
	ID     string          `json:"id"`
	At     int64           `json:"at"` // Unix seconds
	On     bool            `json:"on"`
	Order  string          `json:"order"`
	Video  bool            `json:"video"`
	Notice bool            `json:"notice"`
	Reason string          `json:"reason"`
	// channel by JID or name
	Channel string `json:"channel"`
	// media
	Kind         string `json:"kind"`
	Caption      string `json:"caption"`
	FileName     string `json:"filename"`
	MIME         string `json:"mime"`
	Data         []byte `json:"data"`
	Size         int64  `json:"size"`
	Status       int    `json:"status"`
	Cut          int64  `json:"cut"`
	IgnoreRanges bool   `json:"ignore_ranges"`
	Damage       bool   `json:"damage"`
}

func (s *Server) routes() []route {
	var list []route
	for _, family := range [][]route{
		setupRoutes(), messageRoutes(), settingRoutes(), groupRoutes(), channelRoutes(), callRoutes(), linkRoutes(), pairRoutes(), faultRoutes(),
		mediaControlRoutes(), readRoutes(),
	} {
		list = append(list, family...)
	}
	return list
}

// controlHandler serves the control API below /control/v1/.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	list := s.routes()
	mux.HandleFunc("GET /control/v1/{$}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"routes": list})
	})
	for _, r := range list {
		mux.HandleFunc(r.Method+" /control/v1"+r.Path, func(w http.ResponseWriter, req *http.Request) { s.serveControl(w, req, r) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// A web page must not drive the simulator: neither cross-site nor by a
		// name that resolves to loopback.
		if req.Header.Get("Origin") != "" || !loopbackHost(req.Host) {
			reply(w, http.StatusForbidden, map[string]string{"error": "the control API is not for browsers"})
			return
		}
		mux.ServeHTTP(w, req)
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (s *Server) serveControl(w http.ResponseWriter, req *http.Request, r route) {
	release, ok := s.hold()
	if !ok {
		reply(w, http.StatusServiceUnavailable, map[string]string{"error": ErrClosed.Error()})
		return
	}
	defer release()
	in, err := readRequest(req)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"error": err.Error(), "takes": r.Takes})
		return
	}
	out, err := r.run(req.Context(), s, in)
	if err != nil {
		reply(w, statusOf(err), map[string]string{"error": err.Error()})
		return
	}
	if out == nil {
		out = map[string]bool{"ok": true}
	}
	reply(w, http.StatusOK, out)
}

func readRequest(req *http.Request) (request, error) {
	var in request
	if req.Method == http.MethodGet {
		return in, readQuery(req, &in)
	}
	dec := json.NewDecoder(io.LimitReader(req.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return in, fmt.Errorf("the body is not the JSON this route takes: %w", err)
	}
	return in, nil
}

// readQuery fills a request from the query: strings as they are, numbers bare.
func readQuery(req *http.Request, into *request) error {
	fields := make(map[string]any)
	for name, values := range req.URL.Query() {
		fields[name] = values[0]
		if name == "after" || name == "count" {
			fields[name] = json.Number(values[0])
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("read the query: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read the query: %w", err)
	}
	return nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errUnknown):
		return http.StatusNotFound
	case errors.Is(err, ErrNotLinked), errors.Is(err, ErrAlreadyLinked), errors.Is(err, ErrNotOnline):
		return http.StatusConflict
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout
	case errors.Is(err, ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(body) //nolint:errcheck // the caller is gone, nobody is left to tell
}

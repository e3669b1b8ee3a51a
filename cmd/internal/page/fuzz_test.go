package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Where the page is asked for.
const (
	host = "127.0.0.1:8080"
	base = "http://" + host
)

// asked is a request for what is at u below the page, of the session of the cookie.
func asked(method string, u *url.URL, body, cookie string) *http.Request {
	r := httptest.NewRequest(method, base+Root, strings.NewReader(body))
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host = u.Path, u.RawPath, u.RawQuery, host
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {base}, "Cookie": {"waoutbox_page_8080=" + cookie}}
	return r
}

// FuzzPage: whatever is asked for with a session of the page, it is a page that runs nothing of
// what was sent; and without one, or in a form that it did not make, nothing is done.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		"", "events?q=x&from=2026-01-02T03:04&outcome=dead", "deadletters?url=wh_1&reason=503&until=x&q=evt_7", "webhooks/wh_9QRT", "webhooks/..%2f", "deadletters/replay?id=dl_1&id=dl_2&rate=NaN", "deadletters/purge?all=1&typed=1204",
		"audit?before=x&who=<script>", "link", "open?k=x", "assets/page.js", "assets/..%2f", "stream", "settings?back=//evil.example", "events/replay?id=evt_7&webhook=wh_7K2M", "webhooks/wh_9QRT/pause",
	} {
		f.Add(seed, "id=dl_1&back=/page/events&hide=1&typed=42&phone=15550100123")
		f.Add(seed, "back=%2f%2fevil.example&all=1")
	}
	s := newPage(f, everything())
	f.Fuzz(func(t *testing.T, path, form string) {
		if strings.HasPrefix(path, "stream") || strings.HasPrefix(path, "link/") {
			return // these go on with their callers
		}
		service := everything()
		s.o.Service, s.sessions = service, newSessions()
		u, err := url.ParseRequestURI(Root + path)
		if err != nil {
			return
		}
		token, _ := s.sessions.link()
		cookie, _, ok := s.sessions.use(token)
		if !ok {
			t.Fatal("no session")
		}
		ask := func(method, body, cookie string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, asked(method, u, body, cookie))
			return w
		}
		for _, w := range []*httptest.ResponseRecorder{ask("POST", form, cookie), ask("POST", form+"&csrf=x", cookie), ask("POST", form, "x"), ask("GET", "", "x")} {
			if w.Code < 300 && !strings.HasPrefix(path, "assets/") || service.done() != "" {
				t.Errorf("%q %q is done: %d %s", path, form, w.Code, w.Body)
			}
		}
		w := ask("GET", "", cookie)
		got := w.Body.String()
		if w.Code >= 500 || service.done() != "" {
			t.Errorf("%q: %d %s", path, w.Code, got)
		}
		if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%q leads to %q", path, to)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && (strings.Contains(got, "<img src=x") || strings.Contains(got, "<script>") || strings.ContainsRune(got, '\u202e')) {
			t.Errorf("%q runs what was sent:\n%s", path, got)
		}
	})
}

// FuzzForm: whatever a form of the session holds, it is done, refused or asked again, and leads
// to no other origin.
func FuzzForm(f *testing.F) {
	for _, path := range []string{
		"webhooks/wh_9QRT/pause", "webhooks/wh_9QRT/resume", "webhooks/wh_9QRT/rotate", "webhooks/wh_9QRT/remove", "webhooks/wh_9QRT/test", "deadletters/replay", "deadletters/purge", "deadletters/stop", "events/replay", "settings", "link/unpair", "link/connect", "end",
	} {
		f.Add(path, "id=dl_1&all=1&typed=1204&rate=1e9&until=x&webhook=wh_7K2M&back=//evil.example&number=1&overlap=1h")
		f.Add(path, "back=/page/events?x=1&hide=1&exact=1&rate=-1&keep=1&q=evt_7")
	}
	s := newPage(f, everything())
	f.Fuzz(func(t *testing.T, path, form string) {
		if strings.HasPrefix(path, "link/pair") || strings.HasPrefix(path, "link/code") {
			return // the pairing goes on
		}
		s.o.Service, s.sessions = everything(), newSessions()
		u, err := url.ParseRequestURI(Root + path)
		if err != nil {
			return
		}
		token, _ := s.sessions.link()
		cookie, began, _ := s.sessions.use(token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, asked("POST", u, form+"&csrf="+url.QueryEscape(began.csrf), cookie))
		if w.Code >= 500 {
			t.Errorf("%q %q: %d %s", path, form, w.Code, w.Body)
		}
		if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(strings.SplitN(to, "?", 2)[0], "\\\r\n")) {
			t.Errorf("%q %q leads to %q", path, form, to)
		}
	})
}

package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

//go:embed templates assets
var files embed.FS

// shown is what a page shows: its title, and the model of its template.
type shown struct {
	Title string
	Model any
}

// page is one page: how it is made, and what of it changes by itself.
type page struct {
	name  string // of its template, which the stream is asked for by
	path  string // below Root, as a pattern
	nav   string // which entry of the navigation it belongs to
	build func(c *call) (shown, error)
	// templates of what changes by itself, each one element with the template's name as its id
	parts []string
	every time.Duration // how often they are looked at
}

func (s *Server) pages() []page {
	return []page{
		{name: "overview", path: "{$}", nav: "overview", build: (*call).overview, parts: []string{"head", "alarms", "facts", "hooks", "hour"}, every: 2 * time.Second},
		{name: "webhook", path: "webhooks/{id}", nav: "overview", build: (*call).webhook, parts: []string{"head", "why", "replays", "hour", "attempts", "dead"}, every: 2 * time.Second},
		{name: "deadletters", path: "deadletters", nav: "deadletters", build: (*call).deadLetters, parts: []string{"head", "replays", "searching", "reasons", "matching", "matches"}, every: time.Second},
		{name: "deadletter", path: "deadletters/{id}", nav: "deadletters", build: (*call).deadLetter},
		{name: "live", path: "live", nav: "live", build: (*call).live, parts: []string{"rate"}, every: 500 * time.Millisecond},
		{name: "events", path: "events", nav: "events", build: (*call).events, parts: []string{"replays", "searching"}, every: time.Second},
		{name: "audit", path: "audit", nav: "audit", build: (*call).audit},
		{name: "link", path: "link", nav: "link", build: (*call).link, parts: []string{"pairing"}, every: time.Second},
	}
}

// address is where the page is whose stream has this query.
func (p page) address(q url.Values) string {
	at := strings.NewReplacer("{$}", "", "{id}", pathEscape(q.Get("id"))).Replace(p.path)
	for _, name := range []string{"of", "id", "after", "hidden", "searching"} {
		q.Del(name)
	}
	return query(Root+at, q)
}

// pageOf returns the page of a name.
func (s *Server) pageOf(name string) (page, bool) {
	for _, p := range s.pages() {
		if p.name == name {
			return p, true
		}
	}
	return page{}, false
}

// shown serves a page.
func (s *Server) shown(p page) handler {
	return func(c *call) error {
		what, err := p.build(c)
		if err != nil {
			return err
		}
		return c.renderPage(p, what)
	}
}

// parseTemplates reads every template: layout.html and parts.html belong to each of them. command
// is that of Options.
func parseTemplates(command func(words ...string) string) (map[string]*template.Template, error) {
	style, err := files.ReadFile(styleSheet)
	if err != nil {
		return nil, err
	}
	base, err := template.New("layout").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, "command": command,
		"count": term.Count, "plural": term.Plural, "address": view.AddressOf, "reason": view.Reason, "line": view.Line, "took": view.Took, "pair": pair,
		"asset": asset, "lines": view.Text, "clean": term.Clean, "esc": pathEscape, "words": words, "option": isOption, "len64": func(s string) int64 { return int64(len(s)) },
	}).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		short := strings.TrimSuffix(path.Base(name), ".html")
		if short == "layout" || short == "parts" {
			continue
		}
		one, err := base.Clone()
		if err == nil {
			one, err = one.ParseFS(files, name)
		}
		if err != nil {
			return nil, err
		}
		out[short] = one
	}
	return out, nil
}

// pair gives a template two values.
func pair(a, b any) map[string]any { return map[string]any{"A": a, "B": b} }

// frame is what every page has around its own.
type frame struct {
	Title, Nav, Back string
	Link             view.State
	Account          string
	Alarms           int
	Dead             int64
	Unread           string // why the status cannot be read, so that the four above are not known
	Version          string
	Up               view.Time
	StateDir, Zone   string
	CSRF             string
	Hide, Exact      bool
	Stream           string // where what changes comes from; "" nothing does
	Notice           *notice
	Now              string
	// without script the page is loaded anew after so many seconds; 0: it is not
	Reload int
}

// Alarmed says how many alarms there are, "" for none.
func (f frame) Alarmed() string {
	if f.Alarms == 0 {
		return ""
	}
	return term.Plural(int64(f.Alarms), "alarm", "alarms")
}

// OwnTitle is the title of the page without the alarms, which the overview's own title names.
func (f frame) OwnTitle() string {
	if f.Title == f.Alarmed() {
		return ""
	}
	return f.Title
}

// TabTitle is the title of the browser's tab: alarms first, whatever page it is of.
func (f frame) TabTitle() string {
	words := []string{f.Alarmed(), f.OwnTitle(), "waoutbox"}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " · ")
}

// Icon is the icon of the browser's tab.
func (f frame) Icon() string {
	if f.Alarms > 0 || f.Unread != "" {
		return Root + "assets/icon-alarm.svg"
	}
	return Root + "assets/icon.svg"
}

// notice tells how an action ended, on the page that follows it.
type notice struct {
	State   view.State
	Calm    bool // it went as it should
	Heading string
	Text    string
	Command string // that does the same; "" a dialog has named it
	Secret  string // shown once
	Until   view.Time
	Hook    string // whose
}

// document is what the layout is given.
type document struct {
	Frame frame
	Page  any
}

// status is the service's, read once for a request. Where it is not known, for which the frame says
// the cause, it is empty but for its link, which is unknown too: a page shows what else it can
// read.
func (c *call) status() (st api.Status, known bool) {
	if !c.statusRead {
		c.statusRead = true
		c.st, c.statusErr = c.s.o.Service.Status(c.ctx())
		if c.statusErr != nil {
			c.st = api.Status{Link: api.Link{State: api.LinkUnknown}, CountsUnknown: true}
		}
	}
	return c.st, c.statusErr == nil
}

func (c *call) frame(title string) frame {
	f := frame{
		Title: title, Back: c.r.URL.RequestURI(), Version: c.s.o.Version, Up: c.clock.For(c.s.o.Started), Zone: c.clock.ZoneName(),
		CSRF: c.session.csrf, Hide: c.hide, Exact: c.clock.Exact, Now: c.clock.Now.UTC().Format(time.RFC3339Nano), StateDir: term.Clean(c.s.o.Place),
	}
	st, known := c.status()
	if !known {
		f.Unread = c.said(c.statusErr)
		return f
	}
	f.Link, f.Alarms, f.Dead = view.LinkState(st.Link, st.Alarms), len(st.Alarms), st.Dead
	if f.Account = view.Number(st.Link.Account); c.hide && f.Account != "" {
		f.Account = view.Hidden
	}
	return f
}

// renderPage shows a page.
func (c *call) renderPage(p page, what shown) error {
	f := c.frame(what.Title)
	f.Nav, f.Notice, f.Reload = p.nav, c.session.told(), c.reload
	if f.Notice == nil {
		f.Notice = c.found
	}
	if len(p.parts) > 0 {
		q := c.r.URL.Query()
		q.Set("of", p.name)
		if id := c.r.PathValue("id"); id != "" {
			q.Set("id", id)
		}
		if c.last > 0 {
			q.Set("after", fmt.Sprint(c.last))
		}
		if c.hide {
			q.Set("hidden", "1")
		}
		if c.under {
			q.Set("searching", "1")
		}
		f.Stream = Root + "stream?" + q.Encode()
	}
	return c.write(p.name, document{f, what.Model})
}

// problem is a page that says why there is no other.
type problem struct {
	Heading, Text string
	Again         bool   // it may be there at the next try
	Letters       string // id of a webhook that was removed, whose dead letters are there
}

// render shows a page that is none of the navigation.
func (c *call) render(name string, model any) error {
	title := ""
	if p, ok := model.(problem); ok {
		title = p.Heading
	}
	return c.write(name, document{c.frame(title), model})
}

func (c *call) write(name string, d document) error {
	var b bytes.Buffer
	if err := c.s.templates[name].ExecuteTemplate(&b, "layout", d); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(writeLimit))
	_, _ = b.WriteTo(c.w) // a reader that went away needs no page
	return nil
}

// writeLimit bounds how long a browser may take to read a page.
const writeLimit = 30 * time.Second

// bare shows a page without a session.
func (s *Server) bare(w http.ResponseWriter, status int, name string, model any) {
	var b bytes.Buffer
	if err := s.templates["bare"].ExecuteTemplate(&b, name, model); err != nil {
		s.o.Log.Error("a page could not be made", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// styleSheet is written into each page, which so waits for nothing else before it is painted.
const styleSheet = "assets/page.css"

// contentPolicy lets a page run and load its own files alone, and have this style sheet alone.
func contentPolicy() (string, error) {
	style, err := files.ReadFile(styleSheet)
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", err
}

// serveAsset serves the script and the icons: the same for everybody.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	kind := map[string]string{".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(r.PathValue("name"))]
	raw, err := files.ReadFile("assets/" + r.PathValue("name"))
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	// another version may serve the same address tomorrow, but for one that names these bytes
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == sumOf(raw) {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(raw)
}

// asset is the address of a file that a browser may keep.
func asset(name string) (string, error) {
	raw, err := files.ReadFile("assets/" + name)
	return Root + "assets/" + name + "?v=" + sumOf(raw), err
}

func sumOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// names calls every webhook in use by its short name.
func (c *call) names() map[string]string {
	st, _ := c.status() // without it webhooks are called by their ids
	return view.Names(st.Webhooks)
}

// activity returns what happened lately to the webhooks, by id; of those that it is not known of
// there is nothing.
func (c *call) activity(hooks []api.Webhook) map[string]api.WebhookActivity {
	out := map[string]api.WebhookActivity{}
	for _, w := range hooks[:min(len(hooks), maxDrawn)] {
		if a, err := c.s.o.Service.WebhookActivity(c.ctx(), w.ID); err == nil {
			out[w.ID] = a
		}
	}
	return out
}

// maxDrawn is of how many webhooks the last hour is drawn on one page.
const maxDrawn = 100

func pathEscape(s string) string { return strings.ReplaceAll(template.URLQueryEscaper(s), "+", "%20") }

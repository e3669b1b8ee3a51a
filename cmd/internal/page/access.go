package page

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/outbox/api"
)

// maxForm bounds a form: a page of ids stays far below.
const maxForm = 256 << 10

// readLimit bounds how long a page may take to be made, and actionLimit an action.
const (
	readLimit   = 20 * time.Second
	actionLimit = 2 * time.Minute
)

// setHeaders keeps the page from running or loading anything but its own files, from being framed,
// and from being kept by anybody.
func setHeaders(h http.Header, r *http.Request, contentPolicy string) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	if !openedByPerson(r) {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// openedByPerson reports whether no page of another origin opened this one, nor holds it, and the
// browser says so: the person typed its address, or came from another page of it. All others get a
// policy that cuts them off, for which a browser starts a process again; that takes it a third of
// the time until something is painted.
func openedByPerson(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	return from == "none" || from == "same-origin"
}

// cookieName is the session's cookie. Cookies are shared by all ports of a host, so it has the
// port.
func cookieName(r *http.Request) string {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "default"
	}
	return "waoutbox_page_" + port
}

// call is one request of a session.
type call struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	session *session
	clock   view.Clock
	hide    bool

	// of the page that is made
	st         api.Status
	statusErr  error
	statusRead bool
	found      *notice // what it found, where the session has nothing to tell
	last       uint64  // the newest event that it shows
	reload     int     // see frame
	streaming  bool    // only what changes by itself is needed
	under      bool    // a search is under way, and a page of it will follow
}

type handler func(c *call) error

// read serves who has a session; h only reads.
func (s *Server) read(h handler) http.HandlerFunc {
	return s.within(readLimit, h)
}

// change serves a form of a page of this session: with its token, sent from this origin.
func (s *Server) change(h handler) http.HandlerFunc {
	return s.within(actionLimit, func(c *call) error {
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxForm)
		if err := c.parseForm(); err != nil {
			return err
		}
		if !fromHere(c.r) || !c.session.fits(c.r.PostForm.Get("csrf")) {
			c.w.WriteHeader(http.StatusForbidden)
			return c.render("problem", problem{Heading: "Nothing was done", Text: "This form was not made by this session of the page. Load the page anew, then try again."})
		}
		return h(c)
	})
}

// parseForm reads the query and, of a form that was sent, its body.
func (c *call) parseForm() error {
	if err := c.r.ParseForm(); err != nil {
		return api.Errorf(api.CodeInvalidArguments, "the form could not be read: %v", err)
	}
	return nil
}

// fromHere reports whether a page of this origin sent a form. Browsers say so with every form.
func fromHere(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// within serves who has a session, for at most limit; 0 is no limit.
func (s *Server) within(limit time.Duration, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in *session
		if cookie, err := r.Cookie(cookieName(r)); err == nil {
			in = s.sessions.find(cookie.Value)
		}
		if in == nil {
			s.noSession(w, r)
			return
		}
		ctx := s.o.Caller(r.Context(), "session of "+in.began.In(s.zone).Format("15:04"))
		if limit > 0 {
			limited, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			ctx = limited
		}
		hide, exact := in.choices(r)
		c := &call{s: s, w: w, r: r.WithContext(ctx), session: in, hide: hide, clock: view.Clock{Now: time.Now(), Zone: s.zone, Exact: exact}}
		if err := h(c); err != nil {
			c.fail(err)
		}
	}
}

func (c *call) ctx() context.Context { return c.r.Context() }

// notFound is an error of a page that is not there.
type notFound struct{ text string }

func (e *notFound) Error() string { return e.text }

// fail shows an error instead of the page.
func (c *call) fail(err error) {
	if c.r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody reads it
	}
	status := http.StatusInternalServerError
	// a link only asks for a page
	p := problem{Heading: "This could not be shown", Text: c.said(err), Again: c.r.Method == http.MethodGet}
	none := &notFound{}
	code := api.CodeOf(err)
	if groups, err := c.lettersLeft(code); err == nil && len(groups) > 0 {
		p.Letters = groups[0].Webhook
	}
	switch {
	case errors.As(err, &none), code == api.CodeNotFound, code == api.CodeWebhookNotFound:
		status, p.Heading, p.Again = http.StatusNotFound, "Not found", false
	case code != api.CodeInternal:
		status, p.Heading = http.StatusUnprocessableEntity, "This cannot be done"
	}
	c.w.WriteHeader(status)
	if err := c.render("problem", p); err != nil {
		c.s.o.Log.Warn("a page could not be made", "path", api.PathWithoutURL(c.r.URL.Path), "error", err)
	}
}

// lettersLeft returns the dead letters of the webhook that a page was asked of and that is none, or
// none any more.
func (c *call) lettersLeft(code api.Code) ([]api.DeadLetterGroup, error) {
	if id := c.pathID(); code == api.CodeWebhookNotFound && id != "" {
		return c.s.o.Service.DeadLetterSummary(c.ctx(), api.DeadLetterFilter{Webhook: id})
	}
	return nil, nil
}

// openSession turns a link into a session.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "" {
		w.WriteHeader(http.StatusServiceUnavailable) // whoever only looks ahead does not use it up
		return
	}
	cookie, began, ok := s.sessions.use(r.URL.Query().Get("k"))
	if !ok {
		if in, err := r.Cookie(cookieName(r)); err == nil && s.sessions.find(in.Value) != nil {
			http.Redirect(w, r, Root, http.StatusSeeOther) // the link of this very session
			return
		}
		s.noSession(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: cookie, Path: Root, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode, MaxAge: int(time.Until(began.until) / time.Second),
	})
	s.o.Log.Info("a session of the operator's page began", "until", began.until)
	// Not a redirect: the browser sends a strict cookie only with what a page of this site asks
	// for, and it was another one, or a terminal, that named the link.
	s.bare(w, http.StatusOK, "opened", nil)
}

func (s *Server) noSession(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") == "text/event-stream" {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, endedMessage)
		return
	}
	s.bare(w, http.StatusUnauthorized, "nosession", map[string]string{"Command": s.o.Command("open")})
}

func (s *Server) endSession(c *call) error {
	if cookie, err := c.r.Cookie(cookieName(c.r)); err == nil {
		s.sessions.end(cookie.Value)
	}
	http.SetCookie(c.w, &http.Cookie{Name: cookieName(c.r), Path: Root, HttpOnly: true, Secure: c.r.TLS != nil, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	s.bare(c.w, http.StatusOK, "ended", map[string]string{"Command": s.o.Command("open")})
	return nil
}

// choose changes what the session is shown: names and numbers, exact times.
func (s *Server) choose(c *call) error {
	form := c.r.PostForm
	remembers := c.session.choose(func(hide, exact *bool) {
		if form.Has("hide") {
			*hide = form.Get("hide") == "1"
		}
		if form.Has("exact") {
			*exact = form.Get("exact") == "1"
		}
	}, c.r.TLS != nil)
	http.SetCookie(c.w, remembers)
	return c.to(form.Get("back"))
}

// to shows another page of this one, by its path below Root, after a form was sent.
func (c *call) to(path string) error {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, Root) || strings.ContainsAny(path, "\\\r\n") {
		u = &url.URL{Path: Root}
	}
	if c.r.Header.Get(scriptHeader) != "" {
		c.w.Header().Set(goHeader, u.String())
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(c.w, c.r, u.String(), http.StatusSeeOther)
	return nil
}

// page.js sends a dialog's form with the one, and goes where the other says: a redirect it would
// follow by itself, and what the page that it leads to shows once would be gone.
const (
	scriptHeader = "Waoutbox-Page-Script"
	goHeader     = "Waoutbox-Page-Go"
)

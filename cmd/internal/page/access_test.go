package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestALinkIsUsedOnce: it opens one session, whose cookie no script reads and no other site sends.
//
// Mutation of sessions.go: a link works as often as it is found in a history.
// Mutation of access.go: scripts read the cookie, and requests of other sites carry it.
func TestALinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	s, base := newServer(t, everything())
	link := s.Link(base)
	client := &http.Client{}
	defer client.CloseIdleConnections()
	get := func(url string) (int, []*http.Cookie) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Cookies()
	}
	if status, cookies := get(base + Root); status != http.StatusUnauthorized || len(cookies) != 0 {
		t.Errorf("without a session: %d", status)
	}
	for _, wrong := range []string{"open", "open?k=", "open?k=" + secret()} {
		if status, _ := get(base + Root + wrong); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", wrong, status)
		}
	}
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "": ""} {
		req, err := http.NewRequest(map[bool]string{true: http.MethodHead, false: http.MethodGet}[name == ""], link.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name != "" {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || len(resp.Cookies()) != 0 {
			t.Errorf("who only looks ahead (%q): %d", name, resp.StatusCode)
		}
	}
	status, cookies := get(link.URL)
	if status != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("the link: %d with %d cookies", status, len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != Root || c.Domain != "" || c.MaxAge <= 0 || !strings.HasSuffix(c.Name, base[strings.LastIndexByte(base, ':')+1:]) {
		t.Errorf("the cookie is %v", c)
	}
	if strings.Contains(link.URL, c.Value) {
		t.Error("the cookie is the link's secret, which stands in a history")
	}
	if status, cookies := get(link.URL); status != http.StatusUnauthorized || len(cookies) != 0 {
		t.Errorf("the link, used again: %d", status)
	}
}

// TestSessionsEnd: links after five minutes, sessions after twelve hours; there are only so many of
// both.
//
// Mutation of sessions.go: a session never ends.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		token, until := s.link()
		if got := time.Until(until); got != linkLife {
			t.Errorf("a link lives for %v", got)
		}
		<-time.After(linkLife)
		if _, _, ok := s.use(token); ok {
			t.Error("an old link opens a session")
		}
		token, _ = s.link()
		cookie, one, ok := s.use(token)
		if !ok || s.find(cookie) != one {
			t.Fatal("a link opens no session")
		}
		<-time.After(sessionLife - time.Second)
		if s.find(cookie) == nil {
			t.Error("a session ended early")
		}
		<-time.After(time.Second)
		if s.find(cookie) != nil {
			t.Error("a session goes on after its time")
		}
		<-one.ended

		var cookies []string
		for range maxSessions + 3 {
			token, _ := s.link()
			cookie, _, _ := s.use(token)
			cookies = append(cookies, cookie)
			<-time.After(time.Second)
		}
		for i, c := range cookies {
			if (s.find(c) != nil) != (i >= 3) {
				t.Errorf("session %d of %d: there %v", i, len(cookies), s.find(c) != nil)
			}
		}
		var tokens []string
		for range maxLinks + 2 {
			token, _ := s.link()
			tokens = append(tokens, token)
			<-time.After(time.Second)
		}
		for i, token := range tokens {
			if _, _, ok := s.use(token); ok != (i >= 2) {
				t.Errorf("link %d of %d: works %v", i, len(tokens), ok)
			}
		}
		if len(s.open) > maxSessions || len(s.links) > maxLinks {
			t.Errorf("%d sessions, %d links", len(s.open), len(s.links))
		}
	})
}

// TestFormsAreOfThisSession: what changes something is a POST with the session's token, sent from a
// page of this origin. Nothing else changes anything.
//
// Mutation of access.go: a form needs no token of its session.
// Mutation of access.go: a form of another origin is taken.
func TestFormsAreOfThisSession(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	other := open(t, everything())
	actions := []string{
		"settings", "end", "webhooks/wh_9QRT/test", "webhooks/wh_9QRT/pause", "webhooks/wh_9QRT/resume", "webhooks/wh_9QRT/rotate-secret", "webhooks/wh_9QRT/remove", "deadletters/replay?id=dl_wh_9QRT_7",
		"deadletters/purge?id=dl_wh_9QRT_7", "deadletters/stop", "events/replay?id=7&webhook=wh_9QRT", "link/pair", "link/code?phone=1", "link/continue?confirm=1", "link/connect", "link/disconnect", "link/unpair",
	}
	good := b.form()
	for _, path := range actions {
		for name, try := range map[string]struct {
			form    url.Values
			headers []string
		}{
			"no token":                {nil, nil},
			"another session's token": {other.form(), nil},
			"no origin":               {good, []string{"Origin", ""}},
			"another origin":          {good, []string{"Origin", "https://attacker.example"}},
			"an opaque origin":        {good, []string{"Origin", "null"}},
			"another port":            {good, []string{"Origin", "http://127.0.0.1:1"}},
		} {
			if status, _, text := b.post(path, try.form, try.headers...); status != http.StatusForbidden || !strings.Contains(text, "Nothing was done") {
				t.Errorf("%s with %s: %d", path, name, status)
			}
		}
		if did := b.f.done(); did != "" {
			t.Errorf("%s did: %s", path, did)
		}
	}
	for _, path := range actions { // by GET, with the token in the query
		b.get(path + "?csrf=" + good.Get("csrf"))
	}
	if did := b.f.done(); did != "" {
		t.Errorf("a GET did: %s", did)
	}
	b.http.Jar = nil
	if status, _, _ := b.post("webhooks/wh_9QRT/pause", good); status != http.StatusUnauthorized || b.f.done() != "" {
		t.Errorf("without a session: %d", status)
	}
}

// TestFormsAreBounded: a form longer than any of the page's is read no further, and does nothing.
//
// Mutation of access.go: a form of the page is read whatever its length.
func TestFormsAreBounded(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	form := b.form()
	form.Set("pad", strings.Repeat("x", maxForm))
	if status, _, text := b.post("webhooks/wh_9QRT/pause", form); status < 400 || !strings.Contains(text, "could not be read") {
		t.Errorf("%d %.200s", status, text)
	}
	if did := b.f.done(); did != "" {
		t.Errorf("it did: %s", did)
	}
}

// TestAFormLeadsNowhereElse: where a form goes on is a page of this one, whatever it says.
//
// Mutation of access.go: a form leads to another site.
func TestAFormLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for back, want := range map[string]string{
		"/page/live?event=x": "/page/live?event=x", "": Root, "//attacker.example/page/": Root, "https://attacker.example/page/": Root, "/v1/status": Root, "javascript:alert(1)": Root, "/page/\\attacker": Root, "/page/\r\nX: y": Root, "%": Root,
	} {
		if status, to, _ := b.post("settings", b.form("back", back)); status != http.StatusSeeOther || to != want {
			t.Errorf("%q leads to %q (%d), want %q", back, to, status, want)
		}
	}
}

// TestTheSessionEndsWithItsButton: its cookie opens nothing afterwards, and its streams end.
//
// Mutation of stream.go: a page that ended its session goes on being told.
func TestTheSessionEndsWithItsButton(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	s := b.stream("stream?of=overview")
	defer s.end()
	s.until(t, `"id":"facts"`)
	jar := b.http.Jar
	u, _ := url.Parse(b.base + Root)
	before := jar.Cookies(u)
	if status, _, text := b.post("end", b.form()); status != http.StatusOK || !strings.Contains(text, "The session has ended") {
		t.Errorf("ending it: %d", status)
	}
	s.until(t, endedMessage)
	s.over(t)
	jar.SetCookies(u, before)
	if status, _ := b.get(""); status != http.StatusUnauthorized {
		t.Errorf("the cookie of before: %d", status)
	}
}

// TestAssetsAreKept: under the address that names their bytes, and under no other; pages never.
func TestAssetsAreKept(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	named, err := asset("page.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, text := b.get(""); !strings.Contains(text, `src="`+named+`"`) {
		t.Errorf("no page names %s", named)
	}
	for path, want := range map[string]string{strings.TrimPrefix(named, Root): "immutable", "assets/page.js": "no-cache", "assets/page.js?v=other": "no-cache", "": "no-store"} {
		resp, err := b.http.Get(b.base + Root + path)
		if err != nil {
			t.Fatal(err)
		}
		b.read(resp)
		if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, want) {
			t.Errorf("%q may be kept: %q", path, got)
		}
	}
}

// TestWindowsOfOthersAreCutOff: of a page that another origin opened, or may have. A page that its
// person opened, or came to from another one of it, is painted in the process that is there.
//
// Mutation of access.go: who opened a page from another origin holds its window.
func TestWindowsOfOthersAreCutOff(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for from, want := range map[string]string{"cross-site": "same-origin", "same-site": "same-origin", "": "same-origin", "new-word": "same-origin", "none": "", "same-origin": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+Root, nil)
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			req.Header.Set("Sec-Fetch-Site", from)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b.read(resp)
		if got := resp.Header.Get("Cross-Origin-Opener-Policy"); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%q: %d, %q", from, resp.StatusCode, got)
		}
	}
}

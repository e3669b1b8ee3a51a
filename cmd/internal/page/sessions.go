package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	linkLife    = 5 * time.Minute // of a link that nobody used
	sessionLife = 12 * time.Hour  // from the use of its link
	maxLinks    = 16              // unused at once; the oldest goes
	maxSessions = 16
)

// choicesCookie remembers what is hidden. The port is not in its name: without the HTTP listener
// the page has another one with each start of the service. It only says how this browser is shown
// what its session may see anyway.
const (
	choicesCookie = "waoutbox_page_choices"
	choiceHide    = "hide"
	choiceExact   = "exact"
	choicesLife   = 365 * 24 * time.Hour
)

// sessions are the links that were given out and the sessions that came of them, in memory: they
// end with the service. Secrets are kept as their hashes. Safe for concurrent use.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	links map[hash]time.Time // until when
	open  map[hash]*session
}

type hash = [sha256.Size]byte

// session is one browser's.
type session struct {
	csrf  string
	began time.Time
	ended chan struct{} // closed with the session
	until time.Time
	// what it looks for
	searches searches

	mu     sync.Mutex
	chosen bool // hide and exact are known: chosen in this session, or remembered by the browser
	hide   bool // names, numbers and content are not shown
	exact  bool // times are shown as they are
	notice *notice
}

func newSessions() *sessions {
	return &sessions{now: time.Now, links: map[hash]time.Time{}, open: map[hash]*session{}}
}

// secret is 256 random bits as text.
func secret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// link makes a link's secret, which use takes once.
func (s *sessions) link() (token string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	for len(s.links) >= maxLinks {
		oldest := hash{}
		for h, until := range s.links {
			if at := s.links[oldest]; at.IsZero() || until.Before(at) {
				oldest = h
			}
		}
		delete(s.links, oldest)
	}
	token, until = secret(), s.now().Add(linkLife)
	s.links[sha256.Sum256([]byte(token))] = until
	return token, until
}

// use ends a link and begins its session, whose cookie it returns; false when the link is not, or
// no longer, one.
func (s *sessions) use(token string) (cookie string, began *session, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	h := sha256.Sum256([]byte(token))
	if _, ok := s.links[h]; !ok {
		return "", nil, false
	}
	delete(s.links, h)
	for len(s.open) >= maxSessions {
		s.endOldest()
	}
	now := s.now()
	cookie, began = secret(), &session{csrf: secret(), began: now, until: now.Add(sessionLife), ended: make(chan struct{})}
	s.open[sha256.Sum256([]byte(cookie))] = began
	return cookie, began, true
}

// find returns the session of a cookie, nil when it has none.
func (s *sessions) find(cookie string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return s.open[sha256.Sum256([]byte(cookie))]
}

// end ends the session of a cookie, its streams with it.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(sha256.Sum256([]byte(cookie)))
}

func (s *sessions) endOldest() {
	var oldest hash
	for h, one := range s.open {
		if at := s.open[oldest]; at == nil || one.began.Before(at.began) {
			oldest = h
		}
	}
	s.drop(oldest)
}

// drop ends a session. s.mu is held.
func (s *sessions) drop(h hash) {
	if one := s.open[h]; one != nil {
		close(one.ended)
		delete(s.open, h)
	}
}

// expire ends what is too old. s.mu is held.
func (s *sessions) expire() {
	now := s.now()
	for h, until := range s.links {
		if !now.Before(until) {
			delete(s.links, h)
		}
	}
	for h, one := range s.open {
		if !now.Before(one.until) {
			s.drop(h)
		}
	}
}

// fits reports whether a form was made for this session.
func (s *session) fits(csrf string) bool {
	return subtle.ConstantTimeCompare([]byte(csrf), []byte(s.csrf)) == 1
}

// choices returns what is shown, and how. The first request of a session says what its browser
// remembers.
func (s *session) choices(r *http.Request) (hide, exact bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.chosen {
		s.chosen = true
		if c, err := r.Cookie(choicesCookie); err == nil {
			s.hide, s.exact = strings.Contains(c.Value, choiceHide), strings.Contains(c.Value, choiceExact)
		}
	}
	return s.hide, s.exact
}

// choose changes what is shown, and returns the cookie by which the browser remembers it for its
// next session; a secure one is sent over TLS alone.
func (s *session) choose(change func(hide, exact *bool), secure bool) *http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chosen = true
	change(&s.hide, &s.exact)
	//nolint:gosec // on 127.0.0.1 without TLS a secure cookie would not come back
	c := &http.Cookie{Name: choicesCookie, Path: Root, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode, MaxAge: int(choicesLife / time.Second)}
	if s.hide {
		c.Value = choiceHide
	}
	if s.exact {
		c.Value += choiceExact
	}
	return c
}

// tell keeps a notice until the next page that shows it.
func (s *session) tell(n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notice = &n
}

// told returns the notice and forgets it: what it shows, a new secret among it, is shown once.
func (s *session) told() *notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notice
	s.notice = nil
	return n
}

package streamable

import (
	"container/list"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
)

const (
	// maxSessions bounds what is remembered of the clients of the older versions: their names, and
	// what they were told. Few of them say goodbye.
	maxSessions = 256
	// maxEnded bounds the sessions that are known to have ended.
	maxEnded = 4096

	sessionPrefix = "wa-"
	sessionLength = 26 // of rand.Text
)

// sessions are the sessions of the older protocol versions. Any id of the right form is one, unless
// its client ended it: so a session outlives a restart of the service, and being forgotten, at the
// price of its client's name. Who may call is decided by the token, not by them. It is mcp-go's
// SessionIdManager. Safe for concurrent use.
type sessions struct {
	most   int
	forget func(id string) // called without the lock

	mu    sync.Mutex
	order *list.List // of ids, the latest used first
	at    map[string]*list.Element
	ended map[string]bool
	old   []string // of ended, the oldest first
	// being forgotten: what mcp-go then ends was ended by nobody
	leaving map[string]bool
}

func newSessions(most int, forget func(string)) *sessions {
	return &sessions{most: most, forget: forget, order: list.New(), at: map[string]*list.Element{}, ended: map[string]bool{}, leaving: map[string]bool{}}
}

// Generate returns the id of a new session.
func (s *sessions) Generate() string {
	id := sessionPrefix + rand.Text()
	s.touch(id)
	return id
}

// Validate reports whether a session has ended; what is no id is an error.
func (s *sessions) Validate(id string) (ended bool, err error) {
	if !wellFormed(id) {
		return false, fmt.Errorf("this is no id of a session")
	}
	s.mu.Lock()
	ended = s.ended[id]
	s.mu.Unlock()
	if !ended {
		s.touch(id)
	}
	return ended, nil
}

// known reports whether a session goes on.
func (s *sessions) known(id string) bool {
	ended, err := s.Validate(id)
	return err == nil && !ended
}

// Terminate ends a session.
func (s *sessions) Terminate(id string) (notAllowed bool, err error) {
	if !wellFormed(id) {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.at[id]; e != nil {
		s.order.Remove(e)
		delete(s.at, id)
	}
	if s.leaving[id] || s.ended[id] {
		return false, nil
	}
	s.ended[id] = true
	s.old = append(s.old, id)
	if len(s.old) > maxEnded {
		delete(s.ended, s.old[0])
		s.old = s.old[1:]
	}
	return false, nil
}

// touch makes a session the latest used, and forgets the others' oldest where there are too many.
func (s *sessions) touch(id string) {
	s.mu.Lock()
	if e := s.at[id]; e != nil {
		s.order.MoveToFront(e)
		s.mu.Unlock()
		return
	}
	s.at[id] = s.order.PushFront(id)
	var oldest string
	if e := s.order.Back(); s.order.Len() > s.most && e != nil {
		oldest = s.order.Remove(e).(string) //nolint:forcetypeassert // of a list of ids
		delete(s.at, oldest)
		s.leaving[oldest] = true
	}
	s.mu.Unlock()
	if oldest == "" {
		return
	}
	s.forget(oldest)
	s.mu.Lock()
	delete(s.leaving, oldest)
	s.mu.Unlock()
}

func wellFormed(id string) bool {
	text, ok := strings.CutPrefix(id, sessionPrefix)
	return ok && len(text) == sessionLength && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

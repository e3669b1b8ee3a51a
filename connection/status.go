package connection

import (
	"maps"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// status is the link as people see it, and the account as the translator does. Safe for concurrent
// use.
type status struct {
	mu   sync.Mutex
	now  func() time.Time
	link api.Link
	// when the link entered its state, as a moment that no set clock moves
	entered time.Time
	self    translate.Self
	// what is not as usual, each by what it is about
	notes map[string]string
}

func newStatus(now func() time.Time) *status {
	s := &status{now: now, notes: make(map[string]string)}
	s.enter()
	s.link.State = api.LinkUnlinked
	return s
}

// enter notes that the link enters a state now.
func (s *status) enter() {
	s.entered = s.now()
	s.link.Since = s.entered.UTC().Truncate(time.Millisecond)
}

// set moves the link to a state; Since is when it entered it. reason tells why it is not connected,
// "" if there is nothing to say.
func (s *status) set(state api.LinkState, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link.State != state {
		s.enter()
	}
	s.link.State, s.link.Reason = state, reason
}

// setSince is set for what began earlier, before this process.
func (s *status) setSince(state api.LinkState, reason string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.State, s.link.Reason, s.link.Since, s.entered = state, reason, since, since
}

// setReason changes the reason only.
func (s *status) setReason(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.Reason = reason
}

// setAccount tells who is linked; the zero JIDs nobody. A zero LID keeps the known one.
func (s *status) setAccount(pn, lid types.JID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pn.IsEmpty() {
		s.self, s.link.Account, s.link.Name = translate.Self{}, "", ""
		return
	}
	s.self.PN = pn
	if !lid.IsEmpty() {
		s.self.LID = lid
	}
	s.link.Account = pn.ToNonAD().String()
}

func (s *status) setName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" && s.link.Account != "" {
		s.link.Name = name
	}
}

// note says what is not as usual about a thing; "" takes it back.
func (s *status) note(about, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == "" {
		delete(s.notes, about)
		return
	}
	s.notes[about] = text
}

func (s *status) read() api.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.link
	l.For = s.now().Sub(s.entered)
	for _, about := range slices.Sorted(maps.Keys(s.notes)) {
		l.Notes = append(l.Notes, s.notes[about])
	}
	return l
}

func (s *status) account() translate.Self {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self
}

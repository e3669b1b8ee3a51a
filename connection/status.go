package connection

import (
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// status is the link as people see it, and the account as the translator does. Safe for concurrent use.
type status struct {
	mu   sync.Mutex
	now  func() time.Time
	link api.Link
	self Self
}

func newStatus(now func() time.Time) *status {
	s := &status{now: now}
	s.link = api.Link{State: api.LinkUnlinked, Since: s.moment()}
	return s
}

func (s *status) moment() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// set moves the link to a state; Since is when it entered it. reason tells why it is not connected, "" if there is nothing to say.
func (s *status) set(state api.LinkState, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link.State != state {
		s.link.Since = s.moment()
	}
	s.link.State, s.link.Reason = state, reason
}

// because changes the reason only.
func (s *status) because(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.Reason = reason
}

// account tells who is linked; the zero JIDs nobody. A zero LID keeps the known one.
func (s *status) account(pn, lid types.JID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pn.IsEmpty() {
		s.self, s.link.Account, s.link.Name = Self{}, "", ""
		return
	}
	s.self.PN = pn
	if !lid.IsEmpty() {
		s.self.LID = lid
	}
	s.link.Account = pn.ToNonAD().String()
}

func (s *status) name(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" && s.link.Account != "" {
		s.link.Name = name
	}
}

func (s *status) read() api.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

func (s *status) who() Self {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self
}

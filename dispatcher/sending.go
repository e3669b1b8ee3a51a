package dispatcher

import (
	"sync"

	"waoutbox/outbox"
)

// sending is which deliveries of a lane an attempt is under way for, from before the request until
// its end. The zero value is ready. Safe for concurrent use.
type sending struct {
	mu   sync.Mutex
	seqs map[outbox.Seq]struct{}
}

func (s *sending) begin(seq outbox.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seqs == nil {
		s.seqs = map[outbox.Seq]struct{}{}
	}
	s.seqs[seq] = struct{}{}
}

func (s *sending) end(seq outbox.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seqs, seq)
}

func (s *sending) has(seq outbox.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, under := s.seqs[seq]
	return under
}

// Sending reports whether an attempt to deliver an event to a subscription is under way now.
func (d *Dispatcher) Sending(id outbox.SubID, seq outbox.Seq) bool {
	d.mu.Lock()
	s := d.supervisors[id]
	d.mu.Unlock()
	return s != nil && s.sending.has(seq)
}

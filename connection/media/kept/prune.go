package kept

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"waoutbox/outbox"
)

// slack is how many lines the journal may have more than it needs.
const slack = 10_000

// drop lets go of what an event has, and of the file if it was the last. Call with the lock held.
func (s *Store) drop(seq outbox.Seq) {
	h, here := s.holds[seq]
	delete(s.holds, seq)
	delete(s.wants, seq)
	if c := s.files[h.hash]; here && c != nil {
		if c.events--; c.events <= 0 {
			delete(s.files, h.hash)
			s.bytes -= c.bytes
			if err := os.Remove(s.file(h.hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				// the next start removes it
				s.o.Logger.Warn("kept medium not removed", "error", err)
			}
		}
	}
	// a line that cannot be written is made up for at the next start: the event is gone
	_ = s.journal.append(entry{Gone: uint64(seq)})
}

// prune lets go of the media of events that are gone, and of those that are too old.
func (s *Store) prune(ctx context.Context) error {
	page, err := s.o.Log.Events(ctx, outbox.EventQuery{Limit: 1, Heads: true})
	if err != nil {
		return err
	}
	s.mu.Lock()
	seqs := slices.Sorted(maps.Keys(s.holds))
	s.mu.Unlock()
	now := s.now()
	for _, seq := range seqs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		gone := seq < page.Floor
		if !gone && seq < page.Whole { // some below it are gone
			_, err := s.o.Log.Event(ctx, seq)
			gone = errors.Is(err, outbox.ErrNotFound)
		}
		s.mu.Lock()
		if h, here := s.holds[seq]; here && (gone || s.o.Policy.MaxAge > 0 && now.Sub(h.at) > s.o.Policy.MaxAge) {
			s.drop(seq)
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compact()
}

// compact writes the journal anew when most of it is history. Call with the lock held.
func (s *Store) compact() error {
	if s.journal.lines < slack+4*(len(s.holds)+len(s.wants)) {
		return nil
	}
	return s.journal.replace(s.entries())
}

// makeRoom lets go of the oldest files until so many bytes more may be kept. It reports whether
// they may at all. Call with the lock held.
func (s *Store) makeRoom(more int64) bool {
	total := s.o.Policy.Total
	if total == 0 {
		return true
	}
	if more > total {
		return false
	}
	for _, seq := range slices.Sorted(maps.Keys(s.holds)) {
		if s.bytes+more <= total {
			break
		}
		s.drop(seq)
	}
	return s.bytes+more <= total
}

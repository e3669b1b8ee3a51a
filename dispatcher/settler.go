package dispatcher

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/dispatcher/pace"
	"waoutbox/outbox"
)

// commitTries is how often a write of unknown outcome is tried before its administrator is told.
const commitTries = 3

// write is one Change on its way to disk.
type write struct {
	change outbox.Change
	// applied takes the write over into the lane's memory, once it is on disk.
	applied func(now time.Time)
	// reply tells the administrator who asked for the write; nil for the lane's own.
	reply func(err error)

	tries   int
	unknown bool // a try of unknown outcome: it may be on disk
}

// tell replies to whoever asked, once.
func (w *write) tell(err error) {
	if w.reply != nil {
		w.reply(err)
		w.reply = func(error) {}
	}
}

// settler is the one writer of a lane: its checkpoints and what administrators ask for, one Change
// at a time, each beside the lane's loop. All its methods belong to that loop.
//
// A Change that failed is repeated before any other, 1 s doubling to 60 s, if it is the lane's own
// or its outcome is unknown. Otherwise nothing of it is on disk, and whoever asked is told.
type settler struct {
	commit  func(c outbox.Change) error
	spawn   func(f func())
	results chan error // of commit
	waits   backoff.BackOff

	current *write   // runs, or failed and is repeated before any other
	writing bool     // current runs
	queue   []*write // of administrators
	ownTurn bool     // the last write was an administrator's: a checkpoint goes first

	failure error // why current failed; nil unless it is repeated
	since   time.Time
	retryAt time.Time
}

func newSettler(commit func(c outbox.Change) error, spawn func(f func())) *settler {
	return &settler{commit: commit, spawn: spawn, results: make(chan error, 1), waits: pace.Waits()}
}

// submit queues the write of an administrator. Whoever asks may have mended what was broken: a
// failed write is repeated at once, and tells whether the new one can follow.
func (s *settler) submit(w *write) {
	s.queue = append(s.queue, w)
	s.retryAt = time.Time{}
}

// withdraw takes a write out that waits in the queue, and tells why; one that was begun goes on.
func (s *settler) withdraw(w *write, why error) {
	if i := slices.Index(s.queue, w); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		w.tell(why)
	}
}

// start begins the next write, if none runs and one may: the failed one again, an administrator's,
// or what own returns (nil: nothing is due).
func (s *settler) start(now time.Time, own func() *write) {
	if s.writing || s.failure != nil && now.Before(s.retryAt) {
		return
	}
	if s.current == nil {
		s.current = s.choose(own)
	}
	if s.current == nil {
		return
	}
	s.writing = true
	change := s.current.change
	s.spawn(func() { s.results <- s.commit(change) })
}

// choose lets checkpoints and administrators alternate.
func (s *settler) choose(own func() *write) *write {
	if len(s.queue) == 0 || s.ownTurn {
		s.ownTurn = false
		if w := own(); w != nil {
			return w
		}
	}
	if len(s.queue) == 0 {
		return nil
	}
	w := s.queue[0]
	s.queue = s.queue[1:]
	s.ownTurn = true
	return w
}

// finish takes the result of the write that ran. An error means that no repetition can help and
// that the lane's memory may differ from the disk: the lane must load again.
func (s *settler) finish(err error, now time.Time) error {
	w := s.current
	s.writing = false
	if err == nil {
		s.current, s.failure = nil, nil
		s.waits.Reset()
		w.applied(now)
		w.tell(nil)
		return nil
	}
	w.tries++
	w.unknown = w.unknown || errors.Is(err, outbox.ErrUnknown)
	switch {
	case final(err) && (w.reply == nil || w.unknown):
		w.tell(err)
		return err
	case w.reply != nil && !w.unknown:
		s.current, s.failure = nil, nil
		w.tell(err)
		return nil
	case w.unknown && w.tries >= commitTries:
		w.tell(stillUnknown(err))
	}
	if s.failure == nil {
		s.since = now
	}
	s.failure, s.retryAt = err, now.Add(s.waits.NextBackOff())
	s.refuse(fmt.Errorf("settlements cannot be written: %w", err))
	return nil
}

// final reports whether repeating a Change cannot help.
func final(err error) bool {
	_, illegal := errors.AsType[*outbox.TransitionError](err)
	return illegal || errors.Is(err, outbox.ErrTooLarge) || errors.Is(err, outbox.ErrNotFound)
}

// stillUnknown keeps an outcome unknown whatever a repetition failed with.
func stillUnknown(err error) error {
	if errors.Is(err, outbox.ErrUnknown) {
		return err
	}
	return fmt.Errorf("%w, and repeating it failed: %w", outbox.ErrUnknown, err)
}

// refuse tells every administrator who waits in the queue.
func (s *settler) refuse(err error) {
	for _, w := range s.queue {
		w.tell(err)
	}
	s.queue = nil
}

// abandon tells everybody who waits that the lane has ended.
func (s *settler) abandon(err error) {
	s.refuse(err)
	if s.current != nil {
		s.current.tell(err)
	}
}

// wake returns when time alone lets a write begin; own is when a checkpoint is due.
func (s *settler) wake(own func() (time.Time, bool)) (time.Time, bool) {
	switch {
	case s.writing:
		return time.Time{}, false
	case s.failure != nil:
		return s.retryAt, true
	case len(s.queue) > 0:
		return time.Time{}, true
	}
	return own()
}

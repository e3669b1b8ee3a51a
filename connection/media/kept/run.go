package kept

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"waoutbox/connection/media"
	"waoutbox/outbox"
)

const (
	// workers is how many media are fetched at once: a large one keeps no small one waiting.
	workers = 2
	// maxWaiting is how many media may be wanted: then the log waits to be read.
	maxWaiting = 4096
	pageSize   = 64
	// maxTries is how often a fetch may fail: with the waits between them they last two days.
	maxTries = 14
	// noteEvery is how many events may be looked at before the journal says so.
	noteEvery = 1024
)

// waits are the waits of a Store. Tests shorten them.
type waits struct {
	elsewhere time.Duration                 // after the disk or the log failed
	offline   time.Duration                 // while WhatsApp cannot be asked
	prune     time.Duration                 // between looks at what is gone
	retry     func(tries int) time.Duration // after so many failed tries
}

func defaultWaits() waits {
	return waits{elsewhere: 30 * time.Second, offline: 3 * time.Second, prune: 5 * time.Minute, retry: backoff}
}

// backoff is the wait after so many failed tries.
func backoff(tries int) time.Duration {
	return min(time.Minute<<min(tries-1, 20), 6*time.Hour)
}

// Run looks for media in the log, fetches them and lets go of them, until ctx ends. A fetch that is
// cut off goes on with the next Run. It returns nil. Call it once.
func (s *Store) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.every(ctx, s.waits.prune, "pruning kept media failed", s.prune) })
	if s.On() {
		wg.Go(func() { s.every(ctx, s.waits.elsewhere, "looking for media failed", s.scan) })
		for range workers {
			wg.Go(func() { s.work(ctx) })
		}
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.note(true)
	if !s.On() { // what comes until it is on is not kept
		err = s.journal.append(entry{Next: max(uint64(s.next), 1), Off: true})
	}
	return errors.Join(err, s.journal.sync(), s.journal.close())
}

// every runs a step again and again, with a wait after each, until ctx ends.
func (s *Store) every(ctx context.Context, wait time.Duration, failed string, step func(context.Context) error) {
	for {
		if err := s.contain(func() error { return step(ctx) }); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn(failed, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// scan reads the log and notes what is wanted. It returns when ctx ends or something fails.
func (s *Store) scan(ctx context.Context) error {
	q := outbox.EventQuery{Filter: outbox.Filter{Events: []string{s.o.Events}}, Limit: pageSize}
	for {
		s.mu.Lock()
		q.From = s.next
		full, changed := len(s.wants) >= maxWaiting, s.changed
		s.mu.Unlock()
		if full {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		begins := q.From == 0
		if begins {
			q.From = math.MaxInt64
		}
		page, err := s.o.Log.Events(ctx, q)
		if err != nil {
			return err
		}
		if begins { // with what comes from now on
			page.Next = page.Last + 1
		}
		if err := s.look(page); err != nil {
			return err
		}
		if page.Next > page.Last {
			if err := s.o.Log.Wait(ctx, page.Next); err != nil {
				return err
			}
		}
	}
}

// look notes the media of a page that are wanted.
func (s *Store) look(page outbox.EventPage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []entry
	for _, ev := range page.Events {
		if s.wants[ev.Seq] != nil || s.holds[ev.Seq].hash != "" || ev.Corrupt || !bytes.Contains(ev.Body, []byte(`"directPath"`)) {
			continue
		}
		ref, err := s.find(ev)
		if limit, wanted := s.o.Policy.Kinds[ref.Kind]; err == nil && wanted && (limit == 0 || ref.Length <= limit) {
			entries = append(entries, entry{Want: uint64(ev.Seq)})
		}
	}
	if err := s.journal.append(entries...); err != nil {
		return s.diskFailed(err, &s.fullJournal)
	}
	s.fullJournal = time.Time{}
	for _, e := range entries {
		s.wants[outbox.Seq(e.Want)] = &wanted{}
	}
	s.next = page.Next
	if len(entries) > 0 {
		s.signal()
	}
	return s.note(len(entries) > 0)
}

// note has the journal say how far the log was looked at: at once, or when that is much. Call with
// the lock held.
func (s *Store) note(now bool) error {
	if s.next == s.noted || !now && s.next < s.noted+noteEvery && s.noted > 0 {
		return nil
	}
	if err := s.journal.append(s.position()); err != nil {
		return s.diskFailed(err, &s.fullJournal)
	}
	s.noted = s.next
	return nil
}

// noRoom reports whether the disk took nothing for want of space.
func (s *Store) noRoom(err error) bool { return errors.Is(err, media.ErrDiskLow) || s.o.DiskFull(err) }

// diskFailed notes since when the disk takes nothing, if that is why, and returns err. Call with
// the lock held.
func (s *Store) diskFailed(err error, since *time.Time) error {
	if !s.noRoom(err) {
		return err
	}
	if since.IsZero() {
		*since = s.now()
		s.o.Logger.Error("media are not kept: the disk is full", "error", err)
	}
	s.resume = s.now().Add(s.waits.elsewhere)
	return err
}

// work fetches what is wanted, one after the other, until ctx ends.
func (s *Store) work(ctx context.Context) {
	for ctx.Err() == nil {
		seq, wait, changed := s.claim()
		if seq > 0 {
			s.done(ctx, seq, s.contain(func() error { return s.fetch(ctx, seq) }))
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// claim takes the oldest medium that is due, or returns how long to wait for one.
func (s *Store) claim() (seq outbox.Seq, wait time.Duration, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	wait = time.Hour
	for at, w := range s.wants {
		if w.claimed {
			continue
		}
		due := w.due
		if s.resume.After(due) {
			due = s.resume
		}
		switch left := due.Sub(now); {
		case left > 0:
			wait = min(wait, left)
		case seq == 0 || at < seq:
			seq = at
		}
	}
	if seq > 0 {
		s.wants[seq].claimed = true
	}
	return seq, wait, s.changed
}

// errNotWanted says that a medium need not be fetched: its event is gone, or it does not fit.
var errNotWanted = errors.New("not wanted")

// fetch fetches and stores the medium of an event.
func (s *Store) fetch(ctx context.Context, seq outbox.Seq) error {
	ev, err := s.o.Log.Event(ctx, seq)
	if errors.Is(err, outbox.ErrNotFound) || errors.Is(err, outbox.ErrCorrupt) {
		return errNotWanted
	}
	if err != nil {
		return err
	}
	ref, err := media.Find(ev.Body)
	if err != nil {
		return errNotWanted
	}
	name := hex.EncodeToString(ref.Hash)
	limit, wanted := s.o.Policy.Kinds[ref.Kind]
	there, room := s.known(seq, name, ref.Length)
	switch {
	case there:
		return nil
	case !wanted || !room:
		return errNotWanted
	}
	if err := s.o.Room(2 * ref.Length); err != nil { // encrypted in the spool, and here
		return err
	}
	file, err := s.o.Fetch.FetchMedia(ctx, ref, limit)
	if err != nil {
		return err
	}
	if err := s.store(name, file); err != nil {
		if s.noRoom(err) { // events need what there is
			return errors.Join(err, file.Close())
		}
		return errors.Join(err, file.Leave())
	}
	return errors.Join(s.keep(seq, name, file.Size), file.Close())
}

// keep notes that an event has its file, which was just stored.
func (s *Store) keep(seq outbox.Seq, name string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.hold(seq, held{hash: name, bytes: size, at: s.now()})
	s.makeRoom(0) // the message may have told another length
	return err
}

// known gives an event a file that is here already, of another message, or makes room for it.
func (s *Store) known(seq outbox.Seq, name string, length int64) (there, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.files[name]; c != nil && s.hold(seq, held{hash: name, bytes: c.bytes, at: s.now()}) == nil {
		return true, true
	}
	return false, s.makeRoom(length)
}

// store writes a checked file: beside, synced, renamed.
func (s *Store) store(name string, from *media.File) (err error) {
	if err := s.o.Room(from.Size); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(s.o.Dir, "new-*") // 0600
	if err != nil {
		return fmt.Errorf("keep a medium: %w", err)
	}
	_, err = io.Copy(tmp, from.Open())
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), s.file(name))
	}
	if err == nil {
		err = syncDir(s.o.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep a medium: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// syncDir has a rename reach the disk, where the system can do that.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can
	return d.Close()
}

// hold notes that an event has its file. Call with the lock held.
func (s *Store) hold(seq outbox.Seq, h held) error {
	if _, err := os.Stat(s.file(h.hash)); err != nil { // another event let go of it meanwhile
		return fmt.Errorf("keep a medium: %w", err)
	}
	err := s.journal.append(entry{Kept: uint64(seq), Hash: h.hash, Bytes: h.bytes, At: h.at.Unix()})
	if err == nil {
		err = s.journal.sync()
	}
	if err != nil {
		return err
	}
	s.holds[seq] = h
	s.count(h)
	return nil
}

// done settles a claim by what came of it.
func (s *Store) done(ctx context.Context, seq outbox.Seq, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.signal()
	defer func() {
		if len(s.wants) == 0 {
			s.fullFiles = time.Time{}
		}
	}()
	w := s.wants[seq]
	if w == nil {
		return
	}
	w.claimed = false
	switch {
	case err == nil:
		delete(s.wants, seq)
		s.fullFiles, s.resume = time.Time{}, time.Time{}
	case ctx.Err() != nil:
	case s.noRoom(err):
		_ = s.diskFailed(err, &s.fullFiles) // told
	case s.o.Unreachable(err):
		s.resume = s.now().Add(s.waits.offline)
	case errors.Is(err, errNotWanted):
		s.drop(seq)
	case isFinal(err), w.tries+1 >= maxTries:
		s.failed++
		s.o.Logger.Warn("medium is not kept: given up", "sequence", uint64(seq), "tries", w.tries+1, "error", err)
		s.drop(seq)
	default:
		w.tries++
		w.due = s.now().Add(s.waits.retry(w.tries))
		// without the line it is tried once more after a restart
		_ = s.journal.append(entry{Try: uint64(seq), N: w.tries})
		s.o.Logger.Info("medium could not be fetched: tried again", "sequence", uint64(seq), "tries", w.tries, "error", err)
	}
}

// isFinal reports whether another try would end the same way.
func isFinal(err error) bool {
	return errors.Is(err, media.ErrExpired) || errors.Is(err, media.ErrDamaged) || errors.Is(err, media.ErrTooLarge) || errors.Is(err, media.ErrNoMedia) || errors.Is(err, errPanicked)
}

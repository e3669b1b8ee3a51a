package kept

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"waoutbox/connection/media"
	"waoutbox/outbox"
)

// Policy says what is kept.
type Policy struct {
	// the kinds that are kept, each with the largest file, in bytes, 0 for any; none: nothing is
	Kinds  map[media.Kind]int64
	Total  int64         // bytes of all files together; the oldest go first; 0: no limit
	MaxAge time.Duration // files go after it, 0: with their events
}

// Log is the log of events.
type Log interface {
	Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error)
	Event(ctx context.Context, s outbox.Seq) (outbox.Event, error)
	Wait(ctx context.Context, from outbox.Seq) error
}

// Fetcher fetches the file of a message.
type Fetcher interface {
	// FetchMedia is Spool.Fetch. An error for which Unreachable is true says nothing of the file.
	FetchMedia(ctx context.Context, ref media.Ref, limit int64) (*media.File, error)
}

// Options are what a Store needs. Room, DiskFull and Unreachable are optional.
type Options struct {
	Dir         string // the store's own
	Policy      Policy
	Events      string // name of the events that are looked at
	Log         Log
	Fetch       Fetcher
	Room        func(more int64) error // whether the disk may take so many bytes more
	DiskFull    func(error) bool       // whether a write failed for want of space
	Unreachable func(error) bool       // whether WhatsApp could not be asked at all
	Logger      *slog.Logger
}

// Status is what a Store has and wants.
type Status struct {
	Files   int
	Bytes   int64
	Waiting int   // media that are still to be fetched
	Failed  int64 // given up since the start
	// since when the disk takes no files, zero if it does
	DiskFull time.Time
}

// wanted is a medium that is to be fetched.
type wanted struct {
	tries   int
	due     time.Time
	claimed bool
}

// held is a medium of an event that is here.
type held struct {
	hash  string
	bytes int64
	at    time.Time
}

// content is one file.
type content struct {
	events int // that have it
	bytes  int64
}

// Store keeps media. Safe for concurrent use by one process.
type Store struct {
	o     Options
	now   func() time.Time
	waits waits

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when there is something to do
	journal *journal
	next    outbox.Seq // events below it were looked at
	noted   outbox.Seq // as the journal has it
	wants   map[outbox.Seq]*wanted
	holds   map[outbox.Seq]held
	files   map[string]*content // by hash
	bytes   int64
	failed  int64
	resume  time.Time // nothing is fetched before
	// since when the disk takes no files, and no lines of the journal
	fullFiles, fullJournal time.Time
}

// New opens the store in its directory, which it makes for this user alone, and removes what a
// crash left half done. It fetches nothing until Run.
func New(o Options) (*Store, error) {
	if o.Room == nil {
		o.Room = func(int64) error { return nil }
	}
	if o.DiskFull == nil {
		o.DiskFull = func(error) bool { return false }
	}
	if o.Unreachable == nil {
		o.Unreachable = func(error) bool { return false }
	}
	s := &Store{
		o: o, now: time.Now, waits: defaultWaits(), changed: make(chan struct{}),
		wants: make(map[outbox.Seq]*wanted), holds: make(map[outbox.Seq]held), files: make(map[string]*content),
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the kept media: %w", err)
	}
	off := true
	if err := readJournal(s.journalPath(), func(e entry) { off = s.take(e, off) }); err != nil {
		return nil, err
	}
	if off {
		s.next = 0 // begin at the newest event
	}
	if err := s.settleFiles(); err != nil {
		return nil, fmt.Errorf("open the kept media: %w", err)
	}
	var err error
	s.journal, err = writeJournal(s.journalPath(), s.entries())
	return s, err
}

const journalName = "journal"

func (s *Store) journalPath() string { return filepath.Join(s.o.Dir, journalName) }

// file is where the content with a hash lies.
func (s *Store) file(hash string) string { return filepath.Join(s.o.Dir, hash) }

// take applies an entry of the journal to what is known. It returns whether nothing is kept from
// there on.
func (s *Store) take(e entry, off bool) bool {
	switch {
	case e.Next > 0:
		s.next, off = outbox.Seq(e.Next), e.Off
	case e.Want > 0:
		s.wants[outbox.Seq(e.Want)] = &wanted{}
	case e.Try > 0:
		if w := s.wants[outbox.Seq(e.Try)]; w != nil {
			w.tries = e.N // a restart is a reason to try it at once
		}
	case e.Kept > 0:
		delete(s.wants, outbox.Seq(e.Kept))
		s.holds[outbox.Seq(e.Kept)] = held{hash: e.Hash, bytes: e.Bytes, at: time.Unix(e.At, 0)}
	case e.Gone > 0:
		delete(s.wants, outbox.Seq(e.Gone))
		delete(s.holds, outbox.Seq(e.Gone))
	}
	return off
}

// entries are the journal that says what is known, and no more.
func (s *Store) entries() []entry {
	list := []entry{}
	for _, seq := range slices.Sorted(maps.Keys(s.holds)) {
		h := s.holds[seq]
		list = append(list, entry{Kept: uint64(seq), Hash: h.hash, Bytes: h.bytes, At: h.at.Unix()})
	}
	for _, seq := range slices.Sorted(maps.Keys(s.wants)) {
		list = append(list, entry{Want: uint64(seq)})
		if w := s.wants[seq]; w.tries > 0 {
			list = append(list, entry{Try: uint64(seq), N: w.tries})
		}
	}
	if s.next > 0 {
		list = append(list, s.position())
		s.noted = s.next
	}
	return list
}

// position is how far the log was looked at.
func (s *Store) position() entry {
	return entry{Next: uint64(s.next), Off: len(s.o.Policy.Kinds) == 0}
}

// settleFiles removes files that nothing holds, and holds without their file: they are fetched
// again if their event is looked at once more.
func (s *Store) settleFiles() error {
	there := map[string]int64{}
	list, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if info, err := e.Info(); err == nil && isHash(e.Name()) {
			there[e.Name()] = info.Size()
		}
	}
	for seq, h := range s.holds {
		if size, ok := there[h.hash]; !ok || size != h.bytes {
			delete(s.holds, seq)
			s.wants[seq] = &wanted{}
			continue
		}
		s.count(h)
	}
	for _, e := range list {
		if e.Name() != journalName && s.files[e.Name()] == nil {
			if err := os.Remove(filepath.Join(s.o.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// isHash reports whether a file's name is that of kept content.
func isHash(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 32
}

// count notes a file that an event has.
func (s *Store) count(h held) {
	c := s.files[h.hash]
	if c == nil {
		c = &content{bytes: h.bytes}
		s.files[h.hash] = c
		s.bytes += h.bytes
	}
	c.events++
}

// signal wakes whoever waits for something to do. Call with the lock held.
func (s *Store) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Status returns what there is at this moment.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.fullFiles
	if full.IsZero() || !s.fullJournal.IsZero() && s.fullJournal.Before(full) {
		full = s.fullJournal
	}
	return Status{Files: len(s.files), Bytes: s.bytes, Waiting: len(s.wants), Failed: s.failed, DiskFull: full}
}

// On reports whether anything is kept from now on.
func (s *Store) On() bool { return len(s.o.Policy.Kinds) > 0 }

// Open returns the file with this SHA-256, after it was read and checked. One that does not fit is
// removed, and false.
func (s *Store) Open(hash []byte) (io.ReadCloser, int64, bool) {
	name := hex.EncodeToString(hash)
	s.mu.Lock()
	here := s.files[name] != nil
	s.mu.Unlock()
	if !here {
		return nil, 0, false
	}
	file, err := os.Open(s.file(name))
	if err != nil {
		s.o.Logger.Warn("kept medium cannot be read", "error", err)
		return nil, 0, false
	}
	info, err := file.Stat()
	fits := false
	if err == nil {
		fits, err = media.Sum(file, hash)
	}
	if err == nil && fits {
		if _, err = file.Seek(0, io.SeekStart); err == nil {
			return file, info.Size(), true
		}
	}
	s.o.Logger.Error("kept medium is damaged: removed", "file", name, "error", errors.Join(err, file.Close()))
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq, h := range s.holds {
		if h.hash == name {
			s.drop(seq)
		}
	}
	return nil, 0, false
}

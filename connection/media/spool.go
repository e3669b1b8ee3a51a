package media

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"crypto/sha256"
)

// partKept is how long the beginning of a file waits for the rest to be fetched.
const partKept = 24 * time.Hour

// Options are what a Spool needs; all are optional.
type Options struct {
	// Room reports whether the disk may take so many bytes more; nil takes all.
	Room func(more int64) error
	// Pause is the wait before the nth try after a connection that broke off; nil is a second for
	// each.
	Pause func(nth int) time.Duration
}

// Spool is the directory in which encrypted files lie while they are fetched, read or sent. Safe
// for concurrent use by one process.
type Spool struct {
	dir string
	o   Options

	mu    sync.Mutex
	taken map[string]chan struct{} // closed when the file is given back
	swept time.Time

	decoding sync.Mutex // of a picture
}

// OpenSpool makes the directory if it is missing, for this user alone, and removes what was left in
// it: files that were to be sent, and beginnings that nobody went on with.
func OpenSpool(dir string, o Options) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the media spool: %w", err)
	}
	if o.Room == nil {
		o.Room = func(int64) error { return nil }
	}
	if o.Pause == nil {
		o.Pause = func(nth int) time.Duration { return time.Duration(nth) * time.Second }
	}
	s := &Spool{dir: dir, o: o, taken: make(map[string]chan struct{})}
	if err := s.sweep(time.Now(), func(name string) bool { return filepath.Ext(name) == partSuffix }); err != nil {
		return nil, fmt.Errorf("open the media spool: %w", err)
	}
	return s, nil
}

// sweepEvery is how often beginnings are looked through.
const sweepEvery = time.Hour

// sweep removes what nobody works on: beginnings that are old, and all that stays returns false
// for.
func (s *Spool) sweep(now time.Time, stays func(name string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) < sweepEvery {
		return nil
	}
	s.swept = now
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		info, err := e.Info()
		old := err == nil && filepath.Ext(e.Name()) == partSuffix && now.Sub(info.ModTime()) >= partKept
		if err != nil || s.taken[e.Name()] != nil || stays(e.Name()) && !old {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// partSuffix ends the name of a file that is being fetched.
const partSuffix = ".part"

// partName is the name of a file in the spool. It is made of hashes, so that nothing a message says
// is a path.
func partName(ref Ref) string {
	h := sha256.New()
	for _, b := range [][]byte{ref.FileHash, ref.Hash, ref.Key} {
		h.Write([]byte{byte(len(b))})
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)) + partSuffix
}

// take waits until nobody else works on a file.
func (s *Spool) take(ctx context.Context, name string) (giveBack func(), err error) {
	for {
		s.mu.Lock()
		other := s.taken[name]
		if other == nil {
			mine := make(chan struct{})
			s.taken[name] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.taken, name)
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Fetch fetches the file of a message, at most limit bytes of it (0: what WhatsApp allows), and
// returns it once every check has passed. What an earlier call fetched of it is not fetched again,
// one of another process too. It blocks for as long as bytes come, and until another call for the
// same file is over. Errors: those of this package, of Servers, of the disk, and ctx's. After
// ErrUnavailable and those of Servers and ctx what has come stays in the spool, else nothing does.
func (s *Spool) Fetch(ctx context.Context, from Servers, ref Ref, limit int64) (*File, error) {
	if !ref.usable() || ref.Kind.Type() == "" {
		return nil, ErrNoMedia
	}
	if limit <= 0 || limit > maxFile {
		limit = maxFile
	}
	if ref.Length > limit {
		return nil, fmt.Errorf("%w: it has %d bytes, and %d are allowed", ErrTooLarge, ref.Length, limit)
	}
	if err := s.sweep(time.Now(), func(string) bool { return true }); err != nil {
		return nil, fmt.Errorf("fetch a medium: %w", err)
	}
	name := partName(ref)
	giveBack, err := s.take(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &File{Ref: ref, path: filepath.Join(s.dir, name), giveBack: giveBack}
	f.file, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		giveBack()
		return nil, fmt.Errorf("fetch a medium: %w", err)
	}
	err = s.fill(ctx, from, f, limit)
	if err == nil {
		return f, nil
	}
	if ofNoUse(err) {
		return nil, errors.Join(err, f.Close())
	}
	return nil, errors.Join(err, f.Leave())
}

// ofNoUse reports whether what has come of a file is of no use after this error, or is in the way:
// on a full disk it takes the room that events need.
func ofNoUse(err error) bool {
	var disk *diskError
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrExpired) || errors.Is(err, ErrDiskLow) || errors.As(err, &disk)
}

// fill fetches and checks. A file that does not fit was perhaps begun with another's bytes: it is
// fetched once more, from its beginning.
func (s *Spool) fill(ctx context.Context, from Servers, f *File, limit int64) error {
	asked := false // the phone was
	for begun := 0; ; {
		there, err := f.file.Seek(0, io.SeekEnd)
		if err != nil {
			return fmt.Errorf("fetch a medium: %w", err)
		}
		if !asked && begun == 0 && there > 0 && there == encryptedLen(f.Ref) {
			// an earlier call may have fetched it whole
			if f.Size, err = check(f.Ref, f.file, there); err == nil {
				f.fetched = there
				return nil
			}
		}
		d := &download{s: from, ref: f.Ref, file: f.file, limit: limit + overhead, room: s.o.Room, pause: s.o.Pause}
		n, err := d.run(ctx)
		if errors.Is(err, ErrExpired) && !asked {
			asked = true
			path, again := from.Again(ctx, f.Ref)
			if again != nil {
				return again
			}
			f.Ref.Path = path
			continue
		}
		if err != nil {
			return err
		}
		if f.Size, err = check(f.Ref, f.file, n); err == nil {
			f.fetched = n
			return nil
		}
		if begun++; !errors.Is(err, ErrDamaged) || there == 0 || begun > 1 {
			return err
		}
		if err := f.file.Truncate(0); err != nil {
			return fmt.Errorf("fetch a medium: %w", err)
		}
	}
}

// File is a file that was fetched and checked. Give it back with Close or Leave.
type File struct {
	Ref  Ref
	Size int64 // of the file itself

	file     *os.File
	path     string
	fetched  int64 // length of the encrypted file
	giveBack func()
}

// Open returns the decrypted file, from its beginning, for as long as f is not given back.
func (f *File) Open() io.Reader {
	if len(f.Ref.Key) == 0 {
		return io.NewSectionReader(f.file, 0, f.fetched)
	}
	n := f.fetched - macLen
	return newOpener(keysOf(f.Ref.Key, f.Ref.Kind), io.NewSectionReader(f.file, 0, n), n)
}

// Close removes the file from the spool.
func (f *File) Close() error {
	defer f.giveBack()
	return errors.Join(f.file.Close(), os.Remove(f.path))
}

// Leave closes the file and leaves it in the spool, where the next Fetch finds it.
func (f *File) Leave() error {
	defer f.giveBack()
	return f.file.Close()
}

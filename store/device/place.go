package device

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// ErrDisplaced is in the chain of what Displaced returns.
var ErrDisplaced = errors.New("the device store was removed or replaced while it is in use")

// walSuffix ends the name of the write-ahead log beside the database.
const walSuffix = "-wal"

// place is where an open device store lies, and which files are open there: a name that is taken
// away or given to another file leaves what is open without one, and it would be gone when it is
// closed. It makes the connections too: a new one to another file would mix the two. Safe for
// concurrent use.
type place struct {
	path string

	mu    sync.Mutex
	file  fs.FileInfo // the database that is open
	log   fs.FileInfo // its write-ahead log; nil before the first connection and between two
	since time.Time   // since when the names are not theirs; zero: they are
}

// Displaced returns since when the names of the open files are not theirs and why; nil and the zero
// time while they are. The sentence says what happens, and what to do.
func (s *Store) Displaced() (since time.Time, err error) { return s.place.check() }

func (p *place) check() (since time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.displaced()
	switch {
	case err == nil:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = time.Now().Truncate(time.Millisecond)
	}
	return p.since, err
}

// displaced is check without its memory. Call with the lock held.
func (p *place) displaced() error {
	const (
		goesOn = ". The link goes on with what is open, and what arrives is stored and delivered. "
		anew   = "It is written anew by itself. While this stays, do not stop the service, which would lose the link: the log says why"
	)
	switch state(p.path, p.file) {
	case stateRemoved:
		return &displacedError{p.path + " was removed or moved away while it is in use" + goesOn + anew}
	case stateReplaced:
		return &displacedError{"Another file was put in the place of " + p.path + " while that is in use" + goesOn +
			"Move the other file away before the service stops: what is open is then written there anew by itself. After a stop only a new link helps"}
	case stateOwn:
	}
	if log := p.path + walSuffix; state(log, p.log) != stateOwn {
		return &displacedError{log + " was removed or replaced while it is in use" + goesOn + anew}
	}
	return nil
}

// displacedError says what became of the files, and what to do.
type displacedError struct{ what string }

func (e *displacedError) Error() string { return e.what }

// Is makes it ErrDisplaced.
func (e *displacedError) Is(target error) bool { return target == ErrDisplaced }

// fileState is what a name is to a file that is open.
type fileState int

const (
	stateOwn fileState = iota
	stateRemoved
	stateReplaced
)

func state(path string, open fs.FileInfo) fileState {
	if open == nil {
		return stateOwn
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stateRemoved
	case err == nil && !os.SameFile(open, info):
		return stateReplaced
	}
	return stateOwn // where it cannot be looked at, nobody removed it
}

// settle notes the files that have the names now as those that are open.
func (p *place) settle() error {
	file, err := os.Stat(p.path)
	if err != nil {
		return fmt.Errorf("look at the device store: %w", err)
	}
	log, err := os.Stat(p.path + walSuffix)
	if err != nil {
		return fmt.Errorf("look at the write-ahead log of the device store: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file, p.log = file, log
	return nil
}

// Connect opens a connection to the files that are open already, and to no others.
func (p *place) Connect(context.Context) (sqldriver.Conn, error) {
	if _, err := p.check(); err != nil {
		return nil, err
	}
	conn, err := p.Driver().Open(dsn(p.path))
	if _, lost := p.check(); lost != nil { // meanwhile: nobody knows what it has opened
		if err == nil {
			_ = conn.Close()
		}
		return nil, lost
	}
	return conn, err //nolint:wrapcheck // database/sql wants it as it is
}

// Driver is SQLite's.
func (p *place) Driver() sqldriver.Driver { return &sqlite.Driver{} }

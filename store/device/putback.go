package device

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waoutbox/store/private"
)

const (
	// lookEvery is how often the names of the open files are looked at.
	lookEvery = 2 * time.Second
	// putBackWithin bounds how long it is waited for the readers and writers of the moment.
	putBackWithin = 10 * time.Second
	// anewSuffix ends the name of a file that is being written anew.
	anewSuffix = ".anew"
	// idleConnections are kept beside the one of the store: with them the link goes on while the
	// file has lost its name and no new connection can be made.
	idleConnections = 3
)

// keepPlace writes the files anew whose names were removed: what is open still holds everything.
// Another file in their place stays, and is an error.
func (s *Store) keepPlace(ctx context.Context) error {
	if _, err := s.place.check(); err == nil {
		if s.limited {
			s.unlimit(ctx)
		}
		return nil
	}
	if !s.limited {
		s.limit()
	}
	ctx, cancel := context.WithTimeout(ctx, putBackWithin)
	defer cancel()
	if err := s.putBack(ctx); err != nil {
		return err
	}
	s.log.log.Warn("the device store was removed while it was in use: it was written anew, nothing of it is lost", "path", s.place.path)
	return nil
}

// putBack has the whole content in a file that has its name, and all connections made anew to that.
// What is open is not given up before. Run calls it, and Close after that.
func (s *Store) putBack(ctx context.Context) error {
	where := state(s.place.path, s.place.file)
	if where == stateReplaced {
		_, err := s.place.check()
		return err
	}
	if s.kept == nil { // an earlier time ended before it had one
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("open the device store: %w", err)
		}
		s.kept = conn
	}
	// Nobody else is to have a connection: the idle ones end here, and of those that are in use one
	// is waited for until it is the last beside the kept one. A new one is refused meanwhile, so
	// that without a second one there is none either.
	s.db.SetMaxOpenConns(2)
	s.db.SetMaxIdleConns(-1)
	defer func() {
		if _, lost := s.place.check(); lost == nil {
			s.unlimit(ctx)
		} else {
			s.limit()
		}
	}()
	own, err := s.db.Conn(ctx)
	// database/sql gives whoever waits the error of a connection that another one asked for, also
	// while somebody still writes
	for errors.Is(err, ErrDisplaced) && s.db.Stats().OpenConnections > 1 && ctx.Err() == nil {
		own, err = s.db.Conn(ctx)
	}
	if err != nil && !errors.Is(err, ErrDisplaced) {
		return fmt.Errorf("wait for the users of the device store: %w", err)
	}
	failed := func(err error) error {
		s.db.SetMaxIdleConns(idleConnections)
		if own != nil {
			err = errors.Join(err, own.Close())
		}
		return err
	}
	if err := s.emptyLog(ctx); err != nil {
		return failed(err)
	}
	if where == stateRemoved {
		if err := s.writeAnew(ctx); err != nil {
			return failed(err)
		}
	}
	s.db.SetMaxOpenConns(1) // the first to be closed makes room for none
	discard(own)
	discard(s.kept)
	s.kept = nil
	return s.keepConnection(ctx) // one at a time still: the first one makes the log
}

// limit has who needs a connection wait for one of those there are.
func (s *Store) limit() {
	s.limited = true
	s.db.SetMaxOpenConns(max(2, s.db.Stats().OpenConnections))
}

// unlimit lets there be any number of connections again. Who waits for one is not told of that by
// database/sql, but by the end of a connection.
func (s *Store) unlimit(ctx context.Context) {
	s.limited = false
	s.db.SetMaxOpenConns(0)
	conn, err := s.db.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return // the same is told then
	}
	discard(conn)
	s.openIdle(context.WithoutCancel(ctx))
}

// discard has a connection closed, and not kept idle.
func discard(conn *sql.Conn) {
	if conn == nil {
		return
	}
	_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn })
	_ = conn.Close() // it is already
}

// emptyLog brings all that the write-ahead log holds into the database that is open.
func (s *Store) emptyLog(ctx context.Context) error {
	var busy, pages, moved int
	err := s.kept.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errors.New("it is in use")
	}
	if err != nil {
		return fmt.Errorf("write the log of the device store into it: %w", err)
	}
	return nil
}

// writeAnew writes the database that is open under its name, which no file has. emptyLog went
// before: a log that stays would otherwise be taken for that of the new file.
func (s *Store) writeAnew(ctx context.Context) error {
	p := s.place
	temp := p.path + anewSuffix
	if err := removeAll(temp, temp+"-journal"); err != nil { // of a putBack that was cut off
		return err
	}
	f, err := openPrivate(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL) // private from the beginning on
	if err != nil {
		return err
	}
	_, err = s.kept.ExecContext(ctx, `VACUUM INTO ?`, temp)
	err = errors.Join(err, f.Sync(), f.Close(), removeAll(p.path+walSuffix, p.path+"-shm"))
	if err != nil {
		return fmt.Errorf("write the device store anew: %w", errors.Join(err, removeAll(temp)))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if state(p.path, p.file) != stateRemoved {
		return fmt.Errorf("%w: another file was put in the place of %s", ErrDisplaced, p.path)
	}
	if err := os.Rename(temp, p.path); err != nil {
		return fmt.Errorf("write the device store anew: %w", err)
	}
	if p.file, err = os.Stat(p.path); err != nil {
		return fmt.Errorf("look at the device store that was written anew: %w", err)
	}
	return private.SyncDir(filepath.Dir(p.path)) //nolint:wrapcheck // it names the directory
}

// keepConnection takes one connection for as long as the store is open: with it the files stay
// open, and what is in them readable, whatever becomes of their names.
func (s *Store) keepConnection(ctx context.Context) error {
	s.place.mu.Lock()
	s.place.log = nil // the new connection makes one
	s.place.mu.Unlock()
	conn, err := s.db.Conn(ctx)
	// the error may be that of a connection that was asked for before
	for errors.Is(err, ErrDisplaced) {
		if _, lost := s.place.check(); lost != nil {
			break
		}
		conn, err = s.db.Conn(ctx)
	}
	if err != nil {
		return fmt.Errorf("open the device store: %w", err)
	}
	var n int
	err = conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&n) // opens the log
	if err != nil {
		return errors.Join(openError(s.place.path, err), conn.Close())
	}
	s.kept = conn
	return s.place.settle()
}

// openIdle opens the connections that are kept idle.
func (s *Store) openIdle(ctx context.Context) {
	s.db.SetMaxIdleConns(idleConnections)
	var open []*sql.Conn
	for range idleConnections {
		if conn, err := s.db.Conn(ctx); err == nil { // else one that is needed says why not
			open = append(open, conn)
		}
	}
	for _, conn := range open {
		_ = conn.Close()
	}
}

func removeAll(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Package device keeps the account's WhatsApp credentials and Signal sessions: the library's own
// SQLite store, opened so that a session never rolls back behind a sent message (WAL,
// synchronous=FULL) and that a foreign or damaged file is refused as it is.
package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"modernc.org/sqlite" // the pure-Go driver, registered as "sqlite"

	"waoutbox/store/private"
)

// Store is the open device store of one account. It is safe for concurrent use.
type Store struct {
	db        *sql.DB
	log       libraryLog
	place     *place
	kept      *sql.Conn // see keepConnection
	limited   bool      // the connections are, while the file lost its name; of Run, then Close
	container atomic.Pointer[sqlstore.Container]
}

// Open opens the device store at path, or creates it, for the server with the given root key (64
// hex digits, or "" for WhatsApp itself). It returns a sentence that says how to mend it when the
// file is no device store, is damaged or locked, when a setting it relies on did not take, and when
// the linked account was paired with another server's key; the file is then as it was. Migrations
// of the library's schema run here.
func Open(ctx context.Context, path, rootKey string, log *slog.Logger) (*Store, error) {
	rootKey, err := canonicalRootKey(rootKey)
	if err != nil {
		return nil, err
	}
	if err := inspect(ctx, path, rootKey); err != nil {
		return nil, err
	}
	if err := secure(path); err != nil {
		return nil, err
	}
	at := &place{path: path}
	s := &Store{db: sql.OpenDB(at), log: libraryLog{log: log.With("component", "device")}, place: at}
	if err := s.prepare(ctx, path, rootKey); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, path, rootKey string) error {
	if err := checkPragmas(ctx, s.db, path); err != nil {
		return err
	}
	container := sqlstore.NewWithDB(s.db, driver, s.log)
	s.container.Store(container)
	var full *sqlite.Error
	switch err := container.Upgrade(ctx); {
	case errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion):
		return fmt.Errorf("the device store %s was written by a newer version of this program: use that version (%w)", path, err)
	case errors.As(err, &full) && diskFull(full.Code()):
		return openError(path, err)
	case err != nil:
		return fmt.Errorf("migrate the device store %s: %w. Check the disk and the file's permissions, then start again", path, err)
	}
	if err := recordRootKey(ctx, s.db, rootKey); err != nil {
		return fmt.Errorf("record the server's root key in %s: %w", path, err)
	}
	if err := s.keepConnection(ctx); err != nil {
		return err
	}
	s.openIdle(ctx)
	return secure(path) // the side files exist only now
}

// Close releases the file. One whose name was removed is written anew before: it would be gone. The
// store must not be used afterwards.
func (s *Store) Close() error {
	err := s.keepPlace(context.Background())
	if err != nil && state(s.place.path, s.place.file) == stateReplaced {
		err = fmt.Errorf("another file is in the place of %s, and what was open is gone with its end. Move that file away, then link the account again: waoutbox pair", s.place.path)
	}
	return errors.Join(err, s.close())
}

func (s *Store) close() error {
	var err error
	if s.kept != nil {
		err = s.kept.Close()
	}
	if err := errors.Join(err, s.db.Close()); err != nil {
		return fmt.Errorf("close the device store: %w", err)
	}
	return nil
}

// Current returns the linked device, or a new one that is stored once it is paired.
func (s *Store) Current(ctx context.Context) (*store.Device, error) {
	dev, err := s.container.Load().GetFirstDevice(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the linked device: %w", err)
	}
	return dev, nil
}

// Renew forgets every linked device with all that is kept of its account, keys, sessions and
// contacts, and returns a new one: what a link needs after it was logged out, since the library
// cannot pair a deleted device again. While none is linked it writes nothing.
func (s *Store) Renew(ctx context.Context) (*store.Device, error) {
	if err := forget(ctx, s.db); err != nil {
		return nil, fmt.Errorf("forget the device that is no longer linked: %w", err)
	}
	// a new one, for the library's has addresses of the forgotten account in memory
	container := sqlstore.NewWithDB(s.db, driver, s.log)
	s.container.Store(container)
	return container.NewDevice(), nil
}

// secure tightens the database and the side files that exist; a database that does not is created.
func secure(path string) error {
	f, err := openPrivate(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("create the device store: %w", err)
	}
	if runtime.GOOS == "windows" {
		return nil // modes mean nothing there, and files that are open cannot be changed
	}
	for _, suffix := range []string{"-wal", "-shm"} { // which opening closes to others
		side, err := openPrivate(path+suffix, os.O_RDWR)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := side.Close(); err != nil {
			return fmt.Errorf("restrict the device store to its owner: %w", err)
		}
	}
	return nil
}

// openPrivate opens a file of the device store, which may lie elsewhere.
func openPrivate(path string, flag int) (*os.File, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := private.Open(path, flag)
	if _, refused := errors.AsType[*private.Error](err); refused {
		return nil, fmt.Errorf("%w: what it holds is this user's alone. Look at it, then make it so, or move it away", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the device store: %w. Give this user read and write permission", err)
	}
	return f, nil
}

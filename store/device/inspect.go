package device

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// header starts every SQLite file.
var header = []byte("SQLite format 3\x00")

// maxFullCheck is the largest file, in bytes, that is checked page by page at every start: some 100
// ms.
const maxFullCheck = 32 << 20

// ErrDamaged is in the chain of what is returned for a device store that is no use any more.
var ErrDamaged = errors.New("the device store is damaged")

// damagedError says what is damaged, and how to go on.
type damagedError struct{ what string }

func (e *damagedError) Error() string {
	return e.what + " and was left as it is. Set it aside: waoutbox doctor --quarantine, then link the account again: waoutbox pair"
}

// Is makes it ErrDamaged.
func (e *damagedError) Is(target error) bool { return target == ErrDamaged }

// Check returns why the device store at path cannot be used, nil if it can, or is missing or empty.
// It writes nothing. Nobody else may have it open: the caller owns the state.
func Check(ctx context.Context, path string) error {
	return look(ctx, path, func(*sql.DB) error { return nil })
}

// inspect refuses a file that is not a device store of this program, without writing to it. A
// missing or empty file is fine.
func inspect(ctx context.Context, path, rootKey string) error {
	return look(ctx, path, func(db *sql.DB) error { return checkRootKey(ctx, db, path, rootKey) })
}

func look(ctx context.Context, path string, more func(*sql.DB) error) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the device store: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file, so it cannot be the device store: move it away", path)
	}
	if info.Size() == 0 {
		return nil
	}
	if err := checkHeader(path); err != nil {
		return err
	}
	db, err := sql.Open(driver, fileURI(path)+"?mode=ro&_pragma=busy_timeout(2000)&_pragma=query_only(1)")
	if err != nil {
		return openError(path, err)
	}
	defer db.Close()
	if err := checkTables(ctx, db, path); err != nil {
		return err
	}
	if info.Size() <= maxFullCheck {
		if err := quickCheck(ctx, db, path); err != nil {
			return err
		}
	}
	return more(db)
}

func checkHeader(path string) error {
	f, err := openPrivate(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	got := make([]byte, len(header))
	_, err = io.ReadFull(f, got)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read the device store %s: %w", path, err) // the file may be whole
	}
	if err != nil || !bytes.Equal(got, header) {
		return &damagedError{path + " is not an SQLite database or its header is damaged,"}
	}
	return nil
}

// checkTables tells the library's schema from another program's.
func checkTables(ctx context.Context, db *sql.DB, path string) error {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return openError(path, err)
	}
	defer rows.Close()
	var names []string
	ours := false
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return openError(path, err)
		}
		ours = ours || name == "whatsmeow_version"
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return openError(path, err)
	}
	if len(names) > 0 && !ours {
		return fmt.Errorf("%s belongs to another program (it has a table %q) and was left as it is: move it away and start again", path, names[0])
	}
	return nil
}

func quickCheck(ctx context.Context, db *sql.DB, path string) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return openError(path, err)
	}
	if verdict != "ok" {
		return damaged(path, verdict)
	}
	return nil
}

// openError says what an SQLite error means for the person who started the program.
func openError(path string, err error) error {
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return fmt.Errorf("read the device store %s: %w", path, err)
	}
	if diskFull(se.Code()) {
		return fmt.Errorf("the device store %s cannot be written: the disk is full. Make space, then start again (%w)", path, err)
	}
	switch se.Code() & 0xff { // extended codes keep the primary one in the low byte
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("the device store %s is locked by another program: close it and start again (%w)", path, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, strings.TrimSpace(err.Error()))
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("the device store %s cannot be written: give this user read and write permission on it and its directory (%w)", path, err)
	}
	return fmt.Errorf("read the device store %s: %w", path, err)
}

// diskFull reports whether SQLite's code, an extended one, means that the disk has no space left.
// It says so of the database and its log, and of the shared index beside them only that its size
// could not be set.
func diskFull(code int) bool {
	return code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE
}

func damaged(path, what string) error {
	return &damagedError{fmt.Sprintf("the device store %s is damaged (%s)", path, what)}
}

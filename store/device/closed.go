package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// closedTable is this program's own table beside the library's: at most one row, since when (unix
// milliseconds) the link is closed because somebody asked for it.
const closedTable = `waoutbox_closed`

// Closed returns what SetClosed stored; the zero time if nothing was. Renew forgets it.
func (s *Store) Closed(ctx context.Context) (since time.Time, err error) {
	if n, err := count(ctx, s.db, `SELECT count(*) FROM `+closedTable, closedTable); err != nil || n == 0 {
		return time.Time{}, err
	}
	var ms int64
	err = s.db.QueryRowContext(ctx, `SELECT since FROM `+closedTable).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read from the device store whether the link is closed: %w", err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// SetClosed stores since when the link is closed, durably; the zero time takes that back.
func (s *Store) SetClosed(ctx context.Context, since time.Time) error {
	_, err := s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+closedTable+` (id INTEGER PRIMARY KEY CHECK (id = 1), since INTEGER NOT NULL)`)
	switch {
	case err != nil:
	case since.IsZero():
		_, err = s.db.ExecContext(ctx, `DELETE FROM `+closedTable)
	default:
		_, err = s.db.ExecContext(ctx, `INSERT INTO `+closedTable+` (id, since) VALUES (1, ?)
			ON CONFLICT (id) DO UPDATE SET since = excluded.since`, since.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("write to the device store whether the link is closed: %w", err)
	}
	return nil
}

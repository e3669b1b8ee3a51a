package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// webVersionTable is this program's own table beside the library's: at most one row, the version of
// WhatsApp Web that was taken over, and when WhatsApp was asked for it (unix milliseconds).
const webVersionTable = `waoutbox_web_version`

// WebVersion returns the version of WhatsApp Web that SetWebVersion stored, and when WhatsApp was
// asked for it; "" and the zero time if nothing was.
func (s *Store) WebVersion(ctx context.Context) (version string, asked time.Time, err error) {
	if n, err := count(ctx, s.db, `SELECT count(*) FROM `+webVersionTable, webVersionTable); err != nil || n == 0 {
		return "", time.Time{}, err
	}
	var ms int64
	err = s.db.QueryRowContext(ctx, `SELECT version, asked FROM `+webVersionTable).Scan(&version, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read WhatsApp Web's version from the device store: %w", err)
	}
	return version, time.UnixMilli(ms).UTC(), nil
}

// SetWebVersion stores both, durably.
func (s *Store) SetWebVersion(ctx context.Context, version string, asked time.Time) error {
	_, err := s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+webVersionTable+` (id INTEGER PRIMARY KEY CHECK (id = 1), version TEXT NOT NULL, asked INTEGER NOT NULL)`)
	if err == nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO `+webVersionTable+` (id, version, asked) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, asked = excluded.asked`, version, asked.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("write WhatsApp Web's version to the device store: %w", err)
	}
	return nil
}

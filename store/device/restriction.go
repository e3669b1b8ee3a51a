package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// restrictionTable is this program's own table beside the library's: at most one row, until when
// (unix milliseconds) the account may not write to strangers, and whether WhatsApp named that time.
const restrictionTable = `waoutbox_restriction`

// Restriction returns what SetRestriction stored; the zero time if nothing was.
func (s *Store) Restriction(ctx context.Context) (until time.Time, named bool, err error) {
	if n, err := count(ctx, s.db, `SELECT count(*) FROM `+restrictionTable, restrictionTable); err != nil || n == 0 {
		return time.Time{}, false, err
	}
	var ms int64
	err = s.db.QueryRowContext(ctx, `SELECT until, named FROM `+restrictionTable).Scan(&ms, &named)
	if errors.Is(err, sql.ErrNoRows) || err == nil && ms == 0 {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the account's restriction from the device store: %w", err)
	}
	return time.UnixMilli(ms).UTC(), named, nil
}

// SetRestriction stores both, durably; the zero time takes a restriction back.
func (s *Store) SetRestriction(ctx context.Context, until time.Time, named bool) error {
	ms := int64(0)
	if !until.IsZero() {
		ms = until.UnixMilli()
	}
	_, err := s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+restrictionTable+` (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER NOT NULL, named INTEGER NOT NULL)`)
	if err == nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO `+restrictionTable+` (id, until, named) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET until = excluded.until, named = excluded.named`, ms, named)
	}
	if err != nil {
		return fmt.Errorf("write the account's restriction to the device store: %w", err)
	}
	return nil
}

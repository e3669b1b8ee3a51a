package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// keptTable is this program's own table beside the library's: what the link has learned of its
// account, by name.
const keptTable = `waoutbox_kept`

// Kept returns what Keep stored under a name, nil if nothing was. Renew forgets it.
func (s *Store) Kept(ctx context.Context, name string) (value []byte, err error) {
	if n, err := count(ctx, s.db, `SELECT count(*) FROM `+keptTable, keptTable); err != nil || n == 0 {
		return nil, err
	}
	err = s.db.QueryRowContext(ctx, `SELECT value FROM `+keptTable+` WHERE name = ?`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read from the device store what is kept of the account: %w", err)
	}
	return value, nil
}

// Keep stores a value under a name, durably.
func (s *Store) Keep(ctx context.Context, name string, value []byte) error {
	_, err := s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+keptTable+` (name TEXT PRIMARY KEY, value BLOB NOT NULL)`)
	if err == nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO `+keptTable+` (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	}
	if err != nil {
		return fmt.Errorf("write to the device store what is kept of the account: %w", err)
	}
	return nil
}

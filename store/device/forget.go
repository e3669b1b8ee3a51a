package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// forget removes what is kept of an account, in one transaction, so that its keys are on the disk
// no longer than it takes. It writes only if there is something.
func forget(ctx context.Context, db *sql.DB) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tables, err := filled(ctx, conn)
	if err != nil || len(tables) == 0 {
		return err
	}
	// freed pages are overwritten, by this connection's deletions only
	if _, err := conn.ExecContext(ctx, `PRAGMA secure_delete = 1`); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong is told; there is nothing to undo after a commit
		}
	}()
	// first, for it takes most of the others along
	if _, err := tx.ExecContext(ctx, `DELETE FROM whatsmeow_device`); err != nil {
		return err
	}
	for _, name := range tables {
		if _, err := tx.ExecContext(ctx, `DELETE FROM "`+name+`"`); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	// the log of writes still has the old pages; when it is busy, a later checkpoint takes them
	_, _ = conn.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return nil
}

// filled lists the tables of an account that have rows: the library's, without that of its schema's
// version, and this program's own.
func filled(ctx context.Context, conn *sql.Conn) (tables []string, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND (name LIKE 'whatsmeow\_%' ESCAPE '\' AND name <> 'whatsmeow_version' OR name IN (?, ?, ?))`, restrictionTable, closedTable, keptTable)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, name := range all {
		var has bool
		if err := conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM "`+name+`")`).Scan(&has); err != nil {
			return nil, err
		}
		if has {
			tables = append(tables, name)
		}
	}
	return tables, nil
}

package device

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
)

// whatsApp stands for the root key built into the library: an account linked with WhatsApp itself.
const whatsApp = "whatsapp"

// rootKeyTable is this program's own table beside the library's: one row, the root key of the
// server the file belongs to.
const rootKeyTable = `waoutbox_root_key`

func canonicalRootKey(key string) (string, error) {
	if key == "" {
		return whatsApp, nil
	}
	if b, err := hex.DecodeString(key); err != nil || len(b) != 32 {
		return "", fmt.Errorf("the root key %q is not 64 hex digits: set whatsapp-root-key to the key the server prints", key)
	}
	return strings.ToLower(key), nil
}

// checkRootKey refuses a linked account that another server's key was recorded for. Its sessions
// mean nothing there, and the login would be answered with a log-out that deletes them.
func checkRootKey(ctx context.Context, db *sql.DB, path, rootKey string) error {
	linked, err := count(ctx, db, `SELECT count(*) FROM whatsmeow_device`, "whatsmeow_device")
	if err != nil || linked == 0 {
		return wrapOpen(path, err)
	}
	// a linked account without a record was linked by another program, with WhatsApp
	recorded := whatsApp
	n, err := count(ctx, db, `SELECT count(*) FROM `+rootKeyTable, rootKeyTable)
	if err != nil {
		return wrapOpen(path, err)
	}
	if n > 0 {
		if err := db.QueryRowContext(ctx, `SELECT root_key FROM `+rootKeyTable).Scan(&recorded); err != nil {
			return openError(path, err)
		}
	}
	if recorded == rootKey {
		return nil
	}
	return fmt.Errorf("the account in %s was linked with %s, but the settings point at %s: set whatsapp-url and whatsapp-root-key back%s, or use another state directory",
		path, describeKey(recorded), describeKey(rootKey), backTo(recorded))
}

// recordRootKey writes the key. It runs after checkRootKey, so that it replaces another key only
// while no account is linked.
func recordRootKey(ctx context.Context, db *sql.DB, rootKey string) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+rootKeyTable+` (id INTEGER PRIMARY KEY CHECK (id = 1), root_key TEXT NOT NULL)`)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO `+rootKeyTable+` (id, root_key) VALUES (1, ?)
		ON CONFLICT (id) DO UPDATE SET root_key = excluded.root_key WHERE root_key <> excluded.root_key`, rootKey)
	return err
}

// count returns 0 for a table that does not exist.
func count(ctx context.Context, db *sql.DB, query, table string) (n int, err error) {
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)`, table).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func wrapOpen(path string, err error) error {
	if err == nil {
		return nil
	}
	return openError(path, err)
}

func describeKey(key string) string {
	if key == whatsApp {
		return "WhatsApp itself"
	}
	return "the server with root key " + key
}

func backTo(key string) string {
	if key == whatsApp {
		return " to empty"
	}
	return " to that server"
}

package device

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// driver is the name modernc.org/sqlite registers and the library's word for the dialect.
const driver = "sqlite"

// pragma is a setting the store relies on, and what SQLite must read back.
type pragma struct{ name, set, want, why string }

// pragmas are set on every connection. busy_timeout is in milliseconds; it must be a pragma, the
// DSN key of other drivers is ignored and some starts then show undecryptable messages.
var pragmas = []pragma{
	{"foreign_keys", "1", "1", "the library's schema needs it"},
	{"busy_timeout", "10000", "10000", "writers wait for each other instead of failing"},
	{"journal_mode", "WAL", "wal", "readers must not block the message path"},
	{"synchronous", "FULL", "2", "a power cut must not roll a session back behind a sent message"},
}

// fileURI is the SQLite URI of a path, whatever characters it has.
func fileURI(path string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") && filepath.IsAbs(path) {
		p = "/" + p // C:/…
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath()
}

func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "mode": {"rw"}} // it is there: no other one is made
	for _, p := range pragmas {
		q.Add("_pragma", p.name+"("+p.set+")")
	}
	return fileURI(path) + "?" + q.Encode()
}

// checkPragmas reads every setting back: SQLite ignores what it cannot do, for example WAL on some
// network file systems.
func checkPragmas(ctx context.Context, db *sql.DB, path string) error {
	for _, p := range pragmas {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return openError(path, err)
		}
		if !strings.EqualFold(got, p.want) {
			return fmt.Errorf("the device store %s cannot run with %s=%s (SQLite has %q; %s): move the state directory to a local file system", path, p.name, p.set, got, p.why)
		}
	}
	return nil
}

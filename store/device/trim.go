package device

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	// secretsTable is the library's: a secret of each message that has one, by which votes, edits
	// and replies that come to it later are read. None of them ever goes by itself, and who sends
	// messages decides how many there are.
	secretsTable = `whatsmeow_message_secrets`
	// keptSecrets is how many of them are kept, the newest: some 50 MB.
	keptSecrets = 200_000
	// trimStep is how many go in one transaction, so that no writer waits for long.
	trimStep = 1000

	firstTrim = time.Minute
	everyTrim = 24 * time.Hour
)

// Run keeps the file in its place and within bounds until ctx ends: what is trimmed makes room for
// what comes, and what was removed is written anew. It returns nil; what failed is tried again,
// trimming a day later.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(firstTrim)
	defer timer.Stop()
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	failed := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-looks.C:
			err := s.keepPlace(ctx)
			if err != nil && ctx.Err() == nil && err.Error() != failed { // once for each reason
				failed = err.Error()
				s.log.log.Error("the device store lost its place", "error", err)
			} else if err == nil {
				failed = ""
			}
			continue
		case <-timer.C:
		}
		if err := s.trim(ctx, keptSecrets); err != nil && ctx.Err() == nil {
			s.log.log.Warn("old secrets of messages could not be removed", "error", err)
		}
		timer.Reset(everyTrim)
	}
}

// trim removes all secrets of messages but the newest keep.
func (s *Store) trim(ctx context.Context, keep int64) error {
	var newest sql.NullInt64 // in the order of their coming
	if err := s.db.QueryRowContext(ctx, `SELECT max(rowid) FROM `+secretsTable).Scan(&newest); err != nil {
		return fmt.Errorf("count the secrets of messages: %w", err)
	}
	for gone := int64(trimStep); gone == trimStep; {
		res, err := s.db.ExecContext(ctx, `DELETE FROM `+secretsTable+` WHERE rowid IN (SELECT rowid FROM `+secretsTable+` WHERE rowid <= ? ORDER BY rowid LIMIT ?)`,
			newest.Int64-keep, trimStep)
		if err != nil {
			return fmt.Errorf("remove old secrets of messages: %w", err)
		}
		if gone, err = res.RowsAffected(); err != nil {
			return fmt.Errorf("remove old secrets of messages: %w", err)
		}
	}
	return nil
}

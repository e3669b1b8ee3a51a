package device

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// Of the secrets of messages, whose number is up to who sends them, the newest are kept.
//
// Mutation of trim.go: who sends messages fills the disk with what the library keeps of each.
func TestSecretsOfMessagesAreBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "whatsapp.db"), "")
	if err := s.trim(t.Context(), 10); err != nil {
		t.Errorf("of none: %v", err)
	}
	conn, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`PRAGMA foreign_keys = OFF`, // there is no device that they are of
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3500)
			INSERT INTO whatsmeow_message_secrets (our_jid, chat_jid, sender_jid, message_id, key) SELECT 'a', 'b', 'c', i, x'00' FROM n`,
		`PRAGMA foreign_keys = ON`,
	} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time nothing goes
		if err := s.trim(t.Context(), 1200); err != nil {
			t.Fatal(err)
		}
		var n, oldest int
		err := s.db.QueryRowContext(t.Context(), `SELECT count(*), min(CAST(message_id AS INTEGER)) FROM whatsmeow_message_secrets`).Scan(&n, &oldest)
		if err != nil || n != 1200 || oldest != 2301 {
			t.Errorf("%d are left, the oldest is %d, %v", n, oldest, err)
		}
	}
}

// Run trims by itself, soon after it began.
func TestRunTrims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "whatsapp.db"), "")
		conn, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{
			`PRAGMA foreign_keys = OFF`, // there is no device that they are of
			`INSERT INTO whatsmeow_message_secrets (rowid, our_jid, chat_jid, sender_jid, message_id, key) VALUES
				(1, 'a', 'b', 'c', 'old', x'00'), (200001, 'a', 'b', 'c', 'new', x'00')`,
		} {
			if _, err := conn.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*firstTrim)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		var left string
		if err := s.db.QueryRowContext(t.Context(), `SELECT group_concat(message_id) FROM whatsmeow_message_secrets`).Scan(&left); err != nil || left != "new" {
			t.Errorf("left are %q, %v", left, err)
		}
	})
}

// Run waits beside the link, and ends with its context.
func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := (&Store{}).Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

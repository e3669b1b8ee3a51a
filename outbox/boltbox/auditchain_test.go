package boltbox_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// TestAnEditedAuditTrailIsTold: whoever changes, removes or adds a record in the file, or takes the
// newest ones off, is found out; who replaces all of the chain, by a link noted elsewhere.
//
// Mutation of auditchain.go: a record that was changed is taken as it is.
// Mutation of auditchain.go: a record that was removed is none that is missing.
// Mutation of auditchain.go: links that were noted elsewhere are not looked for.
func TestAnEditedAuditTrailIsTold(t *testing.T) {
	t.Parallel()
	record := func(sec int64, body string) outbox.Audit {
		return outbox.Audit{AuditKey: outbox.AuditKey{Time: moment(sec), Tag: uint32(sec)}, Body: []byte(body)}
	}
	bucket := func(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
	nth := func(b *bbolt.Bucket, n int) (k, v []byte) {
		c := b.Cursor()
		for k, v = c.First(); n > 0; n-- {
			k, v = c.Next()
		}
		return k, v
	}
	for name, c := range map[string]struct {
		edit func(tx *bbolt.Tx) error
		want string
	}{
		"nothing": {func(*bbolt.Tx) error { return nil }, ""},
		"changed": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 1)
			return bucket(tx, "audit").Put(k, outbox.EncodeAudit(k, record(0, "somebody else")))
		}, "is not the one that was stored"},
		"damaged": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 1)
			return bucket(tx, "audit").Put(k, []byte{2})
		}, "is not the one that was stored"},
		"removed": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 1)
			return bucket(tx, "audit").Delete(k)
		}, "is missing"},
		"removed with its link": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 1)
			if err := bucket(tx, "audit").Delete(k); err != nil {
				return err
			}
			k, _ = nth(bucket(tx, "auditchain"), 1)
			return bucket(tx, "auditchain").Delete(k)
		}, "links are missing"},
		"the first removed with its link": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 0)
			if err := bucket(tx, "audit").Delete(k); err != nil {
				return err
			}
			k, _ = nth(bucket(tx, "auditchain"), 0)
			return bucket(tx, "auditchain").Delete(k)
		}, "links are missing"},
		"added": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "audit"), 1)
			k = append([]byte(nil), k...)
			k[len(k)-1]++
			return bucket(tx, "audit").Put(k, outbox.EncodeAudit(k, record(1, "was never done")))
		}, "was not stored by waoutbox"},
		"a link damaged": {func(tx *bbolt.Tx) error {
			k, _ := nth(bucket(tx, "auditchain"), 1)
			return bucket(tx, "auditchain").Put(k, []byte("x"))
		}, "has a link that cannot be read"},
		"the newest taken off": {func(tx *bbolt.Tx) error {
			for _, name := range []string{"audit", "auditchain"} {
				k, _ := nth(bucket(tx, name), 2)
				if err := bucket(tx, name).Delete(k); err != nil {
					return err
				}
			}
			return nil
		}, "that you noted is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
			box := openBox(t, db, boltbox.Options{})
			for i, body := range []string{"one", "two", "three"} {
				if err := box.PutAudit(t.Context(), record(int64(i+1), body)); err != nil {
					t.Fatal(err)
				}
			}
			noted, err := box.VerifyAudit(t.Context())
			if err != nil || len(noted.Broken) > 0 || noted.Records[outbox.AuditChange] != 3 {
				t.Fatalf("as it was stored: %+v, %v", noted, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			raw, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := raw.Update(c.edit); err != nil {
				t.Fatal(err)
			}
			if err := raw.Close(); err != nil {
				t.Fatal(err)
			}
			box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
			got, err := box.VerifyAudit(t.Context(), noted.Newest...)
			if err != nil {
				t.Fatal(err)
			}
			whys := ""
			for _, b := range got.Broken {
				whys += b.Why + "; "
			}
			if c.want == "" && whys != "" || !strings.Contains(whys, c.want) {
				t.Errorf("found %q, want %q", whys, c.want)
			}
			// what is stored afterwards has its place all the same
			if err := box.PutAudit(t.Context(), record(9, "later")); err != nil {
				t.Error(err)
			}
			if _, _, err := box.TrimAudit(t.Context(), outbox.AuditChange, time.Time{}, 1); err != nil {
				t.Error(err)
			}
		})
	}
}

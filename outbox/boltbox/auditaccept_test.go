package boltbox_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// noteOf is the record that a trail was accepted, with the places that were found.
func noteOf(found outbox.AuditCheck) (outbox.Audit, error) {
	body := "accepted:"
	for _, b := range found.Broken {
		body += " " + b.Why + ";"
	}
	return auditOf(100, body), nil
}

func auditAlarm(t *testing.T, box *boltbox.Box) bool {
	t.Helper()
	st, err := box.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(st.Faults, func(f outbox.Fault) bool { return f.Cause == outbox.FaultAuditChanged })
}

// TestAnEditedAuditTrailCanBeAccepted: a trail that something else changed is taken as it is on
// request, with a record of what was found, and is sealed, checked, trimmed and goes on as before;
// what was noted before it says so. Before, such a trail was called changed for ever, and what came
// after it was not sealed.
//
// Mutation of auditaccept.go: what was accepted is not on record.
// Mutation of auditaccept.go: what was accepted is still told of.
// Mutation of auditchain.go: links of before an acceptance seem to be there.
// Mutation of auditseal.go: nobody is told until somebody asks.
func TestAnEditedAuditTrailCanBeAccepted(t *testing.T) {
	t.Parallel()
	audit := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("audit")) }
	chain := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("auditchain")) }
	meta := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("meta")) }
	second := func(b *bbolt.Bucket) []byte {
		c := b.Cursor()
		c.First()
		k, _ := c.Next()
		return bytes.Clone(k)
	}
	for name, c := range map[string]struct {
		edit func(tx *bbolt.Tx) error
		left int // records of changes, with the one that says so
	}{
		"changed": {func(tx *bbolt.Tx) error {
			k := second(audit(tx))
			return audit(tx).Put(k, outbox.EncodeAudit(k, auditOf(2, "x")))
		}, 4},
		"damaged":      {func(tx *bbolt.Tx) error { return audit(tx).Put(second(audit(tx)), []byte{2}) }, 3},
		"removed":      {func(tx *bbolt.Tx) error { return audit(tx).Delete(second(audit(tx))) }, 3},
		"of no kind":   {func(tx *bbolt.Tx) error { return audit(tx).Put(append([]byte{77}, make([]byte, 12)...), []byte("x")) }, 4},
		"of no key":    {func(tx *bbolt.Tx) error { return audit(tx).Put([]byte("\x00x"), []byte("x")) }, 4},
		"a link":       {func(tx *bbolt.Tx) error { return chain(tx).Put(second(chain(tx)), []byte("x")) }, 4},
		"of no link":   {func(tx *bbolt.Tx) error { return chain(tx).Put([]byte("\x00\x00x"), []byte("x")) }, 4},
		"trimmed what": {func(tx *bbolt.Tx) error { return chain(tx).Put([]byte{0}, []byte("x")) }, 4},
		"made anew": {func(tx *bbolt.Tx) error {
			return remake(tx, auditOf(1, "x"), auditOf(2, "y"), auditOf(3, "z"), auditOf(4, "w"))
		}, 5},
		"emptied":  {func(tx *bbolt.Tx) error { return remake(tx) }, 1},
		"the seal": {func(tx *bbolt.Tx) error { return meta(tx).Delete([]byte("auditseal\x00")) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			key := &stateKey{key: "k", settled: true}
			open := func() (*store.DB, *boltbox.Box) {
				db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
				box := openBox(t, db, boltbox.Options{})
				sealedBy(t, box, key)
				return db, box
			}
			db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
			box := openBox(t, db, boltbox.Options{})
			sealedBy(t, box, &stateKey{key: "k"})
			sent := auditOf(9, "sent")
			sent.Kind = outbox.AuditSend
			if err := box.PutAudit(t.Context(), auditOf(1, "one"), auditOf(2, "two"), auditOf(3, "three"), sent); err != nil {
				t.Fatal(err)
			}
			noted, err := box.VerifyAudit(t.Context())
			if err := errors.Join(err, db.Close()); err != nil || len(noted.Newest) != 2 {
				t.Fatal(noted, err)
			}
			raw, err := bbolt.Open(path, 0o600, nil)
			if err == nil {
				err = errors.Join(raw.Update(c.edit), raw.Close())
			}
			if err != nil {
				t.Fatal(err)
			}

			db, box = open()
			if !auditAlarm(t, box) {
				t.Error("no fault when it was opened")
			}
			found, err := box.AcceptAudit(t.Context(), noteOf)
			if err != nil || len(found.Broken) == 0 {
				t.Fatalf("accepted %+v, %v", found, err)
			}
			whole := func(when string, box *boltbox.Box, records int) {
				t.Helper()
				got, err := box.VerifyAudit(t.Context())
				if err != nil || len(got.Broken) > 0 || got.Unsealed > 0 || !got.SealChecked || got.Records[outbox.AuditChange] != records || got.Records[outbox.AuditSend] > 1 {
					t.Errorf("%s: %+v, %v", when, got, err)
				}
				if auditAlarm(t, box) {
					t.Errorf("%s: there is a fault", when)
				}
			}
			whole("accepted", box, c.left)
			said, err := box.Audits(t.Context(), outbox.AuditQuery{Limit: 1})
			if err != nil || len(said) != 1 || !strings.Contains(string(said[0].Body), found.Broken[0].Why) {
				t.Errorf("on record: %+v, %v", said, err)
			}
			if again, err := box.AcceptAudit(t.Context(), noteOf); err != nil || len(again.Broken) > 0 {
				t.Errorf("again: %+v, %v", again, err)
			}
			whole("accepted again", box, c.left)
			if got, err := box.VerifyAudit(t.Context(), noted.Newest...); err != nil || len(got.Broken) == 0 && found.BrokenKinds[outbox.AuditChange] {
				t.Errorf("what was noted before: %+v, %v", got, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}

			_, box = open()
			whole("opened again", box, c.left)
			if err := box.PutAudit(t.Context(), auditOf(101, "later")); err != nil {
				t.Fatal(err)
			}
			whole("with a later one", box, c.left+1)
			for keep := c.left; keep >= 0; keep -= 2 {
				if _, _, err := box.TrimAudit(t.Context(), outbox.AuditChange, time.Time{}, keep); err != nil {
					t.Fatal(err)
				}
				whole("trimmed", box, keep)
			}
		})
	}
}

// TestNoAuditTrailIsAcceptedWithoutTheKey: it would have to be sealed.
//
// Mutation of auditaccept.go: what was accepted is not sealed.
func TestNoAuditTrailIsAcceptedWithoutTheKey(t *testing.T) {
	t.Parallel()
	box := openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	sealedBy(t, box, nil)
	if _, err := box.AcceptAudit(t.Context(), noteOf); !errors.Is(err, outbox.ErrAuditKey) {
		t.Errorf("got %v", err)
	}
}

package boltbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
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

// stateKey stands for the key of a state: its seal is a hash of what it is, the context and the
// content.
type stateKey struct {
	key     string
	settled bool
}

func (k stateKey) sum(plain []byte, context string) []byte {
	sum := sha256.Sum256([]byte(k.key + "\x00" + context + "\x00" + string(plain)))
	return sum[:]
}

func (k stateKey) Seal(plain []byte, context string) ([]byte, error) {
	return append(k.sum(plain, context), plain...), nil
}

func (k stateKey) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < sha256.Size || !bytes.Equal(sealed[:sha256.Size], k.sum(sealed[sha256.Size:], context)) {
		return nil, errors.New("not sealed with this key")
	}
	return sealed[sha256.Size:], nil
}

func (k stateKey) AuditSettled() bool { return k.settled }

// sealedBy gives a box its key; nil: there is none.
func sealedBy(t *testing.T, box *boltbox.Box, k *stateKey) {
	t.Helper()
	key := func() outbox.AuditSealer {
		if k == nil {
			return nil
		}
		return *k
	}
	if err := box.SealAudit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func auditOf(sec int64, body string) outbox.Audit {
	return outbox.Audit{AuditKey: outbox.AuditKey{Time: moment(sec), Tag: uint32(sec)}, Body: []byte(body)}
}

// remake makes a whole chain of other records, as somebody can who knows the format and has not the
// key.
func remake(tx *bbolt.Tx, records ...outbox.Audit) error {
	audit, chain := tx.Bucket([]byte("audit")), tx.Bucket([]byte("auditchain"))
	for _, b := range []*bbolt.Bucket{audit, chain} {
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.First() {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	var hash outbox.AuditHash
	for i, a := range records {
		key := append(binary.BigEndian.AppendUint64([]byte{byte(a.Kind)}, uint64(a.Time.UnixNano())), 0, 0, 0, 0)
		binary.BigEndian.PutUint32(key[9:], a.Tag)
		hash = hash.Next(a)
		at := binary.BigEndian.AppendUint64([]byte{byte(a.Kind)}, uint64(i+1))
		if err := errors.Join(audit.Put(key, outbox.EncodeAudit(key, a)), chain.Put(at, boltbox.Summed(append(slices.Clone(key), hash[:]...), at))); err != nil {
			return err
		}
	}
	return nil
}

// TestAnAuditTrailMadeAnewIsTold: whoever edits the file without the key is found out also when he
// makes the chain of hashes anew, takes its newest links off, or the seals away. Before, a chain
// that was made anew was found intact unless a link had been noted elsewhere.
//
// Mutation of auditseal.go: a chain that was made anew is taken as it is.
// Mutation of auditseal.go: the newest records can be taken off.
// Mutation of auditseal.go: who takes the seal away has a trail of an older version.
// Mutation of auditseal.go: what was edited is sealed with the next record.
// Mutation of auditseal.go: what is removed can be said to be trimmed.
func TestAnAuditTrailMadeAnewIsTold(t *testing.T) {
	t.Parallel()
	meta := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("meta")) }
	for name, c := range map[string]struct {
		edit func(tx *bbolt.Tx) error
		key  stateKey // of who opens the file then
		want string
	}{
		"nothing": {func(*bbolt.Tx) error { return nil }, stateKey{key: "k", settled: true}, ""},
		"made anew": {func(tx *bbolt.Tx) error {
			return remake(tx, auditOf(1, "one"), auditOf(2, "somebody else"), auditOf(3, "three"))
		}, stateKey{key: "k", settled: true}, "is not the one that was sealed"},
		"made longer": {func(tx *bbolt.Tx) error {
			return remake(tx, auditOf(1, "x"), auditOf(2, "y"), auditOf(3, "z"), auditOf(4, "w"))
		}, stateKey{key: "k", settled: true}, "is not the one that was sealed"},
		"made shorter":  {func(tx *bbolt.Tx) error { return remake(tx, auditOf(1, "one"), auditOf(2, "two")) }, stateKey{key: "k", settled: true}, "that was sealed is missing"},
		"emptied":       {func(tx *bbolt.Tx) error { return remake(tx) }, stateKey{key: "k", settled: true}, "that was sealed is missing"},
		"the seal away": {func(tx *bbolt.Tx) error { return meta(tx).Delete([]byte("auditseal\x00")) }, stateKey{key: "k", settled: true}, "it was taken away"},
		"the seal of another kind": {func(tx *bbolt.Tx) error {
			return meta(tx).Put([]byte("auditseal\x00"), bytes.Clone(meta(tx).Get([]byte("auditseal\x01"))))
		}, stateKey{key: "k", settled: true}, "does not open"},
		"the seal changed": {func(tx *bbolt.Tx) error { return meta(tx).Put([]byte("auditseal\x00"), []byte("x")) }, stateKey{key: "k", settled: true}, "does not open"},
		"removed, and said to be trimmed": {func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket([]byte("audit")).Cursor().First()
			k = bytes.Clone(k)
			at := []byte{0}
			return errors.Join(tx.Bucket([]byte("audit")).Delete(k), tx.Bucket([]byte("auditchain")).Put(at, boltbox.Summed(bytes.Clone(k), at)))
		}, stateKey{key: "k", settled: true}, "was not when it was sealed"},
		"another key": {func(*bbolt.Tx) error { return nil }, stateKey{key: "other", settled: true}, "does not open"},
		// the user has set secrets anew, with a key of which this is the first
		"a new key for a lost one": {func(*bbolt.Tx) error { return nil }, stateKey{key: "other"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), store.OutboxFile)
			db := storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()})
			box := openBox(t, db, boltbox.Options{})
			sealedBy(t, box, &stateKey{key: "k"})
			for i, body := range []string{"one", "two", "three"} {
				if err := box.PutAudit(t.Context(), auditOf(int64(i+1), body)); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := box.VerifyAudit(t.Context()); err != nil || len(got.Broken) > 0 || !got.SealChecked || got.Unsealed > 0 {
				t.Fatalf("as it was stored: %+v, %v", got, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			raw, err := bbolt.Open(path, 0o600, nil)
			if err == nil {
				err = errors.Join(raw.Update(c.edit), raw.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			box = openBox(t, storetest.OpenAt(t, path, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
			sealedBy(t, box, &c.key)
			for i := range 2 { // what is stored afterwards does not cover it up
				got, err := box.VerifyAudit(t.Context())
				whys := ""
				for _, b := range got.Broken {
					whys += b.Why + "; "
				}
				if err != nil || c.want == "" && whys != "" || i == 0 && !strings.Contains(whys, c.want) || c.want != "" && whys == "" {
					t.Errorf("found %q, %v, want %q", whys, err, c.want)
				}
				if err := box.PutAudit(t.Context(), auditOf(20, "later")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRecordsWithoutASealAreNoted: what was stored before there were seals is sealed as it is; what
// was stored while the key was missing is told of, and noted when it is sealed. Trims wait for the
// key, and are sealed.
func TestRecordsWithoutASealAreNoted(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()})
	put := func(box *boltbox.Box, all ...outbox.Audit) {
		t.Helper()
		if err := box.PutAudit(t.Context(), all...); err != nil {
			t.Fatal(err)
		}
	}
	check := func(box *boltbox.Box, what string, looked bool, unsealed, records int) {
		t.Helper()
		got, err := box.VerifyAudit(t.Context())
		if err != nil || len(got.Broken) > 0 || got.SealChecked != looked || got.Unsealed != unsealed || got.Records[outbox.AuditChange] != records {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	box := openBox(t, db, boltbox.Options{Now: func() time.Time { return moment(10) }})
	put(box, auditOf(1, "of an older version"))
	check(box, "without a key", false, 0, 1)

	box = openBox(t, db, boltbox.Options{Now: func() time.Time { return moment(10) }})
	sealedBy(t, box, &stateKey{key: "k"})
	check(box, "with the first key", true, 0, 1)

	box = openBox(t, db, boltbox.Options{Now: func() time.Time { return moment(10) }})
	sealedBy(t, box, nil)
	put(box, auditOf(2, "while the key is missing"), auditOf(3, "and this"))
	if n, more, err := box.TrimAudit(t.Context(), outbox.AuditChange, time.Time{}, 1); n != 0 || more || err != nil {
		t.Errorf("trimmed without the key: %d, %v, %v", n, more, err)
	}
	check(box, "while the key is missing", false, 0, 3)

	box = openBox(t, db, boltbox.Options{Now: func() time.Time { return moment(10) }})
	sealedBy(t, box, &stateKey{key: "k", settled: true})
	check(box, "with the key back", true, 0, 4)
	all, err := box.Audits(t.Context(), outbox.AuditQuery{Limit: 1})
	if err != nil || len(all) != 1 || !strings.Contains(string(all[0].Body), `"audit.seal"`) || !strings.Contains(string(all[0].Body), "sealed now, and stored without a seal of this key: 2") {
		t.Errorf("noted: %+v, %v", all, err)
	}
	if n, _, err := box.TrimAudit(t.Context(), outbox.AuditChange, time.Time{}, 1); n != 3 || err != nil {
		t.Errorf("trimmed: %d, %v", n, err)
	}
	check(box, "trimmed", true, 0, 1)
	put(box, auditOf(30, "later"))
	check(box, "and later", true, 0, 2)

	box = openBox(t, db, boltbox.Options{})
	commits := func() (n int) {
		if err := db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := commits()
	sealedBy(t, box, &stateKey{key: "k", settled: true})
	if n := commits() - before; n != 0 {
		t.Errorf("a start with nothing to seal wrote %d times", n)
	}
}

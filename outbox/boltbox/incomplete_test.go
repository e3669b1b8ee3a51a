package boltbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// A file without one of its buckets is refused when it is opened, by one sentence, and left as it
// is. Before, it was opened: the first reading of the bucket ended with "internal error (runtime
// error: invalid memory address or nil pointer dereference)", and a state without webhooks' counts
// was served as if it were whole.
//
// Mutation of store/migrate.go: a file that has lost one of its buckets is opened as if it were
// whole.
func TestFileWithoutABucketIsRefused(t *testing.T) {
	for _, from := range []string{formatV6, formatV3} {
		names := boltbox.Schema().Buckets
		if from == formatV3 {
			names = []string{"events", "subs", "cursors", "pending", "dead", "sends", "removed", "seenruns", "seenkeys", "seenfilters"}
		}
		if len(names) < 10 {
			t.Fatalf("the schema names %d buckets", len(names))
		}
		for _, name := range names {
			t.Run(filepath.Base(from)+"/"+name, func(t *testing.T) {
				path := without(t, from, name)
				before, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
				if err == nil {
					t.Fatal("it was opened", db.Close())
				}
				if e, ok := errors.AsType[*store.Error](err); !ok || e.Kind != store.Damaged {
					t.Errorf("%v is not of kind %q", err, store.Damaged)
				}
				if from == formatV6 && name != "meta" && !strings.Contains(err.Error(), "the bucket "+name+" is missing") {
					t.Errorf("it was refused with %q, which does not name the bucket", err)
				}
				after, err := os.ReadFile(path)
				if err != nil || from == formatV6 && !bytes.Equal(before, after) {
					t.Errorf("a refused file was changed (%v)", err)
				}
			})
		}
	}
}

// without returns the path of a copy of the file at from that lacks a bucket.
func without(t *testing.T, from, bucket string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucket)) }), db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

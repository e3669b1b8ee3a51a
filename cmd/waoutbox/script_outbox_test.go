package main

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// scriptClock is `clock DURATION FILE`: the outbox of a service that does not run becomes one that
// was written while this machine's clock was set otherwise by so much. To the program, the clock
// was moved back by it since then; a negative one: forward.
func scriptClock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: clock duration file")
	}
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	db, err := bbolt.Open(ts.MkAbs(args[1]), 0o600, &bbolt.Options{Timeout: untilLimit})
	ts.Check(err)
	defer db.Close()
	ts.Check(db.Update(func(tx *bbolt.Tx) error {
		err := rewrite(tx.Bucket([]byte("events")), func(k, v []byte) ([]byte, error) {
			ev, err := outbox.DecodeEvent(seqOf(k), v)
			ev.Time = ev.Time.Add(by)
			return outbox.EncodeEvent(ev), err
		})
		if err != nil {
			return err
		}
		return rewrite(tx.Bucket([]byte("pending")), func(k, v []byte) ([]byte, error) {
			id := outbox.SubID(k[:len(k)-9])
			r, err := outbox.DecodeRecord(id, seqOf(k), v)
			r.Due = r.Due.Add(by)
			return outbox.EncodeRecord(id, r), err
		})
	}))
}

// seqOf is the sequence that a key ends with.
func seqOf(k []byte) (s outbox.Seq) {
	for _, b := range k[len(k)-8:] {
		s = s<<8 | outbox.Seq(b)
	}
	return s
}

func rewrite(b *bbolt.Bucket, change func(k, v []byte) ([]byte, error)) error {
	type entry struct{ k, v []byte }
	var all []entry
	err := b.ForEach(func(k, v []byte) error {
		changed, err := change(k, v)
		all = append(all, entry{bytes.Clone(k), changed})
		return err
	})
	for _, e := range all {
		if err == nil {
			err = b.Put(e.k, e.v)
		}
	}
	return err
}

// scriptKept is `kept FORMAT FILE`: the file becomes an outbox that the version which introduced
// the format wrote.
func scriptKept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: kept format file")
	}
	raw, err := os.ReadFile(filepath.Join(repository, "store", "storetest", "testdata", "format-v"+args[0]+".db"))
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, raw, 0o600))
}

// scriptNewerLanes is `newerlanes FILE`: a newer version of the program wrote how each webhook's
// delivery stands, in the outbox of a service that does not run.
func scriptNewerLanes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newerlanes file")
	}
	ctx, cancel := untilLimited()
	defer cancel()
	db, err := store.Open(ts.MkAbs(args[0]), store.DBOptions{Schema: boltbox.Schema()})
	ts.Check(err)
	defer db.Close()
	box, err := boltbox.Open(ctx, db, boltbox.Options{})
	ts.Check(err)
	subs, err := box.Subs(ctx)
	ts.Check(err)
	for _, s := range subs {
		ts.Check(box.Commit(ctx, outbox.Change{Sub: s.ID, Lane: []byte{200, 1}}))
	}
}

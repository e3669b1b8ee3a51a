package boltbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// Files of formats 1 and 2 kept the keys in one bucket, by stanza time and hash. They are made into
// runs a piece at a time; until that is done, what is left is found as it was then.

// oldSeenSize is the size of a key there: stanza time and hash. The value is the first sequence and
// the moment of entry, in unix seconds.
const oldSeenSize = 4 + hashSize

func oldSeenKey(stamp uint32, h keyHash) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, oldSeenSize), stamp), h[:]...)
}

func parseOldSeen(v []byte) (s outbox.Seq, at uint32, ok bool) {
	if len(v) != 12 {
		return 0, 0, false
	}
	return outbox.Seq(binary.BigEndian.Uint64(v)), binary.BigEndian.Uint32(v[8:]), true
}

// findOld returns the first sequence of a key that lies where those formats had it.
func (x *seenIndex) findOld(tx *bbolt.Tx, h keyHash, stamp uint32) (outbox.Seq, bool) {
	if !x.next.old {
		return 0, false
	}
	seq, at, ok := parseOldSeen(tx.Bucket([]byte(bucketOldSeen)).Get(oldSeenKey(stamp, h)))
	return seq, ok && x.oldSeenKept(stamp, at)
}

func (x *seenIndex) oldSeenKept(stamp, at uint32) bool {
	return stamp == 0 || x.now().Unix()-int64(at) < int64(outbox.SeenKept/time.Second)
}

// convert makes one piece of what those formats kept into runs, without what is older than
// outbox.SeenKept, and removes the bucket when it is empty.
func (x *seenIndex) convert(tx *bbolt.Tx) error {
	if !x.next.old {
		return nil
	}
	var timed, timeless []seenEntry
	var passed [][]byte
	var newest uint32
	c := tx.Bucket([]byte(bucketOldSeen)).Cursor()
	for k, v := c.First(); k != nil && len(passed) < x.seal; k, v = c.Next() {
		passed = append(passed, bytes.Clone(k))
		seq, at, ok := parseOldSeen(v)
		if !ok || len(k) != oldSeenSize {
			x.box.unreadable(bucketOldSeen, k, errors.New("not an entry of the dedupe index"))
			continue
		}
		e := seenEntry{hash: keyHash(k[4:]), seq: seq}
		stamp := binary.BigEndian.Uint32(k)
		switch {
		case stamp == 0:
			timeless = append(timeless, e)
		case x.oldSeenKept(stamp, at):
			timed, newest = append(timed, e), max(newest, at)
		}
	}
	if len(passed) == 0 {
		x.next.old, x.next.planned = false, false
		if err := tx.DeleteBucket([]byte(bucketOldSeen)); err != nil {
			return fmt.Errorf("remove bucket %s: %w", bucketOldSeen, err)
		}
		return nil
	}
	if err := deleteAll(tx, bucketOldSeen, passed); err != nil {
		return err
	}
	if err := x.addRun(tx, timed, max(newest, 1)); err != nil {
		return err
	}
	x.earn(len(passed))
	return x.addRun(tx, timeless, 0)
}

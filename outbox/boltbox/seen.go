package boltbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

const (
	// seenStep is how many entries of the dedupe index one append looks at to forget old ones: more than it adds in the long
	// run, so the index cannot grow without bound, and few enough not to be felt.
	seenStep = 64
	// seenPause is how long pruning rests after it found nothing more.
	seenPause = time.Minute
)

// lookup answers the first sequence of a key that is still remembered.
func lookup(seen *bbolt.Bucket, key []byte, stamp uint32, now time.Time) (outbox.Seq, bool) {
	seq, at, ok := parseSeen(seen.Get(key))
	return seq, ok && (stamp == 0 || now.Unix()-int64(at) < int64(outbox.SeenKept/time.Second))
}

// pruneSeen forgets some entries that are older than outbox.SeenKept. It looks at keys whose stanza time is that old, and
// keeps those entered more recently: WhatsApp may send a message of last month again that was first appended today. It runs
// inside appends, goes on where the last one stopped, and rests when it came to the end. Entries without a time stay.
func (b *Box) pruneSeen(seen *bbolt.Bucket, now time.Time) error {
	if now.Before(b.seenDue) && b.seenDue.Sub(now) <= seenPause { // the second part: the clock may have been set back
		return nil
	}
	old := now.Add(-outbox.SeenKept).Unix()
	start := b.seenAt
	if start == nil {
		start = binary.BigEndian.AppendUint32(nil, 1) // above the entries without a time
	}
	var gone [][]byte
	looked := 0
	c := seen.Cursor()
	k, v := c.Seek(start)
	for ; k != nil && looked < seenStep && len(k) == seenKeySize && int64(binary.BigEndian.Uint32(k)) <= old; k, v = c.Next() {
		looked++
		if _, at, ok := parseSeen(v); !ok || int64(at) <= old {
			gone = append(gone, bytes.Clone(k))
		}
	}
	if looked == seenStep && k != nil {
		b.seenAt = bytes.Clone(k)
	} else {
		b.seenAt, b.seenDue = nil, now.Add(seenPause)
	}
	for _, k := range gone {
		if err := seen.Delete(k); err != nil {
			return fmt.Errorf("forget a dedupe key: %w", err)
		}
	}
	return nil
}

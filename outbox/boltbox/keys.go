package boltbox

import (
	"crypto/sha256"
	"encoding/binary"

	"waoutbox/outbox"
)

// Bucket names (created by the store's migrations).
const (
	bucketMeta    = "meta"
	bucketEvents  = "events"
	bucketSeen    = "seen"
	bucketSubs    = "subs"
	bucketCursors = "cursors"
	bucketPending = "pending"
	bucketDead    = "dead"
	bucketSends   = "sends"
)

// Keys are big-endian, so that their byte order is the order of what they name.

// seqKey is the key of an event.
func seqKey(s outbox.Seq) []byte { return binary.BigEndian.AppendUint64(nil, uint64(s)) }

func parseSeq(k []byte) (outbox.Seq, bool) {
	if len(k) != 8 {
		return 0, false
	}
	return outbox.Seq(binary.BigEndian.Uint64(k)), true
}

// subPrefix is what the keys of a subscription's records begin with. The zero byte, which no id contains, keeps an id from
// being the beginning of another one.
func subPrefix(id outbox.SubID) []byte { return append([]byte(id), 0) }

// subKey is the key of a record of a subscription.
func subKey(id outbox.SubID, s outbox.Seq) []byte {
	k := make([]byte, 0, len(id)+9)
	return binary.BigEndian.AppendUint64(append(append(k, id...), 0), uint64(s))
}

// parseSubKey takes a record key apart.
func parseSubKey(k []byte) (outbox.SubID, outbox.Seq, bool) {
	n := len(k) - 9
	if n < 1 || k[n] != 0 {
		return "", 0, false
	}
	return outbox.SubID(k[:n]), outbox.Seq(binary.BigEndian.Uint64(k[n+1:])), true
}

const (
	seenHash    = 12
	seenKeySize = 4 + seenHash
)

// seenKey is the key of the dedupe index: stanza time first, so that old entries lie together.
func seenKey(stamp uint32, key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, seenKeySize), stamp), sum[:seenHash]...)
}

// seenValue is the first sequence and the moment of entry, in unix seconds.
func seenValue(s outbox.Seq, at uint32) []byte {
	return binary.BigEndian.AppendUint32(seqKey(s), at)
}

func parseSeen(v []byte) (s outbox.Seq, at uint32, ok bool) {
	if len(v) != 12 {
		return 0, 0, false
	}
	return outbox.Seq(binary.BigEndian.Uint64(v)), binary.BigEndian.Uint32(v[8:]), true
}

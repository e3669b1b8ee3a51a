package boltbox

import (
	"encoding/binary"

	"waoutbox/outbox"
)

// Bucket names (created by the migrations of Schema).
const (
	bucketMeta       = "meta"
	bucketEvents     = "events"
	bucketSubs       = "subs"
	bucketRemoved    = "removed"
	bucketCursors    = "cursors"
	bucketPending    = "pending"
	bucketDead       = "dead"
	bucketSends      = "sends"
	bucketAudit      = "audit"
	bucketAuditChain = "auditchain"
	bucketFreed      = "freed"
	bucketBlocks     = "blocks"
	bucketReasons    = "reasons"

	bucketSeenRuns    = "seenruns"
	bucketSeenKeys    = "seenkeys"
	bucketSeenFilters = "seenfilters"
	bucketOldSeen     = "seen" // only in files made in format 1 or 2, for a while
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

// subPrefix is what the keys of a subscription's records begin with. The zero byte, which no id
// contains, keeps an id from being the beginning of another one.
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

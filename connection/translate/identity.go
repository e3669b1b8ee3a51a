package translate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"waoutbox/connection/wajson"
)

// identity says which event this is: what makes its id stable over
// redeliveries, and the time half of the dedupe index.
type identity struct {
	key    string // evt_ and 32 hex digits
	stamp  uint32 // WhatsApp's stanza time in unix seconds, 0 if it has none
	random bool   // never deduplicated
}

// idPrefix starts every event id, so that it is recognised in a log.
const idPrefix = "evt_"

// idBytes of the hash, or of randomness, make an id.
const idBytes = 16

// tuple starts an identity tuple: format version, own account, kind of event.
func tuple(account, kind string, parts ...string) *wajson.Array {
	a := new(wajson.Array).Str("v1").Str(account).Str(kind)
	for _, p := range parts {
		a.Str(p)
	}
	return a
}

// stable derives the identity from WhatsApp's own ids: equal tuples, equal id.
func stable(at time.Time, tuple *wajson.Array) identity {
	sum := sha256.Sum256(tuple.JSON())
	return identity{key: idPrefix + hex.EncodeToString(sum[:idBytes]), stamp: stampOf(at)}
}

// unique returns an identity that never repeats, for events WhatsApp has no id for.
func unique() identity {
	var b [idBytes]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return identity{key: idPrefix + hex.EncodeToString(b[:]), random: true}
}

func stampOf(at time.Time) uint32 {
	return uint32(min(unixSeconds(at), math.MaxUint32))
}

// unixSeconds is the time in whole seconds, 0 for none and for a time outside
// what a JavaScript number holds: stanzas can say anything.
func unixSeconds(at time.Time) int64 {
	if s := at.Unix(); !at.IsZero() && s > 0 && s <= wajson.MaxSafeInteger {
		return s
	}
	return 0
}

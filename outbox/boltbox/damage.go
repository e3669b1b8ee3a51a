package boltbox

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"waoutbox/outbox"
)

const (
	// maxReported bounds the records that are reported one by one.
	maxReported = 4096
	// maxNamed is how many damaged events an alarm names.
	maxNamed = 5
)

// reports is what could not be decoded since the engine was opened.
type reports struct {
	mu     sync.Mutex      // taken last
	known  map[string]bool // by bucket and key
	events []outbox.Seq    // the first damaged events
	count  int64           // of those
	since  time.Time       // the first of those was met
}

// unreadable reports a record that cannot be decoded, once, however often it is met. It stays where
// it is, and the rest goes on.
func (b *Box) unreadable(bucket string, key []byte, err error) {
	if b.reported.add(bucket, key, time.Now()) {
		b.log.Error("outbox record cannot be decoded", "bucket", bucket, "key", fmt.Sprintf("%x", key), "error", err.Error())
	}
}

// add notes a record; false when it was known.
func (r *reports) add(bucket string, key []byte, now time.Time) bool {
	name := bucket + "/" + string(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[name] || len(r.known) == maxReported {
		return false
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	r.known[name] = true
	if bucket != bucketEvents {
		return true
	}
	if r.count == 0 {
		r.since = now
	}
	r.count++
	if seq, ok := parseSeq(key); ok && len(r.events) < maxNamed {
		r.events = append(r.events, seq)
	}
	return true
}

// into fills st with what is known, and a fault when events are damaged.
func (r *reports) into(st *outbox.Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st.Undecodable, st.Corrupt = int64(len(r.known)), r.count
	if r.count == 0 {
		return
	}
	var names []string
	for _, seq := range r.events {
		names = append(names, fmt.Sprint(seq))
	}
	if r.count > int64(len(names)) {
		names = append(names, "…")
	}
	st.Faults = append(st.Faults, outbox.Fault{Cause: outbox.FaultCorrupt, Since: r.since, Message: fmt.Sprintf(
		"%d events of the outbox are damaged (sequence %s): they cannot be delivered, and are dead letters with the reason corrupt", r.count, strings.Join(names, ", "))})
}

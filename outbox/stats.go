package outbox

import "time"

// Stats is what an engine knows about itself, for status, alarms and metrics.
type Stats struct {
	Events    int64 // events kept
	Last      Seq   // newest sequence, 0 if none was ever appended
	Bytes     int64 // size on disk
	LiveBytes int64 // bytes in use, without free pages
	// every subscription that Subs lists
	Subs map[SubID]SubStats
	// dead deliveries of the others, which were removed, runs counted by their events
	RemovedDead int64
	// Undecodable counts records and events that could not be decoded since the engine was opened,
	// each once. Each was logged with its key.
	Undecodable int64
	Corrupt     int64 // how many of those are events
	// CountsUnknown: the storage could not be read, as Faults tells. Last, Next and the numbers of
	// records are right as far as memory knows them; what would have to be counted (Events,
	// LiveBytes, what is unread, OldestPending) is missing.
	CountsUnknown bool
	Faults        []Fault // what is wrong at the moment, oldest first; empty when healthy
}

// The causes of faults. Each is raised and cleared by itself alone.
const (
	FaultDiskLow    = "disk_low"   // less free space than appends need
	FaultDiskFull   = "disk_full"  // a write did not fit
	FaultCommit     = "commit"     // the outcome of a write was not known
	FaultReopening  = "reopening"  // the storage cannot be opened again after such a write
	FaultUnreadable = "unreadable" // a part of the storage cannot be read
	FaultCorrupt    = "corrupt"    // events are damaged; raised until the engine is opened again
	FaultStopped    = "stopped"    // the engine stopped for good: restart it
	FaultSizeLimit  = "size_limit" // it holds as much as it may, and takes no events
	FaultCompaction = "compaction" // the storage could not be made smaller
	// the audit trail is not what was stored; until it is accepted as it is
	FaultAuditChanged = "audit_changed"
	FaultDisplaced    = "displaced" // the storage's file was removed or replaced while it is in use
)

// Fault is one thing that is wrong with the storage.
type Fault struct {
	Cause   string // one of the constants above
	Message string // one sentence for a person
	Since   time.Time
}

// SubStats is the state of one subscription. Pending counts every owed and unfinished delivery,
// read or not.
type SubStats struct {
	Next    Seq
	Pending int64
	Dead    int64 // dead deliveries, runs counted by their events
	// Dead by Record.Reason; nil when nothing is dead, or while counts are unknown. Of very many
	// reasons the rest is counted as "other".
	DeadByReason  map[string]int64
	OldestPending time.Time // creation of the oldest unfinished event, zero if none
	// the lowest sequence from which on it holds events back, owed or not, apart from dead letters;
	// 0 if it holds none
	Holds Seq
}

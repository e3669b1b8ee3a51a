package outbox

import "time"

// Stats is what an engine knows about itself, for status, alarms and metrics.
type Stats struct {
	Events    int64 // events kept
	Last      Seq   // newest sequence, 0 if none was ever appended
	Bytes     int64 // size on disk
	LiveBytes int64 // bytes in use, without free pages
	Subs      map[SubID]SubStats
	// Undecodable counts records and events that could not be decoded since the engine was opened. Each was logged with its key.
	Undecodable int64
	Fault       string // why the engine refuses appends or has stopped, "" when healthy
	FaultAt     time.Time
}

// SubStats is the state of one subscription. Pending counts every owed and unfinished delivery, read or not.
type SubStats struct {
	Next          Seq
	Pending       int64
	Dead          int64     // dead deliveries, runs counted by their events
	OldestPending time.Time // creation of the oldest unfinished event, zero if none
}

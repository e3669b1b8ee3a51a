package outbox

import "time"

// Record is what the outbox keeps of one (subscription, event) below `next`: a pending delivery, a
// dead letter, or, with Last set, a run: one dead record that stands for every event owed in a
// range.
//
// A record's identity inside its subscription is its key sequence: Last for a run, Seq for
// everything else (see KeySeq). A pending and a dead record of one sequence never exist together.
type Record struct {
	Seq   Seq
	Last  Seq // 0, or > Seq: the record is a dead run from Seq to Last, both owed
	Count int // owed events in a run; 0 otherwise
	State State
	// attempts spent since the delivery was last made pending (replay starts again at 0)
	Attempts int
	Due      time.Time // pending: when the next attempt may start
	Order    uint64    // hash of the event's order key (Chat), of an unordered webhook too
	Replay   int       // how often it was replayed: X-Webhook-Replay
	// dead: why, as a short stable word or class ("http", "timeout", "unregistered", …)
	Reason string
	At     time.Time // dead: since when
	Log    []byte    // attempt log (EncodeLog), opaque to engines
}

// IsRun reports whether r stands for a range of dead deliveries.
func (r Record) IsRun() bool { return r.Last > r.Seq }

// ReasonExpired is the reason of dead records, runs among them, whose events waited for too long,
// or had to make room: they are counted and listed, hold no event back from being removed, and
// cannot be replayed.
const ReasonExpired = "expired"

// Expired reports whether r is what is left of deliveries that expired.
func (r Record) Expired() bool { return r.State == Dead && r.Reason == ReasonExpired }

// KeySeq is the sequence an engine files r under.
func (r Record) KeySeq() Seq {
	if r.IsRun() {
		return r.Last
	}
	return r.Seq
}

// Change is one atomic step of a subscription. Values are absolute, so repeating a Change after
// ErrUnknown is harmless.
type Change struct {
	Sub SubID
	// new cursor; 0 = unchanged, a lower value than the stored one is ignored (it only rises)
	Next Seq
	Lane []byte // the lane's own state, stored beside next; nil = unchanged; opaque to engines
	// at most MaxChange; State Done removes the record filed under KeySeq, from pending and dead
	// alike
	Set []Record
	// it has waited for others already, and says less with each moment: it should not wait for long
	// to share a commit
	Soon bool
	// records of the audit trail, stored in the same transaction; none for what a lane does by
	// itself
	Audit []Audit
}

// SplitRun takes the delivery at seq out of a run. prev and next are the nearest owed sequences
// before and after it inside the run (0 if it is the first or last), before the number of owed
// events in the run below seq. It returns the records that stand for the rest: a Change that sets
// them together with the record of seq is complete, since a record of seq == run.Last takes the
// run's place. A remainder of one event becomes a plain dead record.
func SplitRun(run Record, seq, prev, next Seq, before int) []Record {
	var out []Record
	part := func(first, last Seq, count int) {
		p := run
		p.Seq, p.Last, p.Count = first, last, count
		if count == 1 {
			p.Last, p.Count = 0, 0
		}
		out = append(out, p)
	}
	if before > 0 {
		part(run.Seq, prev, before)
	}
	if after := run.Count - before - 1; after > 0 {
		part(next, run.Last, after)
	}
	return out
}

// DeadHead is a dead record with what is known of its event besides the body, so that a listing can
// be filtered without reading bodies.
type DeadHead struct {
	Record Record
	// the event without its body; only Seq is set when the event is gone or cannot be decoded, and
	// for a run, which names many
	Event Event
}

// OwedRange is what a subscription is owed in a range of sequences.
type OwedRange struct {
	First, Last Seq // the lowest and the highest owed sequence, 0 when Count is 0
	Count       int
}

// Add counts s, which must be above every sequence added before.
func (r *OwedRange) Add(s Seq) {
	if r.Count == 0 {
		r.First = s
	}
	r.Last = s
	r.Count++
}

package api

import "time"

// ReplayKind says what a replay delivers again.
type ReplayKind string

const (
	ReplayDeadLetters ReplayKind = "dead_letters"
	ReplayPastEvents  ReplayKind = "events" // of the log: what was delivered before
	// of an outage that is over, which a webhook with redrive gets by itself; Total grows while
	// they are found
	ReplayRedrive ReplayKind = "redrive"
)

// ReplayKinds lists every ReplayKind.
func ReplayKinds() []ReplayKind {
	return []ReplayKind{ReplayDeadLetters, ReplayPastEvents, ReplayRedrive}
}

// ReplayState says how far a replay is.
type ReplayState string

const (
	ReplayRunning ReplayState = "running"
	ReplayDone    ReplayState = "done"    // all of the selection had its outcome
	ReplayStopped ReplayState = "stopped" // by somebody; Ended says by whom
	ReplayGaveUp  ReplayState = "gave_up" // too many failures in a row
	ReplayEnded   ReplayState = "ended"   // it could not go on; Ended says why
	// the service stopped; seen only by who asks while it stops
	ReplayInterrupted ReplayState = "interrupted"
)

// ReplayStates lists every ReplayState.
func ReplayStates() []ReplayState {
	return []ReplayState{ReplayRunning, ReplayDone, ReplayStopped, ReplayGaveUp, ReplayEnded, ReplayInterrupted}
}

// ReplayRun is how one replay stands. It runs in the service, for one webhook; nothing of it is
// stored but what it has moved.
type ReplayRun struct {
	ID      string      `json:"id"`
	Webhook string      `json:"webhook"`
	URL     string      `json:"url"`
	Kind    ReplayKind  `json:"kind"`
	State   ReplayState `json:"state"`
	// what was selected; it is the sum of the six numbers that follow
	Total     int64 `json:"total"`
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"` // dead again
	Queued    int64 `json:"queued"` // on the way: no outcome yet
	Left      int64 `json:"left"`   // not touched yet
	// neither dead nor pending when their turn came: delivered or purged meanwhile
	Missing      int64   `json:"missing,omitempty"`
	Unreplayable int64   `json:"unreplayable,omitempty"` // their events cannot be read
	PerSecond    float64 `json:"per_second"`             // lately; of an ended one on the whole
	SecondsLeft  int64   `json:"seconds_left,omitempty"` // estimated; 0 when that is not known
	// why nothing leaves at the moment
	Waiting     string     `json:"waiting,omitempty"`
	FailedInRow int        `json:"failed_in_row,omitempty"`
	LastError   *LastError `json:"last_error,omitempty"` // of the last one that failed
	Rate        float64    `json:"rate"`                 // the most a second, 0 = no bound
	KeepGoing   bool       `json:"keep_going,omitempty"`
	StartedBy   string     `json:"started_by,omitempty"`
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     time.Time  `json:"ended_at,omitzero"`
	Ended       string     `json:"ended,omitempty"` // why it ended, when it was not done
}

// DefaultReplayRate is how many deliveries a second a replay makes at most when nothing is said.
const DefaultReplayRate = 20

// StartReplay begins to deliver dead letters again: a replay for every webhook that the selection
// has letters of. A filter narrows All; to select everything All must be set.
type StartReplay struct {
	DeadLetterFilter
	All bool `json:"all,omitempty"`
	ReplayPace
}

// ReplayPace is how a replay goes about it.
type ReplayPace struct {
	// deliveries a second; nil: DefaultReplayRate, 0: no bound
	Rate      *float64 `json:"rate,omitempty"`
	KeepGoing bool     `json:"keep_going,omitempty"`
	DryRun    bool     `json:"dry_run,omitempty"` // only count
}

// StartReplayResult is what StartReplay began.
type StartReplayResult struct {
	// the replays that were begun; with DryRun those that would be
	Runs []ReplayRun `json:"runs"`
	// webhooks of the selection for which another replay runs: nothing was begun for them
	Busy []ReplayRun `json:"busy,omitempty"`
	// letters of removed webhooks, and these webhooks: add them again first
	Removed         int64    `json:"removed,omitempty"`
	RemovedWebhooks []string `json:"removed_webhooks,omitempty"`
	// letters of subscriptions of MCP clients that have ended: nobody gets them any more
	OfEnded      int64 `json:"of_ended,omitempty"`
	Unreplayable int64 `json:"unreplayable,omitempty"` // their bodies are gone or damaged
	// ids that are no dead letters: delivered, purged or never there. For events: ids that are not
	// in the log, or that the webhook's filter does not want
	Missing []string `json:"missing"`
	// the webhook is still owed some of the events: they are left out, it gets them anyway
	NotYet bool `json:"not_yet,omitempty"`
	// without a service: events that were made pending for its next start
	Queued int64 `json:"queued,omitempty"`
}

// StopReplay ends the replay of one webhook (id or URL), or of all.
type StopReplay struct {
	Webhook string `json:"webhook,omitempty"`
}

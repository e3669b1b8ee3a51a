package api

import "time"

// LastError is how the last attempt of a dead letter ended.
type LastError struct {
	Class   string `json:"class"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message"`
}

// DeadLetter is one line of `deadletter list`. ID is dl_<webhook>_<seq>.
type DeadLetter struct {
	ID      string `json:"id"`
	Webhook string `json:"webhook"`
	URL     string `json:"url"`
	// its webhook was removed; add the URL again to replay it
	Removed bool   `json:"removed,omitempty"`
	Event   string `json:"event"`
	EventID string `json:"event_id"`
	Chat    string `json:"chat"`
	// the chat's other address, when it is known
	ChatAlt   string    `json:"chat_alt,omitempty"`
	Attempts  int       `json:"attempts"`
	LastError LastError `json:"last_error"`
	FailedAt  time.Time `json:"failed_at,omitzero"`
	// how many events this line stands for, 0 for one: what expired is kept as ranges, from the
	// sequence First to that of the id
	Count int64  `json:"count,omitempty"`
	First uint64 `json:"first,omitempty"`
	// how often it was replayed before
	Replay int `json:"replay,omitempty"`
	// why it cannot be replayed, one sentence; "" when it can
	Unreplayable string `json:"unreplayable,omitempty"`
}

// Reasons that no endpoint gave. Every other reason is the status of the last answer ("503") or the
// class of the last failure ("timeout", "refused", …).
const (
	ReasonUnregistered = "unregistered" // its webhook was removed
	ReasonSkipped      = "skipped"      // passed over when the webhook was resumed
	ReasonExpired      = "expired"      // waited too long, or had to make room: the body is gone
	ReasonCorrupt      = "corrupt"      // its stored bytes are damaged, and kept as evidence
)

// Replayable reports whether letters that died for a reason can be delivered again.
func Replayable(reason string) bool { return reason != ReasonExpired && reason != ReasonCorrupt }

// AttemptLine is one attempt of a dead letter. Response is kept for the last attempt only.
type AttemptLine struct {
	N        int       `json:"n"`
	At       time.Time `json:"at,omitzero"`
	Ms       int64     `json:"ms"`
	Status   int       `json:"status,omitempty"`
	Class    string    `json:"class"`
	Response string    `json:"response,omitempty"`
}

// DeadLetterDetail is `deadletter show`: body is the exact bytes as a string. What follows it is
// what the request holds besides; the values of the webhook's own headers are never shown.
type DeadLetterDetail struct {
	DeadLetter
	Body string `json:"body"`
	// the stored event is damaged, so there is no body
	Damaged    bool          `json:"damaged,omitempty"`
	AttemptLog []AttemptLine `json:"attempt_log"`
	Sequence   uint64        `json:"sequence"`
	Account    string        `json:"account,omitempty"`
	Signed     bool          `json:"signed"`
	Headers    []string      `json:"headers,omitempty"` // names of the webhook's own headers
}

// DeadLetterFilter selects dead letters: those that match every field that is set. IDs excludes the
// others.
type DeadLetterFilter struct {
	IDs     []string `json:"ids,omitempty"`
	Webhook string   `json:"webhook,omitempty"` // id or URL, removed ones too
	Event   string   `json:"event,omitempty"`
	// either address of the chat: a JID, a phone number, or "connection"
	Chat   string    `json:"chat,omitempty"`
	Reason string    `json:"reason,omitempty"` // as in DeadLetterGroup
	Since  time.Time `json:"since,omitzero"`   // dead at or after
	Until  time.Time `json:"until,omitzero"`   // dead before
}

// Narrows reports whether f leaves anything out by more than ids.
func (f DeadLetterFilter) Narrows() bool {
	return f.Webhook != "" || f.Event != "" || f.Chat != "" || f.Reason != "" || !f.Since.IsZero() || !f.Until.IsZero()
}

// DeadLetterQuery asks for one page, oldest webhook and sequence first.
type DeadLetterQuery struct {
	DeadLetterFilter
	Limit  int    `json:"limit,omitempty" range:"1,256"` // default 50
	Cursor string `json:"cursor,omitempty"`              // NextCursor of the page before
	// leaves Total out, which costs a walk over all that the filter looks at
	SkipTotal bool `json:"skip_total,omitempty"`
	// looks at so many dead letters at most: the page may be short although there are more, and its
	// cursor goes on; 0: at as many as it takes
	Look int `json:"look,omitempty" range:"0,100000"`
}

// DeadLetterPage is one page of a listing. Total counts all that the filter selected when the first
// page was read.
type DeadLetterPage struct {
	Items      []DeadLetter `json:"items"`
	NextCursor string       `json:"next_cursor,omitempty"`
	Total      int64        `json:"total"`
	Looked     int64        `json:"looked,omitempty"` // with Look: at how many
}

// DeadLetterGroup is one line of the summary: webhook × reason.
type DeadLetterGroup struct {
	Webhook string `json:"webhook"`
	URL     string `json:"url"`
	Removed bool   `json:"removed,omitempty"`
	Reason  string `json:"reason"` // "503", "timeout", "unregistered", …
	Count   int64  `json:"count"`
	// when the first and the last of them died; not told where there are very many
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

// ReplayRequest moves dead letters back into delivery, in original order, at most 256 outstanding
// per webhook. A filter narrows All; to select everything All must be set. Running it again
// continues: what is already pending is a no-op.
type ReplayRequest struct {
	DeadLetterFilter
	All    bool `json:"all,omitempty"`
	DryRun bool `json:"dry_run,omitempty"`
	// most dead letters to queue in this call; 0 = as many as fit
	Limit int `json:"limit,omitempty" range:"0,"`
}

// ReplayResult is what one ReplayRequest did. Remaining counts selected dead letters that
// are still dead.
type ReplayResult struct {
	Queued    int64 `json:"queued"`
	Remaining int64 `json:"remaining"`
	// ids that are no dead letters: delivered, purged or never there
	Missing []string `json:"missing"`
	// selected dead letters that cannot be replayed: their bodies are gone or damaged. They are
	// part of neither number above
	Unreplayable int64 `json:"unreplayable,omitempty"`
	// of what was queued, so far as its outcome was waited for
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`
	// the replays that were begun and not waited for
	Runs []ReplayRun `json:"runs,omitempty"`
	// e.g. no service runs: queued for its next start; or why only a part was queued
	Note string `json:"note,omitempty" sentence:"true"`
}

// PurgeRequest discards dead letters for good. A filter narrows All; to select everything All must
// be set.
type PurgeRequest struct {
	DeadLetterFilter
	All    bool `json:"all,omitempty"`
	DryRun bool `json:"dry_run,omitempty"` // only counts them
	// of an agent's client; unless its user agreed, nothing is discarded (policy open: unless he
	// declined)
	Approval Approval `json:"approval,omitempty"`
}

// PurgeResult is what a PurgeRequest did.
type PurgeResult struct {
	Purged  int64    `json:"purged"`
	Missing []string `json:"missing,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`              // none was: they would be
	Note    string   `json:"note,omitempty" sentence:"true"` // why only a part was purged
}

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
	ID        string    `json:"id"`
	Webhook   string    `json:"webhook"`
	URL       string    `json:"url"`
	Removed   bool      `json:"removed,omitempty"` // its webhook was removed; add the URL again to replay it
	Event     string    `json:"event"`
	EventID   string    `json:"event_id"`
	Chat      string    `json:"chat"`
	Attempts  int       `json:"attempts"`
	LastError LastError `json:"last_error"`
	FailedAt  time.Time `json:"failed_at"`
}

// AttemptLine is one attempt of a dead letter. Response is kept for the last attempt only.
type AttemptLine struct {
	N        int       `json:"n"`
	At       time.Time `json:"at"`
	Ms       int64     `json:"ms"`
	Status   int       `json:"status,omitempty"`
	Class    string    `json:"class"`
	Response string    `json:"response,omitempty"`
}

// DeadLetterDetail is `deadletter show`: body is the exact bytes as a string.
type DeadLetterDetail struct {
	DeadLetter
	Body       string        `json:"body"`
	AttemptLog []AttemptLine `json:"attempt_log"`
}

// DeadLetterFilter selects dead letters. Zero fields select all; IDs excludes the others.
type DeadLetterFilter struct {
	IDs     []string  `json:"ids,omitempty"`
	Webhook string    `json:"webhook,omitempty"` // id or URL, removed ones too
	Event   string    `json:"event,omitempty"`
	Since   time.Time `json:"since,omitzero"` // dead at or after
}

// DeadLetterQuery asks for one page, oldest webhook and sequence first.
type DeadLetterQuery struct {
	DeadLetterFilter
	Limit  int    `json:"limit,omitempty"` // 1…256, default 50
	Cursor string `json:"cursor,omitempty"`
}

// DeadLetterPage answers a DeadLetterQuery. Total counts all that the filter selects.
type DeadLetterPage struct {
	Items      []DeadLetter `json:"items"`
	NextCursor string       `json:"next_cursor,omitempty"`
	Total      int64        `json:"total"`
}

// DeadLetterGroup is one line of the summary: webhook × reason.
type DeadLetterGroup struct {
	Webhook string    `json:"webhook"`
	URL     string    `json:"url"`
	Removed bool      `json:"removed,omitempty"`
	Reason  string    `json:"reason"` // "503", "timeout", "unregistered", …
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// ReplayRequest moves dead letters back into delivery, in original order, at most 256 outstanding per webhook. All must be set to
// select everything. Running it again continues: what is already pending is a no-op.
type ReplayRequest struct {
	DeadLetterFilter
	All    bool `json:"all,omitempty"`
	DryRun bool `json:"dry_run,omitempty"`
	Limit  int  `json:"limit,omitempty"` // most letters to queue in this call; 0 = as many as fit
}

// ReplayResult answers one ReplayRequest. Remaining counts selected letters that are still dead.
type ReplayResult struct {
	Queued    int64    `json:"queued"`
	Remaining int64    `json:"remaining"`
	Missing   []string `json:"missing"`        // ids that are no dead letters: delivered, purged or never there
	Note      string   `json:"note,omitempty"` // e.g. no daemon runs: queued for its next start
}

// PurgeRequest discards dead letters for good. All must be set to select everything.
type PurgeRequest struct {
	DeadLetterFilter
	All bool `json:"all,omitempty"`
}

// PurgeResult answers a PurgeRequest.
type PurgeResult struct {
	Purged  int64    `json:"purged"`
	Missing []string `json:"missing,omitempty"`
}

package api

import "time"

// RecentAttempt is how one attempt to deliver ended.
type RecentAttempt struct {
	At       time.Time `json:"at"` // when it began
	Ms       int64     `json:"ms"`
	Sequence uint64    `json:"sequence"`
	Event    string    `json:"event"`
	Attempt  int       `json:"attempt"`
	Replay   int       `json:"replay,omitempty"` // how often the delivery was replayed
	// delivered; retry: another one follows; dead: it was the last; throttled, not attempted: it
	// cost nothing
	Outcome string `json:"outcome" enum:"delivered,retry,dead,throttled,not attempted"`
	Class   string `json:"class"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message,omitempty"` // what went wrong
	// the first 200 bytes of the endpoint's response to a failed request: its own words, without
	// the secrets of the request. Only among attempts
	Response string `json:"response,omitempty"`
}

// LastHour counts attempts of the last hour.
type LastHour struct {
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"` // requests that failed
}

// WebhookActivity is what happened lately to a webhook, as the service remembers it: nothing of it
// is stored. It is empty without a service.
type WebhookActivity struct {
	Webhook string `json:"webhook"`
	URL     string `json:"url"`
	// since when it is known: the service's start. Absent without a service
	Since       time.Time      `json:"since,omitzero"`
	LastSuccess *RecentAttempt `json:"last_success,omitempty"`
	LastError   *RecentAttempt `json:"last_error,omitempty"`
	// the last 60 minutes, the oldest first, the one that runs last
	Minutes  []ActivityMinute `json:"minutes"`
	Attempts []RecentAttempt  `json:"attempts"` // the last 100, the newest first
}

// ActivityMinute counts one minute.
type ActivityMinute struct {
	At        time.Time `json:"at"` // its start
	Delivered int64     `json:"delivered"`
	Failed    int64     `json:"failed"` // requests that failed
	Dead      int64     `json:"dead"`   // deliveries that became dead letters
	// deliveries that were pending in it; absent when that is not known
	Waiting *int64 `json:"waiting,omitempty"`
}

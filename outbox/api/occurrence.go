package api

import (
	"encoding/json"
	"time"
)

// Occurrence is an event as MCP subscribers get it: enough to decide whether to look, never the
// stored body.
type Occurrence struct {
	ID    string          `json:"id"` // evt_…
	Event string          `json:"event"`
	Time  time.Time       `json:"time"`
	Data  json.RawMessage `json:"data"` // a JSON object
	// where whoever has it goes on: it and all before it are behind them
	Cursor string `json:"cursor"`
}

// OccurrenceQuery asks for the events that follow a cursor. No list means all.
type OccurrenceQuery struct {
	Events   []string `json:"events,omitempty"`    // event names
	Chats    []string `json:"chats,omitempty"`     // JIDs or phone numbers
	NotChats []string `json:"not_chats,omitempty"` // the same, left out
	Kinds    []string `json:"kinds,omitempty"`     // kinds of chat
	// what an earlier page ended with, "" for from now on. One of another log, or that cannot be
	// read, is no error: the page is Truncated
	Cursor string `json:"cursor,omitempty"`
	// nothing older; 0 is whatever is kept. Without a cursor it means nothing
	MaxAgeMillis int64 `json:"max_age_millis,omitempty"`
	Limit        int   `json:"limit,omitempty" range:"1,100"` // default 100
	// when there is nothing to return: how long to wait for it
	WaitSeconds int `json:"wait_seconds,omitempty" range:"0,50"`
}

// OccurrencePage is what follows a cursor. It may be empty although More is true: a page looks at a
// bounded part of the log.
type OccurrencePage struct {
	Items []Occurrence `json:"items"`
	// where to go on; it advances over what the filter leaves out
	Cursor string `json:"cursor"`
	// events that were asked for may be missing before Cursor: they were removed by age or size,
	// are damaged, older than was asked for, or the cursor was of another log
	Truncated bool `json:"truncated,omitempty"`
	More      bool `json:"more,omitempty"` // there may be more now
}

// RefuseSubscription is what an MCP client asked for in vain.
type RefuseSubscription struct {
	Event string `json:"event,omitempty"` // the event's name
	URL   string `json:"url,omitempty"`
}

// RefusedSubscription is what it is told.
type RefusedSubscription struct {
	Message string `json:"message"`
}

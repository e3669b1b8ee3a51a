package api

// Examine is what `doctor` asks the process for that owns the state.
type Examine struct {
	// WhatsApp and the webhooks are called too: a handshake, and of WhatsApp a page's head
	Network bool `json:"network,omitempty"`
}

// Examination is what that process finds.
type Examination struct {
	Records   int64  `json:"records"`             // how many records the outbox has
	Damage    string `json:"damage,omitempty"`    // why the file is damaged, a sentence
	Closed    string `json:"closed,omitempty"`    // why the file is not open, a sentence
	Damaged   int64  `json:"damaged,omitempty"`   // records that cannot be decoded
	FreeBytes uint64 `json:"free_bytes"`          // of the disk
	MinFree   uint64 `json:"min_free"`            // below it no event is taken
	Bytes     int64  `json:"bytes"`               // that the outbox holds
	MaxBytes  int64  `json:"max_bytes,omitempty"` // that it may hold
	// by how much this machine's clock is ahead of the newest event, negative: behind
	NewestEventAheadMs int64 `json:"newest_event_ahead_ms,omitempty"`

	WhatsApp *Reached  `json:"whatsapp,omitempty"`
	Webhooks []Reached `json:"webhooks,omitempty"`
}

// Reached says whether an address could be reached.
type Reached struct {
	ID    string `json:"id,omitempty"` // of a webhook
	Where string `json:"where"`        // a URL without its query
	Ms    int64  `json:"ms"`
	Error string `json:"error,omitempty"`
	// by how much this machine's clock is ahead of that one's, where it says what its clock is
	ClockAheadMs *int64 `json:"clock_ahead_ms,omitempty"`
}

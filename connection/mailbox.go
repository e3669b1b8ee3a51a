package connection

import (
	"sync"

	"go.mau.fi/whatsmeow/types/events"
)

// mailbox carries what the event handler saw to the goroutine that owns the link. Posting never blocks. Safe for concurrent use.
type mailbox struct {
	mu    sync.Mutex
	items []any
	ready chan struct{} // cap 1: has a value while there may be items
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// post leaves what the link must know; everything else is dropped.
func (m *mailbox) post(evt any) {
	switch evt.(type) {
	case refused, *events.QR, *events.RotateADVSecret, *events.PairSuccess, *events.PairError,
		*events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError,
		*events.Connected, *events.Disconnected, *events.StreamError, *events.StreamReplaced, *events.LoggedOut,
		*events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure, *events.ManualLoginReconnect,
		*events.KeepAliveTimeout, *events.PushNameSetting, *events.AppStateSyncError, *events.AppStateSyncComplete:
	default:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items = append(m.items, evt)
	m.arm()
}

// next takes the oldest item; false if there is none.
func (m *mailbox) next() (any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) == 0 {
		return nil, false
	}
	evt := m.items[0]
	m.items = m.items[1:]
	if len(m.items) > 0 {
		m.arm()
	}
	return evt, true
}

func (m *mailbox) arm() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

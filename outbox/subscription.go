package outbox

import "slices"

// SubID names a subscription (`wh_…`). Never reused.
type SubID string

// Any is the pattern that matches every event name. It is never an event's name.
const Any = "*"

// Filter says which events a subscription wants. No Events matches nothing; no Chats means every chat.
type Filter struct {
	Events []string `json:"events"`          // event names, or Any
	Chats  []string `json:"chats,omitempty"` // order keys (chat JIDs)
}

// Match reports whether an event with this name and chat is wanted.
func (f Filter) Match(name, chat string) bool {
	if !slices.Contains(f.Events, name) && !slices.Contains(f.Events, Any) {
		return false
	}
	return len(f.Chats) == 0 || slices.Contains(f.Chats, chat)
}

// Epoch is a filter and the sequence from which it holds, until the next epoch.
type Epoch struct {
	From   Seq    `json:"from"`
	Filter Filter `json:"filter"`
}

// Subscription is a named reader of the outbox: a webhook. Its configuration is opaque to engines (EncodeWebhook).
type Subscription struct {
	ID      SubID
	Config  []byte
	Epochs  []Epoch // ascending From
	Removed bool    // taken out: nothing is owed above the cut, dead letters stay until purged or replayed after a revival
}

// Owes reports whether the event at seq is owed to s: whether the epoch in force there matches it.
func (s Subscription) Owes(seq Seq, name, chat string) bool {
	i, found := slices.BinarySearchFunc(s.Epochs, seq, func(e Epoch, q Seq) int {
		switch {
		case e.From < q:
			return -1
		case e.From > q:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return i >= 0 && s.Epochs[i].Filter.Match(name, chat)
}

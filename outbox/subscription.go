package outbox

import "slices"

// SubID names a subscription (`wh_…`). Never reused.
type SubID string

// Any is the pattern that matches every event name. It is never an event's name.
const Any = "*"

// Filter says which events a subscription wants. No Events matches nothing; no Chats and no Kinds
// mean every chat. A chat is named by either of its addresses.
type Filter struct {
	Events   []string `json:"events"`              // event names, or Any
	Chats    []string `json:"chats,omitempty"`     // chat JIDs
	NotChats []string `json:"not_chats,omitempty"` // chat JIDs that are left out
	Kinds    []string `json:"kinds,omitempty"`     // kinds of chat (ChatKind)
}

// Match reports whether an event with this head is wanted.
func (f Filter) Match(h EventHead) bool {
	if h.Corrupt {
		return len(f.Events) > 0
	}
	if !slices.Contains(f.Events, h.Name) && !slices.Contains(f.Events, Any) {
		return false
	}
	if len(f.Chats) > 0 && !names(f.Chats, h) || names(f.NotChats, h) {
		return false
	}
	return len(f.Kinds) == 0 || slices.Contains(f.Kinds, ChatKind(h.Chat))
}

// Equal reports whether f and g are the same filter.
func (f Filter) Equal(g Filter) bool {
	return slices.Equal(f.Events, g.Events) && slices.Equal(f.Chats, g.Chats) && slices.Equal(f.NotChats, g.NotChats) && slices.Equal(f.Kinds, g.Kinds)
}

// Clone returns a copy that shares nothing with f.
func (f Filter) Clone() Filter {
	return Filter{Events: slices.Clone(f.Events), Chats: slices.Clone(f.Chats), NotChats: slices.Clone(f.NotChats), Kinds: slices.Clone(f.Kinds)}
}

// names reports whether chats has either address of the event's chat.
func names(chats []string, h EventHead) bool {
	return slices.Contains(chats, h.Chat) || h.ChatAlt != "" && slices.Contains(chats, h.ChatAlt)
}

// Epoch is a filter and the sequence from which it holds, until the next epoch.
type Epoch struct {
	From   Seq    `json:"from"`
	Filter Filter `json:"filter"`
}

// CloneEpochs returns a copy that shares nothing with epochs.
func CloneEpochs(epochs []Epoch) []Epoch {
	out := slices.Clone(epochs)
	for i := range out {
		out[i].Filter = out[i].Filter.Clone()
	}
	return out
}

// Subscription is a named reader of the outbox: a webhook. Its configuration is opaque to engines
// (EncodeWebhook).
type Subscription struct {
	ID     SubID
	Config []byte
	Epochs []Epoch // ascending From
	// taken out: nothing is owed above the cut, dead letters stay until purged or replayed after a
	// revival
	Removed bool
}

// Owes reports whether the event at seq is owed to s: whether the epoch in force there matches it.
func (s Subscription) Owes(seq Seq, h EventHead) bool {
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
	return i >= 0 && s.Epochs[i].Filter.Match(h)
}

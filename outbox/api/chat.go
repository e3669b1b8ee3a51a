package api

import "time"

// MessageRef names a message by what its events have in `key`.
type MessageRef struct {
	// the chat: remoteJid
	Chat string `json:"chat"`
	ID   string `json:"id"`
	// who wrote it; absent, it is looked up in the log, which then has to have the message
	Participant string `json:"participant,omitempty"`
}

// MarkRead tells the senders of messages that they were read.
type MarkRead struct {
	Messages []MessageRef `json:"messages"` // at most 256
}

// MarkReadResult counts what MarkRead told.
type MarkReadResult struct {
	Marked int `json:"marked"`
}

// TypingState is what a chat shows of the account.
type TypingState string

const (
	TypingComposing TypingState = "composing"
	TypingRecording TypingState = "recording" // a voice message
	TypingPaused    TypingState = "paused"    // neither
)

// TypingStates lists every TypingState.
func TypingStates() []TypingState {
	return []TypingState{TypingComposing, TypingRecording, TypingPaused}
}

// Typing shows the account as typing in a chat. Phones show it for some seconds: repeat it for
// longer, and send TypingPaused, or the message, to end it.
type Typing struct {
	To    string      `json:"to"`
	State TypingState `json:"state,omitempty"` // absent: composing
}

// TypingResult is what Typing showed.
type TypingResult struct {
	Chat  string      `json:"chat"`
	State TypingState `json:"state"`
}

// WatchPresence asks WhatsApp for the presence of a person: presence.update events follow as far as
// the person's privacy settings and WhatsApp allow. It holds until the service stops.
type WatchPresence struct {
	Of string `json:"of"` // JID or phone number
}

// WatchPresenceResult is whom WatchPresence watches.
type WatchPresenceResult struct {
	JID string `json:"jid"`
}

// RecipientKind says what a Recipient is.
type RecipientKind string

const (
	RecipientContact RecipientKind = "contact"
	RecipientGroup   RecipientKind = "group"
)

// RecipientKinds lists every RecipientKind.
func RecipientKinds() []RecipientKind {
	return []RecipientKind{RecipientContact, RecipientGroup}
}

// FindRecipients looks for people and groups by a part of their name, or by their number. A whole
// number with its country code that no contact has is looked up at WhatsApp.
type FindRecipients struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty" range:"1,100"` // default 20
}

// Recipient is somebody who can be written to, under JID.
type Recipient struct {
	JID  string        `json:"jid"`
	Name string        `json:"name,omitempty"` // absent for a number that is no contact
	Kind RecipientKind `json:"kind"`
	// with + and country code, where it is known
	Phone string `json:"phone,omitempty"`
	// the other address of the person
	AltJID string `json:"alt_jid,omitempty"`
}

// FoundRecipients is what FindRecipients found, the best first.
type FoundRecipients struct {
	Items []Recipient `json:"items"`
	Total int         `json:"total"` // how many there are, of which Items has the first
}

// ListGroups asks for the groups that the account is in.
type ListGroups struct {
	JID string `json:"jid,omitempty"` // only this one
}

// Group is one group that the account is in.
type Group struct {
	JID         string    `json:"jid"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	CreatedAt   time.Time `json:"created_at,omitzero"`
	// what the account is in it: member, admin or superadmin
	Role string `json:"role" enum:"member,admin,superadmin"`
	// only admins write, and only admins change the group
	Announce bool `json:"announce,omitempty"`
	Locked   bool `json:"locked,omitempty"`
	// messages disappear after this time; 0: they stay
	EphemeralSeconds uint32 `json:"ephemeral_seconds,omitempty"`
	// the community it belongs to, and whether it is one
	Community   string        `json:"community,omitempty"`
	IsCommunity bool          `json:"is_community,omitempty"`
	Members     []GroupMember `json:"members"`
}

// GroupMember is one member of a group.
type GroupMember struct {
	JID   string `json:"jid"`             // under which the group knows the person
	Phone string `json:"phone,omitempty"` // with + and country code, where it is known
	Name  string `json:"name,omitempty"`  // as the account knows the person
	Role  string `json:"role" enum:"member,admin,superadmin"`
	Me    bool   `json:"me,omitempty"`
}

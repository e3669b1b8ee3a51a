package outbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kinds of webhooks (Webhook.Kind).
const (
	KindWebhook = "webhook" // somebody registered it
	KindMCP     = "mcp"     // an MCP client subscribed, for a while (Lease)
)

// Lease is what a subscription has that an MCP client asked for: who did, for what, and until when.
// It is one life: whoever subscribes again after the end gets another subscription, with another
// SubID, whose ID here is the same. All of it is part of the Binding.
type Lease struct {
	// ID is what the client and the receiver know it by, X-MCP-Subscription-Id: a hash of the
	// principal, the URL with its query, the name and the canonical arguments. It is no secret.
	ID        string `json:"id"`
	Principal string `json:"principal"`        // who was let in: "local", or the name of a token
	Client    string `json:"client,omitempty"` // what the client calls itself: for the audit alone
	// Name is the type of the events, Arguments the filter as it was sent, as canonical JSON.
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	// Preview lets the beginning of texts leave the machine: the owner's word.
	Preview bool `json:"preview,omitempty"`
	// Asked is where its client asked to begin, 0 for from now on, and 1 where that cannot be told.
	// Where the subscription begins above it (its first epoch), events were lost before it began.
	Asked Seq `json:"asked,omitempty"`
	// Public says that the host was no private one when it was subscribed: what it resolves to
	// later is never called where it is.
	Public bool `json:"public,omitempty"`
	// Ends is when nothing is sent any more, zero for never. LeaseGrace says what a clock that
	// jumps does to it.
	Ends       time.Time `json:"ends,omitzero"`
	VerifiedAt time.Time `json:"verified_at,omitzero"` // the receiver agreed
	// Generation is raised by each refresh that changes the secret, and another one in each life.
	// What was begun under another one, an attempt or a challenge, and did not succeed, says
	// nothing.
	Generation uint64 `json:"generation"`
	// Ended is the reason of the dead letters that its end makes of its backlog, "" for those of a
	// webhook that was removed. It is set in the write that removes the subscription.
	Ended string `json:"ended,omitempty"`
}

// How long leases are.
const (
	DefaultLease = time.Hour
	MinLease     = 5 * time.Minute
	MaxLease     = 24 * time.Hour
	// LeaseGrace is how long a lease goes on at least after a start of the service, and after its
	// end has come sooner than time went by here: a clock that jumps ends no lease before its
	// client could refresh it.
	LeaseGrace = MinLease
	// SecretOverlap is how long the secret before a refresh signs along (PreviousUntil).
	SecretOverlap = 10 * time.Minute
)

// An agent that replies to messages and is told of its own is woken by itself: a lease of those
// gets at most OwnLimit in OwnWindow, and the rest waits.
const (
	OwnLimit  = 6
	OwnWindow = 10 * time.Minute
	ownEvents = "message.sent"
)

// Own reports whether the events of the lease are what the account itself sent, which OwnLimit
// bounds.
func (l *Lease) Own() bool { return l != nil && l.Name == ownEvents }

// ReasonLeaseExpired is the reason of dead letters that the end of a lease left, for Lease.Ended.
const ReasonLeaseExpired = "lease_expired"

// Kind returns KindMCP for what an MCP client subscribed, KindWebhook for every other webhook.
func (w Webhook) Kind() string {
	if w.Lease != nil {
		return KindMCP
	}
	return KindWebhook
}

// EndLease returns what is stored to end a lease that has not ended: the subscription is removed,
// nothing is owed to it from now on, and what it was owed becomes dead letters of that reason. Seal
// what is returned (SealSettings). It fails for a webhook without a lease.
func EndLease(s Subscription, w Webhook, reason string) (Subscription, Webhook, error) {
	if w.Lease == nil {
		return Subscription{}, Webhook{}, fmt.Errorf("end the lease of %s: it has none", s.ID)
	}
	lease, filter := *w.Lease, s.LastFilter().Clone()
	lease.Ended = reason
	w.Lease, w.Filter = &lease, &filter
	s.Removed = true
	s.Epochs = append(CloneEpochs(s.Epochs), Epoch{})
	return s, w, nil
}

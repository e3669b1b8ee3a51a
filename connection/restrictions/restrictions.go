// Package restrictions knows what WhatsApp does not let the account do for a while: writing to
// people it has not written with, which WhatsApp announces or shows by refusing a message (463).
package restrictions

import (
	"sync"
	"time"
)

// Unknown is how long a restriction is held to last whose end WhatsApp does not name: then a
// message is tried again.
const Unknown = time.Hour

// Restrictions are those of one account. Safe for concurrent use. The zero value is none; Now must
// be set.
type Restrictions struct {
	Now func() time.Time

	mu      sync.Mutex
	until   time.Time
	named   bool
	refused map[string]time.Time // recipients that a message was refused for, and until when
}

// Announced notes what WhatsApp said: that strangers cannot be written to until ends (zero: it did
// not say), or that they can again.
func (r *Restrictions) Announced(active bool, ends time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until, r.named = time.Time{}, false
	if !active {
		r.refused = nil
		return
	}
	if r.named = ends.After(r.Now()); r.named {
		r.until = ends
	} else if ends.IsZero() {
		r.until = r.Now().Add(Unknown)
	}
}

// Refused notes that WhatsApp refused a message to that chat because of a restriction. It reports
// whether that was not known.
func (r *Restrictions) Refused(chat string) (isNew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	if isNew = !now.Before(r.until); isNew {
		r.until, r.named = now.Add(Unknown), false
	}
	if r.refused == nil {
		r.refused = make(map[string]time.Time)
	}
	for chat, until := range r.refused {
		if !now.Before(until) {
			delete(r.refused, chat)
		}
	}
	r.refused[chat] = r.until
	return isNew
}

// Wrote notes that whoever these chats are with has written: no stranger any more, so WhatsApp may
// take a message that it refused before.
func (r *Restrictions) Wrote(chats ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, chat := range chats {
		delete(r.refused, chat)
	}
}

// Refusal is why nothing is sent to a chat.
type Refusal struct {
	Until time.Time
	Named bool // by WhatsApp; else it is when a message is tried again
}

// When is the end in words.
func (r Refusal) When() string {
	text := r.Until.Local().Format("2006-01-02 15:04")
	if r.Named {
		return "until " + text
	}
	return "for a time that WhatsApp does not name; it is tried again from " + text + " on"
}

// Check returns why nothing may be sent to a chat now; false if something may. known is asked
// whether the account has written with whoever it is.
func (r *Restrictions) Check(chat string, known func() bool) (Refusal, bool) {
	r.mu.Lock()
	now, until, refused := r.Now(), r.until, r.refused[chat]
	why := Refusal{Until: until, Named: r.named}
	r.mu.Unlock()
	switch {
	case now.Before(refused):
		why.Until = refused
		return why, true
	case now.Before(until):
		return why, !known()
	}
	return Refusal{}, false
}

// Active returns the restriction that holds now.
func (r *Restrictions) Active() (Refusal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Refusal{Until: r.until, Named: r.named}, r.Now().Before(r.until)
}

// Restore takes up what Active returned in an earlier process.
func (r *Restrictions) Restore(until time.Time, named bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until, r.named = until, named
}

// Forget ends all restrictions: another account has its own.
func (r *Restrictions) Forget() { r.Announced(false, time.Time{}) }

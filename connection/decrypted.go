package connection

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"

	"waoutbox/connection/decryptions"
	"waoutbox/connection/stanzas"
	"waoutbox/connection/translate"
)

// messageCommitted is told how the device store took a message that was decrypted.
func (c *Client) messageCommitted(err error) {
	if err != nil {
		c.deviceStoreFailed(err)
		return
	}
	c.alarms.clear(alarmSessionStore)
}

// useDecrypted makes a buffer that of the present device.
func (c *Client) useDecrypted(b *decryptions.Buffer) {
	if before := c.decrypted.Swap(b); before != nil {
		before.Drop()
	}
}

// beginCommit begins to commit what was decrypted, and returns what waits for that and fails when
// it could not be: then WhatsApp must send it again.
func (c *Client) beginCommit() (committed func() error) {
	if b := c.decrypted.Load(); b != nil {
		return b.Begin()
	}
	return func() error { return nil }
}

// committedFirst has nothing acknowledged on a session before what was decrypted is committed,
// whatever the library made of it, and what it made no event of is stored, and no message sent that
// nobody could read.
type committedFirst struct {
	*stanzas.Watch
	c *Client
	s *session
}

func (w committedFirst) Sending(n *waBinary.Node) {
	if (n.Tag == "ack" || n.Tag == "receipt") && !w.IsCommitted(n) && w.c.beginCommit()() != nil {
		if from := w.s.from.Load(); from != nil {
			from.cut()
		}
	}
	if n.Tag == "message" {
		w.c.sends.checkReaders(n)
	}
	if of, found := w.Missed(n); len(found) > 0 {
		// not the present session's: this one's may be over, and must not overtake what it refused
		if from := w.s.from.Load(); from != nil {
			w.c.in.storeMissed(of, found, from)
		}
	}
}

// Dropped has a frame that nobody could read asked for again.
func (w committedFirst) Dropped(why string) { w.c.frameDropped(w.s, why) }

// NotResent tells that a recipient does not have a message, unless the request comes again. One for
// a message that nobody knows is not of this account, or of long ago: anybody can ask for one.
func (w committedFirst) NotResent(id string, err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, whatsmeow.ErrNotConnected), isCutOff(err):
		return
	case errors.Is(err, sql.ErrNoRows), strings.HasPrefix(err.Error(), "couldn't find message"):
		return
	}
	w.c.log.Error("a recipient asked for a message again, and it could not be sent", "message_id", id, "error", masked(err.Error()))
	w.c.alarms.happened(alarmNotResent, "A recipient could not read the message "+masked(id)+" and asked for it again, and it could not be sent again ("+masked(err.Error())+"). Send it anew if it matters.")
}

// NotRecovered tells that the placeholder of a message stays, unless the phone has a copy.
func (w committedFirst) NotRecovered(id string) {
	w.c.reportLostMessage(translate.Alarm{Code: translate.AlarmUnreadable, Message: "the message " + masked(id) + " could not be decrypted, " +
		"nor could what its sender sent when asked for it again, and it is asked for no more"})
}

func (w committedFirst) Received(n *waBinary.Node) {
	if b := w.c.decrypted.Load(); b != nil && n.Tag == "success" {
		b.Renew()
	}
	w.c.noteClock(n)
	w.Watch.Received(n)
	if order := w.s.hooks.Order; order != nil {
		order.Arrived(n)
	}
}

// flushDecrypted has all committed, and the device store clear the plaintexts of what is stored.
// They may stay when it cannot.
func (c *Client) flushDecrypted() {
	b := c.decrypted.Load()
	if b == nil {
		return
	}
	if err := b.Flush(); err != nil {
		c.log.Warn("plaintexts of stored messages stay in whatsapp.db until the library removes them", "error", masked(err.Error()))
	}
}

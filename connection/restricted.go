package connection

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// restrictedCode is what WhatsApp refuses a message with that the account may not send: to a
// stranger, while it is restricted.
const restrictedCode = "463"

// noteTimelock keeps what WhatsApp said about messages to strangers.
func (c *Client) noteTimelock(e *events.NotifyAccountReachoutTimelock) {
	c.restricted.Announced(e.IsActive, e.TimeEnforcementEnds.Time)
	c.keepRestriction()
}

// keepRestriction keeps what holds now over restarts, and tells it.
func (c *Client) keepRestriction() {
	c.tellRestriction()
	why, _ := c.restricted.Active()
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if err := c.o.Device.SetRestriction(ctx, why.Until, why.Named); err != nil {
		c.log.Warn("a restriction of the account is not kept over a restart", "error", masked(err.Error()))
	}
}

// restoreRestriction takes up what was kept.
func (c *Client) restoreRestriction(ctx context.Context) {
	until, named, err := c.o.Device.Restriction(ctx)
	if err != nil {
		c.log.Warn("whether the account is restricted is not known", "error", masked(err.Error()))
		return
	}
	c.restricted.Restore(until, named)
	c.tellRestriction()
}

// tellRestriction raises the alarm of the restriction that holds, or takes back that of one which
// is over.
func (c *Client) tellRestriction() {
	why, active := c.restricted.Active()
	if !active {
		c.alarms.clear(alarmRestricted)
		c.status.note(noteRestricted, "")
		return
	}
	text := "WhatsApp does not let this account write to people it has not written with before, " + why.When()
	if c.alarms.raise(alarmRestricted, text+". Messages to them are refused here meanwhile; others go out. Sending less often to strangers helps.") {
		c.log.Error("the account is restricted", "until", why.Until, "named_by_whatsapp", why.Named)
	}
	c.status.note(noteRestricted, text)
}

// mayWriteTo returns why WhatsApp would refuse a message to that chat now.
func (c *Client) mayWriteTo(ctx context.Context, s *session, to types.JID) error {
	why, refused := c.restricted.Check(to.String(), func() bool { return !stranger(ctx, s, to) })
	if !refused {
		return nil
	}
	return api.Retryf(api.CodeAccountRestricted, "nothing was sent: WhatsApp does not let this account write to people it has not written with before, %s", why.When())
}

// stranger reports whether nothing shows that the account has written with a person, or that they
// have each other in their address books: no privacy token, no name of their own, no session.
func stranger(ctx context.Context, s *session, to types.JID) bool {
	if to.Server != types.DefaultUserServer && to.Server != types.HiddenUserServer {
		return false
	}
	if token, err := s.cli.Store.PrivacyTokens.GetPrivacyToken(ctx, to); err != nil || token != nil {
		return false
	}
	if contact, err := s.cli.Store.Contacts.GetContact(ctx, to); err != nil || contact.PushName != "" {
		return false
	}
	has, err := s.cli.Store.Sessions.HasSession(ctx, to.SignalAddress().String())
	return err == nil && !has
}

// refusedAsRestricted notes that WhatsApp refused a message because of a restriction, tells it as
// an event unless it was known, and returns what the sender is told.
func (c *Client) refusedAsRestricted(ctx context.Context, to types.JID) *api.Error {
	if c.restricted.Refused(to.String()) {
		evs, err := c.tr.Translate(ctx, &events.NotifyAccountReachoutTimelock{IsActive: true})
		if err != nil {
			c.log.Error("the restriction could not be translated", "error", err)
		} else {
			c.in.appendOwn(evs...)
		}
	}
	c.keepRestriction()
	why, _ := c.restricted.Check(to.String(), func() bool { return false })
	return api.Retryf(api.CodeAccountRestricted, "WhatsApp refused the message (%s); it was not sent: the account may not write to this recipient %s", restrictedCode, why.When())
}

// noteWriter has whoever writes in a direct chat be written to again.
func (c *Client) noteWriter(evt any) {
	if m, ok := evt.(*events.Message); ok && !m.Info.IsFromMe && !m.Info.IsGroup {
		c.restricted.Wrote(m.Info.Chat.ToNonAD().String(), m.Info.SenderAlt.ToNonAD().String())
	}
}

// bannedUntil is the end of a ban in words, for a sentence about it.
func (c *Client) bannedUntil(left time.Duration) string {
	if left <= 0 {
		return "for a while"
	}
	return fmt.Sprintf("until %s", c.now().Add(left).Local().Format("2006-01-02 15:04"))
}

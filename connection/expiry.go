package connection

import (
	"context"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/compose"
	"waoutbox/connection/disappearing"
)

// noteTimer keeps after how long messages of a chat disappear, if an event tells of it.
func (c *Client) noteTimer(s *session, evt any) {
	chat, timer, ok := disappearing.Told(evt, c.now())
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(s.life.ctx, appendTimeout)
	defer cancel()
	if err := c.timers.Note(ctx, chat, timer); err != nil {
		c.log.Warn("after how long messages of a chat disappear is not kept", "error", masked(err.Error()))
	}
}

// expiry returns after how long messages of a chat disappear. Of a group of which no event has told
// WhatsApp is asked, once; a chat with a person of which none has told has no timer.
func (c *Client) expiry(ctx context.Context, s *session, chat types.JID) (e compose.Expiry) {
	if chat.Server == types.NewsletterServer {
		return e
	}
	found := false
	for _, under := range []types.JID{chat, c.otherAddress(ctx, chat)} {
		if under.IsEmpty() {
			continue
		}
		timer, known, err := c.timers.Of(ctx, under)
		if err != nil {
			c.log.Warn("whether messages of a chat disappear is not known", "error", masked(err.Error()))
		}
		if known && (!found || timer.Set > e.Set) {
			e, found = compose.Expiry(timer), true
		}
	}
	if found || chat.Server != types.GroupServer {
		return e
	}
	ask, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	info, err := s.cli.GetGroupInfo(ask, chat)
	if err != nil { // the send will tell
		c.log.Debug("whether messages of a group disappear is not known", "error", masked(err.Error()))
		return e
	}
	timer := disappearing.OfGroup(info, c.now())
	if err := c.timers.Note(ctx, chat, timer); err != nil {
		c.log.Warn("after how long messages of a chat disappear is not kept", "error", masked(err.Error()))
	}
	return compose.Expiry(timer)
}

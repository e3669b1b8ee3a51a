package connection

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/compose"
	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// lookupTimeout bounds a question about a recipient.
const lookupTimeout = 20 * time.Second

// resolve finds the address a person is written to: the LID, which WhatsApp must know. Groups are
// left as they are, and so are channels, in which the account must be allowed to publish.
func (c *Client) resolve(ctx context.Context, s *session, to types.JID) (types.JID, error) {
	switch to.Server {
	case types.DefaultUserServer:
	case types.NewsletterServer:
		return to, c.mayPublish(ctx, s, to)
	default:
		return to, nil
	}
	if lid, err := s.cli.Store.LIDs.GetLIDForPN(ctx, to); err == nil && !lid.IsEmpty() {
		return translate.BareJID(lid), nil
	}
	// who asks for many numbers is taken for somebody who tries them out
	if err := c.lookups.take("no look-up was made: more than %d unknown numbers a minute"); err != nil {
		return types.JID{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	answers, err := s.cli.IsOnWhatsApp(ctx, []string{"+" + to.User})
	if err != nil {
		return types.JID{}, sendError(err)
	}
	for _, a := range answers {
		if !a.IsIn {
			continue
		}
		for _, jid := range []types.JID{a.JID, a.PhoneNumber} {
			if jid.Server == types.HiddenUserServer {
				return translate.BareJID(jid), nil
			}
		}
		if a.JID.Server == types.DefaultUserServer { // the number as WhatsApp knows it
			return translate.BareJID(a.JID), nil
		}
	}
	return types.JID{}, api.Errorf(api.CodeNotOnWhatsApp, "+%s is not on WhatsApp: check the number and its country code", to.User)
}

// mayPublish returns why the account cannot publish in a channel.
func (c *Client) mayPublish(ctx context.Context, s *session, to types.JID) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	info, err := s.cli.GetNewsletterInfo(ctx, to)
	_, refused := errors.AsType[types.GraphQLErrors](err)
	switch {
	case refused || err == nil && info == nil:
		return api.Errorf(api.CodeInvalidRecipient, "WhatsApp knows no channel %s that the account follows", to)
	case err != nil:
		return sendError(err)
	case info.ViewerMeta == nil || info.ViewerMeta.Role != types.NewsletterRoleOwner && info.ViewerMeta.Role != types.NewsletterRoleAdmin:
		return api.Errorf(api.CodeInvalidRecipient, "the account only follows the channel %s: its owner and admins publish in it", to)
	}
	return nil
}

// sendEnv is what a message to a chat is built with.
func (c *Client) sendEnv(chat types.JID) compose.Env {
	return compose.Env{
		Chat: chat, Self: c.status.account(), Now: c.now(),
		Parse: c.tr.ParseMessage,
		Find:  func(ctx context.Context, id string) ([]byte, bool) { return c.findMessage(ctx, chat, id) },
	}
}

// findMessage looks a message of a chat up. Events from before the chat's other address was known
// have the chat under that one.
func (c *Client) findMessage(ctx context.Context, chat types.JID, id string) ([]byte, bool) {
	if c.o.Messages == nil {
		return nil, false
	}
	for _, under := range []types.JID{chat, c.otherAddress(ctx, chat)} {
		if under.IsEmpty() {
			continue
		}
		if body, ok := c.o.Messages.FindMessage(ctx, under.String(), id); ok {
			return body, true
		}
	}
	return nil, false
}

// otherAddress is the phone number of a LID and the reverse, the zero JID where it is not known.
func (c *Client) otherAddress(ctx context.Context, jid types.JID) types.JID {
	if jid.Server != types.DefaultUserServer && jid.Server != types.HiddenUserServer {
		return types.JID{}
	}
	return translate.BareJID(addressLookup{c}.AltJID(ctx, jid))
}

// whoIs names an address as people know it: by the phone number where there is one.
func (c *Client) whoIs(ctx context.Context, jid types.JID) string {
	if jid.Server == types.HiddenUserServer {
		if pn := c.otherAddress(ctx, jid); !pn.IsEmpty() {
			jid = pn
		}
	}
	if jid.Server == types.DefaultUserServer {
		return "+" + jid.User
	}
	return jid.ToNonAD().String()
}

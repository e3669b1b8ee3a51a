package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/compose"
	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// The limits of what is asked for besides messages.
const (
	maxMarked  = 256 // messages of one call
	maxWatched = 256 // people whose presence is watched
	maxFound   = 100
	someFound  = 20 // when no limit is given
)

// current is connected with the session.
func (c *Client) current(ctx context.Context) (*session, error) {
	cli, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.cli != cli {
		return nil, c.notRunning(api.CodeNotConnected)
	}
	return c.session, nil
}

// readKey is whose messages in which chat one receipt is for.
type readKey struct{ chat, sender types.JID }

// MarkRead sends read receipts, one for each chat and sender. With read receipts turned off in the
// account's privacy settings, only the account's own devices learn of it. It returns when they are
// handed over: WhatsApp does not say what became of them. All messages are checked before any is
// marked: where the log lacks some whose author is not named, none is (message_not_found).
func (c *Client) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	if n := len(in.Messages); n == 0 || n > maxMarked {
		return api.MarkReadResult{}, api.Errorf(api.CodeInvalidArguments, "%d messages are to be marked as read: give 1 to %d of them", n, maxMarked).In("messages")
	}
	cli, err := c.connected(ctx)
	if err != nil {
		return api.MarkReadResult{}, err
	}
	if err := c.signals.take(tooManySignals); err != nil {
		return api.MarkReadResult{}, err
	}
	receipts := make(map[readKey][]types.MessageID)
	var order []readKey
	var known, unknown []string
	for _, m := range in.Messages {
		k, err := c.readKey(ctx, m)
		switch {
		case ctx.Err() != nil:
			return api.MarkReadResult{}, ctx.Err()
		case api.CodeOf(err) == api.CodeMessageNotFound:
			unknown = append(unknown, m.ID)
			continue
		case err != nil:
			return api.MarkReadResult{}, err
		}
		known = append(known, m.ID)
		if receipts[k] == nil {
			order = append(order, k)
		}
		receipts[k] = append(receipts[k], m.ID)
	}
	if len(unknown) > 0 {
		return api.MarkReadResult{}, notInLog(known, unknown)
	}
	for _, k := range order {
		if err := cli.MarkRead(ctx, receipts[k], c.now(), k.chat, k.sender); err != nil {
			return api.MarkReadResult{}, actionError(err)
		}
	}
	return api.MarkReadResult{Marked: len(in.Messages)}, nil
}

// maxNamed is how many ids a sentence names.
const maxNamed = 10

// notInLog says which messages the log has and which it lacks.
func notInLog(known, unknown []string) error {
	list := func(ids []string) string {
		if more := len(ids) - maxNamed; more > 0 {
			return fmt.Sprintf("%s and %d more", strings.Join(ids[:maxNamed], ", "), more)
		}
		return strings.Join(ids, ", ")
	}
	has := ""
	if len(known) > 0 {
		has = "; it has " + list(known)
	}
	return api.Errorf(api.CodeMessageNotFound, "nothing was marked as read: the log, which keeps the messages of the last days, does not have %s%s. Leave out what it does not have, or name who wrote those (--author; participant in a request)", list(unknown), has).In("messages")
}

// readKey says who gets the receipt of a message.
func (c *Client) readKey(ctx context.Context, m api.MessageRef) (readKey, error) {
	chat, err := compose.ParseRecipient(m.Chat)
	if err != nil {
		return readKey{}, err
	}
	if err := compose.CheckMessageID(m.ID); err != nil {
		return readKey{}, err
	}
	switch {
	case chat.Server == types.NewsletterServer:
		return readKey{}, api.Errorf(api.CodeInvalidArguments, "messages of channels are not marked as read: %s is one", chat).In("messages")
	}
	sender, err := c.sendEnv(chat).Author(ctx, m.ID, m.Participant)
	switch {
	case err != nil:
		return readKey{}, err
	case chat.Server == types.GroupServer:
	case m.Participant != "" && sender != chat && c.otherAddress(ctx, sender) != chat:
		return readKey{}, api.Errorf(api.CodeInvalidArguments, "%s writes nothing in the chat with %s: in a chat with one person leave the participant out, or name that person", sender, chat).In("messages")
	default:
		sender = chat
	}
	return readKey{chat: chat, sender: sender}, nil
}

// Typing shows the account as typing, recording or neither in a chat. Like MarkRead it only hands
// over.
func (c *Client) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	in.State = cmp.Or(in.State, api.TypingComposing)
	state, media := types.ChatPresenceComposing, types.ChatPresenceMediaText
	switch in.State {
	case api.TypingComposing:
	case api.TypingRecording:
		media = types.ChatPresenceMediaAudio
	case api.TypingPaused:
		state = types.ChatPresencePaused
	default:
		return api.TypingResult{}, api.Errorf(api.CodeInvalidArguments, "the state %q is none of composing, recording and paused", in.State).In("state")
	}
	to, err := compose.ParseRecipient(in.To)
	if err != nil {
		return api.TypingResult{}, err
	}
	if to.Server == types.NewsletterServer {
		return api.TypingResult{}, api.Errorf(api.CodeInvalidRecipient, "nobody sees who types in a channel: %s is one", to)
	}
	s, err := c.current(ctx)
	if err != nil {
		return api.TypingResult{}, err
	}
	if err := c.signals.take(tooManySignals); err != nil {
		return api.TypingResult{}, err
	}
	if to, err = c.resolve(ctx, s, to); err != nil {
		return api.TypingResult{}, err
	}
	if err := s.cli.SendChatPresence(ctx, to, state, media); err != nil {
		return api.TypingResult{}, actionError(err)
	}
	return api.TypingResult{Chat: to.String(), State: in.State}, nil
}

// WatchPresence subscribes to a person's presence, again after every log-in while the service runs.
func (c *Client) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	of, err := compose.ParseRecipient(in.Of)
	if err != nil {
		return api.WatchPresenceResult{}, err
	}
	if of.Server != types.DefaultUserServer && of.Server != types.HiddenUserServer {
		return api.WatchPresenceResult{}, api.Errorf(api.CodeInvalidRecipient, "only people have a presence: %s is none", of)
	}
	s, err := c.current(ctx)
	if err != nil {
		return api.WatchPresenceResult{}, err
	}
	if err := c.signals.take(tooManySignals); err != nil {
		return api.WatchPresenceResult{}, err
	}
	if of, err = c.resolve(ctx, s, of); err != nil {
		return api.WatchPresenceResult{}, err
	}
	if err := c.watched.add(c.status.account().PN, of); err != nil {
		return api.WatchPresenceResult{}, err
	}
	if err := s.cli.SubscribePresence(ctx, of); err != nil {
		return api.WatchPresenceResult{}, actionError(err)
	}
	return api.WatchPresenceResult{JID: of.String()}, nil
}

// watchAgain subscribes to what is watched: a subscription ends with its connection.
func (c *Client) watchAgain(ctx context.Context, s *session) {
	for _, jid := range c.watched.list(c.status.account().PN) {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		err := s.cli.SubscribePresence(ctx, jid)
		cancel()
		if err != nil { // the next log-in tries again
			c.log.Warn("subscribing to a presence failed", "error", masked(err.Error()))
			return
		}
	}
}

// watched are the people whose presence is watched, of one account. Safe for concurrent use.
type watched struct {
	mu  sync.Mutex
	by  types.JID
	who []types.JID // in the order of asking
}

// add keeps somebody, or returns that there are too many.
func (w *watched) add(by, who types.JID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if by = translate.BareJID(by); w.by != by {
		w.by, w.who = by, nil
	}
	if slices.Contains(w.who, who) {
		return nil
	}
	if len(w.who) == maxWatched {
		return api.Errorf(api.CodeInvalidArguments, "the presence of %d people is watched already, which is the most: a restart of the service begins anew", maxWatched).In("of")
	}
	w.who = append(w.who, who)
	return nil
}

func (w *watched) list(by types.JID) []types.JID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by != translate.BareJID(by) {
		return nil
	}
	return slices.Clone(w.who)
}

// FindRecipients looks for people and groups. A whole number that no contact has is looked up at
// WhatsApp.
func (c *Client) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	limit := cmp.Or(in.Limit, someFound)
	switch {
	case limit < 1 || limit > maxFound:
		return api.FoundRecipients{}, api.Errorf(api.CodeInvalidArguments, "the limit %d is not between 1 and %d", in.Limit, maxFound).In("limit")
	case len([]rune(in.Query)) > maxFound, strings.TrimSpace(in.Query) == "":
		return api.FoundRecipients{}, api.Errorf(api.CodeInvalidArguments, "give a part of a name, or digits of a phone number, to look for").In("query")
	}
	s, err := c.current(ctx)
	if err != nil {
		return api.FoundRecipients{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := c.directory.Find(ctx, s.cli, in.Query)
	if err != nil {
		return api.FoundRecipients{}, actionError(err)
	}
	if len(all) == 0 {
		if all, err = c.findNumber(ctx, s, in.Query); err != nil {
			return api.FoundRecipients{}, err
		}
	}
	return api.FoundRecipients{Items: all[:min(limit, len(all))], Total: len(all)}, nil
}

// findNumber asks WhatsApp for somebody who is no contact. Nobody found is no error.
func (c *Client) findNumber(ctx context.Context, s *session, query string) ([]api.Recipient, error) {
	jid, err := compose.ParseRecipient(query)
	if err != nil || jid.Server != types.DefaultUserServer {
		return []api.Recipient{}, nil
	}
	to, err := c.resolve(ctx, s, jid)
	switch {
	case api.CodeOf(err) == api.CodeNotOnWhatsApp:
		return []api.Recipient{}, nil
	case err != nil:
		return nil, err
	}
	who, err := c.directory.Person(ctx, s.cli, to, jid)
	if err != nil {
		return nil, actionError(err)
	}
	return []api.Recipient{who}, nil
}

// Groups returns the groups that the account is in, with their members, as WhatsApp has them or had
// them a minute ago.
func (c *Client) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	var jid types.JID
	if in.JID != "" {
		var err error
		if jid, err = compose.ParseRecipient(in.JID); err != nil {
			return nil, err
		}
		if jid.Server != types.GroupServer {
			return nil, api.Errorf(api.CodeInvalidArguments, "%s is no group: the JID of one ends in @g.us", jid).In("jid")
		}
	}
	cli, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	groups, err := c.directory.Groups(ctx, cli, jid)
	if err != nil {
		return nil, actionError(err)
	}
	if in.JID != "" && len(groups) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "the account is in no group %s. Those it is in: waoutbox group list", jid)
	}
	return groups, nil
}

// actionError says what an error of the library means for who asked for something else than a
// message.
func actionError(err error) error {
	iq, isIQ := errors.AsType[*whatsmeow.IQError](err)
	switch {
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn), errors.Is(err, whatsmeow.ErrIQDisconnected):
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp: try again in a moment")
	case isIQ && iq.Code == 429:
		return api.Retryf(api.CodeRateLimited, "WhatsApp answers too many requests (429): wait some minutes before the next one")
	case isIQ:
		return api.Errorf(api.CodeSendFailed, "WhatsApp refused the request (%d %s)", iq.Code, iq.Text)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, whatsmeow.ErrIQTimedOut):
		return api.Retryf(api.CodeTimeout, "WhatsApp did not answer within %s: try again", lookupTimeout)
	}
	return err
}

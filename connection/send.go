package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// The limits of a send.
const (
	maxText       = 65_536           // characters, WhatsApp's own limit
	maxKey        = 256              // characters of an idempotency key
	lookupTimeout = 20 * time.Second // is this number on WhatsApp?
	sendTimeout   = 45 * time.Second // from handing the message over to WhatsApp's answer
)

// SendText sends one text. The message id is fixed and written to the ledger before the first try; message.sent is stored, in one
// step with the ledger's entry, before the call returns. A repeated IdempotencyKey answers the first result, or goes on with a
// send whose end is not known, under the same message id; calls with one key at the same time send once. When ctx ends the
// send goes on.
func (c *Client) SendText(ctx context.Context, in api.SendText) (api.SendResult, error) {
	if err := checkText(in); err != nil {
		return api.SendResult{}, err
	}
	to, err := parseRecipient(in.To)
	if err != nil {
		return api.SendResult{}, err
	}
	o, err := c.begin(in, to)
	if err != nil {
		return api.SendResult{}, err
	}
	select {
	case <-o.done:
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.result, o.err
	case <-ctx.Done():
		return api.SendResult{}, api.Retryf(api.CodeTimeout, "the call ended before WhatsApp answered, and the send goes on: repeat it with the same idempotency key to learn how it ended")
	}
}

func checkText(in api.SendText) error {
	switch {
	case strings.TrimSpace(in.Text) == "":
		return api.Errorf(api.CodeInvalidArguments, "the text is empty: give text with at least one visible character")
	case !utf8.ValidString(in.Text):
		return api.Errorf(api.CodeInvalidArguments, "the text is not valid UTF-8")
	case utf8.RuneCountInString(in.Text) > maxText:
		return api.Errorf(api.CodeInvalidArguments, "the text has %d characters, WhatsApp takes at most %d: split it", utf8.RuneCountInString(in.Text), maxText)
	case utf8.RuneCountInString(in.IdempotencyKey) > maxKey:
		return api.Errorf(api.CodeInvalidArguments, "the idempotency key is longer than %d characters", maxKey)
	}
	return nil
}

// begin starts the send, or answers the one that runs under the same key.
func (c *Client) begin(in api.SendText, to types.JID) (*openSend, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running || c.session == nil {
		return nil, api.Retryf(api.CodeNotConnected, "the WhatsApp link is not running: start the service and try again")
	}
	c.sends.mu.Lock()
	defer c.sends.mu.Unlock()
	if o := c.sends.keys[in.IdempotencyKey]; o != nil && in.IdempotencyKey != "" {
		return o, nil
	}
	o := &openSend{to: to, done: make(chan struct{}), send: outbox.Send{IdempotencyKey: in.IdempotencyKey}}
	if in.IdempotencyKey != "" {
		c.sends.keys[in.IdempotencyKey] = o
	}
	s := c.session
	c.working.Go(func() { c.send(s, o, in) })
	return o, nil
}

// send runs one send to its end.
func (c *Client) send(s *session, o *openSend, in api.SendText) {
	result, err := c.trySend(s, o, in)
	if err != nil {
		if _, ok := errors.AsType[*api.Error](err); !ok {
			c.log.Error("sending failed", "error", masked(err.Error()))
			err = sendError(err)
		}
	}
	o.mu.Lock()
	o.result, o.err = result, err
	o.mu.Unlock()
	c.sends.mu.Lock()
	if in.IdempotencyKey != "" {
		delete(c.sends.keys, in.IdempotencyKey)
	}
	c.sends.mu.Unlock()
	close(o.done)
}

func (c *Client) trySend(s *session, o *openSend, in api.SendText) (api.SendResult, error) {
	ctx := s.ctx
	first, err := c.earlier(ctx, o)
	if err != nil {
		return api.SendResult{}, err
	}
	if first != nil {
		return *first, nil
	}
	if link := c.status.read(); link.State != api.LinkConnected {
		return api.SendResult{}, notConnected(link)
	}
	if o.msg == nil { // not an earlier one that is taken up
		if o.to, err = c.resolve(ctx, s, o.to); err != nil {
			return api.SendResult{}, err
		}
		o.msg = c.textMessage(ctx, o.to, in.Text, in.QuotedMessageID)
		o.send.MessageID = s.cli.GenerateMessageID()
		if err := c.sends.prepare(ctx, o); err != nil {
			return api.SendResult{}, ledgerError(err)
		}
	}
	return c.transmit(ctx, s, o)
}

// earlier looks for a send with the same key: its result if it was sent; one of unknown outcome is taken up in o.
func (c *Client) earlier(ctx context.Context, o *openSend) (*api.SendResult, error) {
	if o.send.IdempotencyKey == "" {
		return nil, nil
	}
	old, err := c.sends.ledger.SendByKey(ctx, o.send.IdempotencyKey)
	if errors.Is(err, outbox.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, ledgerError(err)
	}
	switch old.State {
	case outbox.SendSent:
		var r api.SendResult
		if err := json.Unmarshal(old.Result, &r); err != nil {
			return nil, fmt.Errorf("decode an earlier send's result: %w", err)
		}
		return &r, nil
	case outbox.SendPrepared:
		to, msg, err := decodeContent(old.Content)
		if err != nil {
			return nil, err
		}
		o.send, o.to, o.msg = old, to, msg
		c.sends.mu.Lock()
		left := c.sends.open[old.MessageID]
		c.sends.open[old.MessageID] = o
		c.sends.mu.Unlock()
		if left != nil {
			left.mu.Lock()
			o.acked = left.acked
			left.mu.Unlock()
		}
		if o.acked != nil { // sent, but not stored: no second try
			if err := c.sends.settle(ctx, o, *o.acked); err != nil {
				return nil, ledgerError(err)
			}
			return &o.result, nil
		}
	}
	return nil, nil
}

// resolve finds the address a person is written to: the LID, which WhatsApp must know. Groups are left as they are.
func (c *Client) resolve(ctx context.Context, s *session, to types.JID) (types.JID, error) {
	if to.Server != types.DefaultUserServer {
		return to, nil
	}
	if lid, err := s.cli.Store.LIDs.GetLIDForPN(ctx, to); err == nil && !lid.IsEmpty() {
		return plain(lid), nil
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
				return plain(jid), nil
			}
		}
		if a.JID.Server == types.DefaultUserServer { // the number as WhatsApp knows it
			return plain(a.JID), nil
		}
	}
	return types.JID{}, api.Errorf(api.CodeNotOnWhatsApp, "+%s is not on WhatsApp: check the number and its country code", to.User)
}

// transmit hands the message to WhatsApp and closes the ledger's entry by what came of it.
func (c *Client) transmit(ctx context.Context, s *session, o *openSend) (api.SendResult, error) {
	msg := proto.Clone(o.msg).(*waE2E.Message) // the library adds to what it is given
	resp, err := s.cli.SendMessage(ctx, o.to, msg, whatsmeow.SendRequestExtra{ID: o.send.MessageID, Timeout: sendTimeout})
	if err == nil {
		return c.delivered(o, resp)
	}
	c.log.Warn("sending failed", "message_id", o.send.MessageID, "error", masked(err.Error()))
	if unclear(err) {
		o.mu.Lock()
		settled, result := o.settled, o.result
		o.mu.Unlock()
		if settled { // a receipt proved it meanwhile
			return result, nil
		}
		return api.SendResult{}, api.Retryf(api.CodeTimeout, "WhatsApp did not confirm the message %s, which may have been sent (%s): repeat the call with the same idempotency key, it goes out under the same id", o.send.MessageID, masked(err.Error()))
	}
	why := sendError(err)
	ledger, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	if err := c.sends.fail(ledger, o, why); err != nil {
		c.log.Error("failed send stays open in the ledger", "error", err)
	}
	if code := refusalCode(err); code != "" {
		c.sendRefused(ledger, o, resp, code)
	}
	return api.SendResult{}, why
}

// delivered stores message.sent. The message has left: if the outbox refuses for long, the call says so, and the event follows
// when there is room or with the message's delivery receipt.
func (c *Client) delivered(o *openSend, resp whatsmeow.SendResponse) (api.SendResult, error) {
	retry := c.pace.insist()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
		err := c.sends.settle(ctx, o, resp)
		cancel()
		o.mu.Lock()
		result := o.result
		o.mu.Unlock()
		if err == nil {
			return result, nil
		}
		if c.alarms.raise(alarmRefused, refusal(err)) {
			c.log.Error("outbox refused a sent message: trying again", "error", err)
		}
		wait := retry.NextBackOff()
		if wait == backoff.Stop {
			return result, nil
		}
		select {
		case <-time.After(wait):
		case <-c.in.stopping:
			return result, nil
		}
	}
}

// sendRefused tells subscribers of a message WhatsApp refused.
func (c *Client) sendRefused(ctx context.Context, o *openSend, resp whatsmeow.SendResponse, code string) {
	ev, err := c.tr.SendFailed(ctx, o.to, resp.Sender, o.send.MessageID, code)
	if err != nil {
		c.log.Error("refused send could not be translated", "error", err)
		return
	}
	c.in.enter(ev)
}

func notConnected(link api.Link) *api.Error {
	switch {
	case link.Account == "":
		return api.Errorf(api.CodeNotConnected, "no account is linked: link one first with waoutbox pair")
	case link.Reason != "":
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp (%s): try again later", link.Reason)
	}
	return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp yet: try again in a moment")
}

func ledgerError(err error) *api.Error {
	if errors.Is(err, outbox.ErrFull) {
		return api.Retryf(api.CodeOutboxFull, "nothing was sent: the outbox is full, so the send could not be noted. Make room and try again")
	}
	return api.Retryf(api.CodeInternal, "nothing was sent: the send could not be noted (%s)", masked(err.Error()))
}

// unclear reports whether the message may have left although the library answered an error.
func unclear(err error) bool {
	if errors.Is(err, whatsmeow.ErrMessageTimedOut) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if d, ok := errors.AsType[*whatsmeow.DisconnectedError](err); ok {
		return d.Action != "info query" // before the message itself come questions about the recipient's devices
	}
	if err == whatsmeow.ErrNotConnected { // unwrapped: from the repetition after a lost connection
		return true
	}
	return strings.Contains(err.Error(), "failed to send message node") && !errors.Is(err, whatsmeow.ErrNotConnected)
}

// refusalCode is the code WhatsApp refused the message with, which the library has in its error's text only; "" for other errors.
func refusalCode(err error) string {
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return ""
	}
	code := strings.TrimSpace(strings.TrimPrefix(err.Error(), whatsmeow.ErrServerReturnedError.Error()))
	if _, err := strconv.Atoi(code); err != nil {
		return "0"
	}
	return code
}

// sendError says what an error of the library means for who wanted to send.
func sendError(err error) *api.Error {
	if code := refusalCode(err); code != "" {
		if code == "429" {
			return api.Retryf(api.CodeRateLimited, "WhatsApp refused the message for now (429, too many): wait some minutes before the next one")
		}
		return api.Errorf(api.CodeSendFailed, "WhatsApp refused the message (code %s); it was not sent. Try the same from the phone: if that fails too, WhatsApp restricts this account or this recipient", code)
	}
	iq, isIQ := errors.AsType[*whatsmeow.IQError](err)
	switch {
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn), errors.Is(err, whatsmeow.ErrIQDisconnected):
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp: try again in a moment")
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup):
		return api.Errorf(api.CodeInvalidRecipient, "the group does not exist or the account is not in it")
	case isIQ && iq.Code == 429:
		return api.Retryf(api.CodeRateLimited, "WhatsApp answers too many requests (429): wait some minutes before the next one")
	case errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, context.DeadlineExceeded):
		return api.Retryf(api.CodeTimeout, "WhatsApp did not answer a question about the recipient, nothing was sent: try again")
	case errors.Is(err, context.Canceled):
		return api.Retryf(api.CodeNotConnected, "the service is stopping: try again when it runs")
	case strings.Contains(err.Error(), "no LID found"):
		return api.Errorf(api.CodeNotOnWhatsApp, "WhatsApp knows no account for this number: check the number and its country code")
	case isIQ:
		return api.Errorf(api.CodeSendFailed, "WhatsApp refused a question about the recipient (%d %s)", iq.Code, iq.Text)
	}
	return api.Errorf(api.CodeSendFailed, "the message could not be sent (%s)", masked(err.Error()))
}

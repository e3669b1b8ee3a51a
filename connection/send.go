package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/compose"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// sendTimeout is the limit from handing a message over to WhatsApp's answer.
const sendTimeout = 45 * time.Second

// Messages finds a stored event by the message it is about.
type Messages interface {
	// FindMessage returns the body of the newest message.received or message.sent event of a
	// message in a chat (order key); of an own one that was deleted that of the message.update
	// which says so.
	FindMessage(ctx context.Context, chat, id string) (body []byte, ok bool)
}

// Send sends one message. Its id is fixed, and with the whole content written to the ledger, before
// the first try; message.sent is stored, in one step with the ledger's entry, before the call
// returns. A repeated IdempotencyKey returns the first result, or goes on with a send whose end is
// not known, under the same message id; calls with one key at the same time send once; with another
// recipient or content the key is refused. What record makes is stored with message.sent, and not
// by a repeated call. It waits as awaitOnline does. When ctx ends the send goes on.
func (c *Client) Send(ctx context.Context, in api.Send, record ...outbox.SendRecorder) (api.SendResult, error) {
	req, err := compose.Parse(in)
	if err != nil {
		return api.SendResult{}, err
	}
	return c.run(ctx, req, record)
}

// run starts a send and waits for its end.
func (c *Client) run(ctx context.Context, req compose.Request, record []outbox.SendRecorder) (api.SendResult, error) {
	c.awaitOnline(ctx)
	o, joined, err := c.startSend(req, c.otherAddress(ctx, req.To), record)
	if err != nil || joined {
		c.giveBack(req)
	}
	if errors.Is(err, errKeyInUse) {
		err = api.Errorf(api.CodeIdempotencyConflict, "the idempotency key %q is that of another message, to %s, which is being sent right now: use a new key for another recipient or content",
			req.IdempotencyKey, c.whoIs(ctx, o.Asked))
	}
	if err != nil {
		return api.SendResult{}, err
	}
	select {
	case <-o.done:
		o.mu.Lock()
		defer o.mu.Unlock()
		result := o.result
		result.Repeated = o.err == nil && (joined || o.repeated)
		return result, o.err
	case <-ctx.Done():
		return api.SendResult{}, unsure(req.IdempotencyKey, "the call ended before WhatsApp answered, and the send goes on")
	}
}

// errKeyInUse: something else is being sent under the same key.
var errKeyInUse = errors.New("the idempotency key is in use")

// startSend starts the send, or joins the one that runs under the same key; errKeyInUse where that
// is of something else, with that one. alias is the recipient's other address.
func (c *Client) startSend(req compose.Request, alias types.JID, record []outbox.SendRecorder) (o *openSend, joined bool, err error) {
	key := req.IdempotencyKey
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running || c.session == nil {
		return nil, false, c.notRunning(api.CodeNotConnected)
	}
	c.sends.mu.Lock()
	defer c.sends.mu.Unlock()
	if o := c.sends.keys[key]; o != nil && key != "" {
		if o.Fingerprint != req.Fingerprint || o.Asked != req.To && o.Asked != alias {
			return o, false, errKeyInUse
		}
		return o, true, nil
	}
	o = &openSend{
		Content: compose.Content{To: req.To, Asked: req.To, Fingerprint: req.Fingerprint},
		send:    outbox.Send{IdempotencyKey: key}, recorders: record, done: make(chan struct{}),
	}
	if key != "" {
		c.sends.keys[key] = o
	}
	s := c.session
	c.sending.Go(func() { c.send(s, o, req) })
	return o, false, nil
}

// send runs one send to its end.
func (c *Client) send(s *session, o *openSend, req compose.Request) {
	result, err := c.containSend(s, o, req)
	c.giveBack(req) // before anybody learns of the end
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
	if req.IdempotencyKey != "" {
		delete(c.sends.keys, req.IdempotencyKey)
	}
	c.sends.mu.Unlock()
	close(o.done)
}

// containSend makes the error of a panic: what somebody asked to be sent ends no other send, nor
// the service. The message may have left before.
func (c *Client) containSend(s *session, o *openSend, req compose.Request) (result api.SendResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked("sending", p)
			err = unsure(req.IdempotencyKey, "the message was not sent: something failed in an unexpected way")
		}
	}()
	return c.trySend(s, o, req)
}

func (c *Client) trySend(s *session, o *openSend, req compose.Request) (api.SendResult, error) {
	ctx := s.life.ctx
	first, err := c.earlierResult(ctx, o)
	if err != nil {
		return api.SendResult{}, err
	}
	if first != nil {
		return *first, nil
	}
	if err := c.maySend(); err != nil {
		return api.SendResult{}, err
	}
	if o.Message == nil { // not an earlier one that is taken up
		if o.To, err = c.resolve(ctx, s, o.To); err != nil {
			return api.SendResult{}, err
		}
		if err := c.mayWriteTo(ctx, s, o.To); err != nil {
			return api.SendResult{}, err
		}
		env := c.sendEnv(o.To)
		env.Expires = c.expiry(ctx, s, o.To)
		if o.Message, err = req.Build(ctx, env); err != nil {
			return api.SendResult{}, err
		}
		o.send.MessageID = s.cli.GenerateMessageID()
		if err := c.sends.prepare(ctx, o); err != nil {
			return api.SendResult{}, ledgerError(err)
		}
	}
	return c.transmit(ctx, s, o)
}

// maySend returns why nothing can be sent at the moment.
func (c *Client) maySend() error {
	if link := c.status.read(); link.State != api.LinkConnected {
		return notConnected(link)
	}
	return c.sends.pace.take("nothing was sent: more than %d messages a minute")
}

// earlierResult looks for a send with the same key: its result if it was sent; one of unknown
// outcome is taken up in o; one of something else is an error.
func (c *Client) earlierResult(ctx context.Context, o *openSend) (*api.SendResult, error) {
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
	if old.State == outbox.SendFailed {
		return nil, nil
	}
	sent, err := compose.DecodeContent(old.Content)
	if err != nil {
		return nil, err
	}
	if !c.sameSend(ctx, o, sent) {
		return nil, api.Errorf(api.CodeIdempotencyConflict, "the idempotency key %q is that of another message: %s to %s at %s. Use a new key for another recipient or content",
			old.IdempotencyKey, old.MessageID, c.whoIs(ctx, sent.To), old.CreatedAt.UTC().Format(time.RFC3339))
	}
	o.repeated = true
	switch old.State {
	case outbox.SendSent:
		var r api.SendResult
		if err := json.Unmarshal(old.Result, &r); err != nil {
			return nil, fmt.Errorf("decode an earlier send's result: %w", err)
		}
		return &r, nil
	case outbox.SendPrepared:
		o.send, o.By, o.To, o.Message, o.Audit = old, sent.By, sent.To, sent.Message, sent.Audit
		c.sends.takeUp(o)
		o.mu.Lock()
		acked, settled, result := o.acked, o.settled, o.result
		o.mu.Unlock()
		switch {
		case settled: // by a receipt, in this moment
			return &result, nil
		case acked != nil: // sent, but not stored: no second try
			if err := c.sends.settle(ctx, o, *acked); err != nil {
				return nil, ledgerError(err)
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			result = o.result
			return &result, nil
		case c.status.read().Account != "" && c.sends.isOthers(o): // this one cannot send it
			return nil, api.Errorf(api.CodeSendFailed, "nothing was sent: a message with this idempotency key was begun by another account (%s) and may have been sent. Send it with another key if it is to go out again", c.whoIs(ctx, sent.By.PN))
		}
	}
	return nil, nil
}

// sameSend reports whether o asks for what an entry of the ledger is: the same content for the same
// person, under whatever address. Entries of older versions do not tell.
func (c *Client) sameSend(ctx context.Context, o *openSend, sent compose.Content) bool {
	if sent.Fingerprint == "" {
		return true
	}
	return o.Fingerprint == sent.Fingerprint &&
		(o.Asked == sent.Asked || o.Asked == sent.To || c.otherAddress(ctx, o.Asked) == sent.To || c.otherAddress(ctx, sent.To) == o.Asked)
}

// transmit hands the message to WhatsApp and closes the ledger's entry by what came of it.
func (c *Client) transmit(ctx context.Context, s *session, o *openSend) (api.SendResult, error) {
	msg := proto.Clone(o.Message).(*waE2E.Message) // the library adds to what it is given
	try, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	o.mu.Lock()
	o.giveUp = giveUp
	o.mu.Unlock()
	resp, err := s.cli.SendMessage(try, o.To, msg, whatsmeow.SendRequestExtra{ID: o.send.MessageID, Timeout: sendTimeout})
	if err == nil {
		return c.storeSent(o, resp)
	}
	c.log.Warn("sending failed", "message_id", o.send.MessageID, "error", masked(err.Error()))
	nobody := errors.Is(context.Cause(try), errNobody)
	// after a lost connection the library sends it once more: a refusal of that says nothing of the
	// first
	if again := resp.DebugTimings.Retry > 0; !nobody && (again || outcomeUnknown(err)) {
		o.mu.Lock()
		settled, result := o.settled, o.result
		o.mu.Unlock()
		if settled { // a receipt settled it meanwhile
			return result, nil
		}
		return api.SendResult{}, unsure(o.send.IdempotencyKey, fmt.Sprintf("WhatsApp did not confirm the message %s, which may have been sent (%s)", o.send.MessageID, masked(err.Error())))
	}
	ledger, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	why := sendError(err)
	if nobody {
		why = api.Retryf(api.CodeSendFailed, "WhatsApp did not give the keys that the recipient reads messages with, so nothing was sent: try again in a moment")
	}
	if refusalCode(err) == restrictedCode {
		why = c.refusedAsRestricted(ledger, o.To)
	}
	if o.repeated {
		// an earlier try may have left, so the key stays with its id
		return api.SendResult{}, why
	}
	if err := c.sends.fail(ledger, o, why); err != nil {
		c.log.Error("failed send stays open in the ledger", "error", err)
	}
	if code := refusalCode(err); code != "" {
		c.reportRefused(ledger, o, resp, code)
	}
	return api.SendResult{}, why
}

// storeSent stores message.sent. The message has left: if the outbox refuses for long, the call
// says so, and the event follows when there is room or with the message's delivery receipt.
func (c *Client) storeSent(o *openSend, resp whatsmeow.SendResponse) (api.SendResult, error) {
	retry := c.timings.retryAppend()
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
		if c.alarms.raise(alarmRefused, refusalText(err)) {
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

// reportRefused tells subscribers of a message WhatsApp refused.
func (c *Client) reportRefused(ctx context.Context, o *openSend, resp whatsmeow.SendResponse, code string) {
	_, tr := c.sends.sentBy(o)
	ev, err := tr.SendFailed(ctx, o.To, resp.Sender, o.send.MessageID, code)
	if err != nil {
		c.log.Error("refused send could not be translated", "error", err)
		return
	}
	c.in.appendOwn(ev)
}

package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Sends is what own sends need of the outbox: the ledger that knows, after a crash too, which message may have left.
type Sends interface {
	// AppendSent appends the event of a send and settles its entry in one transaction.
	AppendSent(ctx context.Context, ev outbox.Event, s outbox.Send) (outbox.Seq, error)
	// PutSend writes an entry; outbox.ErrDuplicate if another one that did not fail has the idempotency key.
	PutSend(ctx context.Context, s outbox.Send) error
	// SendByKey answers the entry with an idempotency key, or outbox.ErrNotFound.
	SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error)
	// Unsettled answers the entries that are still prepared.
	Unsettled(ctx context.Context) ([]outbox.Send, error)
}

// contentVersion is the version of a ledger entry's content. Fields may be added.
const contentVersion = 1

// sendContent is what an entry keeps of the message, enough to send it again under the same id and to tell of it later.
type sendContent struct {
	Version int    `json:"v"`
	To      string `json:"to"`      // JID
	Message []byte `json:"message"` // waE2E.Message
}

// proofLimit is how long a send of unknown outcome waits for a receipt: as long as WhatsApp keeps messages for a phone that is off.
const proofLimit = 30 * 24 * time.Hour

// openSend is a send that is not settled.
type openSend struct {
	send outbox.Send
	to   types.JID
	msg  *waE2E.Message
	done chan struct{} // closed when the try of this process is over; result and err are set then

	mu      sync.Mutex              // guards what follows, and settling
	settled bool                    // its message.sent is stored, or it failed
	acked   *whatsmeow.SendResponse // the server has it, the outbox not yet
	result  api.SendResult
	err     error
}

// sends are the own sends of this process and those an earlier one left open. Safe for concurrent use.
type sends struct {
	ledger Sends
	tr     *Translator
	now    func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	open map[string]*openSend // by message id
	keys map[string]*openSend // calls under way, by idempotency key
}

// load reads what an earlier process left open.
func (b *sends) load(ctx context.Context) error {
	list, err := b.ledger.Unsettled(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger of own sends: %w", err)
	}
	over := make(chan struct{})
	close(over)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range list {
		if b.now().Sub(s.CreatedAt) > proofLimit {
			s.State, s.SettledAt, s.Result = outbox.SendFailed, b.now(), []byte("no receipt came in time")
			if err := b.ledger.PutSend(ctx, s); err != nil {
				return fmt.Errorf("close a send of unknown outcome in the ledger: %w", err)
			}
			continue
		}
		to, msg, err := decodeContent(s.Content)
		if err != nil {
			b.log.Error("entry of an own send cannot be read: its message.sent will be missing", "message_id", s.MessageID, "error", err)
			continue
		}
		b.open[s.MessageID] = &openSend{send: s, to: to, msg: msg, done: over}
	}
	return nil
}

func encodeContent(to types.JID, msg *waE2E.Message) ([]byte, error) {
	raw, err := proto.Marshal(msg)
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	return json.Marshal(sendContent{Version: contentVersion, To: to.String(), Message: raw})
}

func decodeContent(b []byte) (types.JID, *waE2E.Message, error) {
	var c sendContent
	if err := json.Unmarshal(b, &c); err != nil {
		return types.JID{}, nil, fmt.Errorf("decode a send's content: %w", err)
	}
	if c.Version != contentVersion {
		return types.JID{}, nil, fmt.Errorf("decode a send's content: version %d is not known to this program", c.Version)
	}
	to, err := types.ParseJID(c.To)
	if err != nil {
		return types.JID{}, nil, fmt.Errorf("decode a send's recipient: %w", err)
	}
	msg := new(waE2E.Message)
	if err := proto.Unmarshal(c.Message, msg); err != nil {
		return types.JID{}, nil, fmt.Errorf("decode a send's message: %w", err)
	}
	return to, msg, nil
}

// prepare writes the entry that must exist before the message leaves.
func (b *sends) prepare(ctx context.Context, o *openSend) error {
	content, err := encodeContent(o.to, o.msg)
	if err != nil {
		return err
	}
	o.send.Chat, o.send.Content, o.send.State, o.send.CreatedAt = o.to.String(), content, outbox.SendPrepared, b.now()
	if err := b.ledger.PutSend(ctx, o.send); err != nil {
		return err
	}
	b.mu.Lock()
	b.open[o.send.MessageID] = o
	b.mu.Unlock()
	return nil
}

// settle stores message.sent and closes the entry. Settling twice is harmless. On error the send stays open.
func (b *sends) settle(ctx context.Context, o *openSend, resp whatsmeow.SendResponse) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.settled {
		return nil
	}
	o.acked = &resp
	o.result = api.SendResult{MessageID: o.send.MessageID, Chat: resp.Chat.String(), Timestamp: resp.Timestamp.UTC()}
	result, err := json.Marshal(o.result)
	if err != nil {
		return fmt.Errorf("encode a send's result: %w", err)
	}
	ev, err := b.tr.Sent(ctx, resp, o.msg)
	if err != nil {
		return err
	}
	s := o.send
	s.State, s.SettledAt, s.Result = outbox.SendSent, b.now(), result
	for range unknownTries {
		if _, err = b.ledger.AppendSent(ctx, ev, s); !errors.Is(err, outbox.ErrUnknown) {
			break
		}
	}
	if errors.Is(err, outbox.ErrTooLarge) {
		_, err = b.ledger.AppendSent(ctx, stubOf(ev, "too_large"), s)
	}
	if err != nil {
		return fmt.Errorf("store the sent message %s: %w", s.MessageID, err)
	}
	b.forget(o)
	return nil
}

// fail closes the entry of a message that did not leave or was refused.
func (b *sends) fail(ctx context.Context, o *openSend, why error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.settled {
		return nil
	}
	s := o.send
	s.State, s.SettledAt, s.Result = outbox.SendFailed, b.now(), []byte(why.Error())
	if err := b.ledger.PutSend(ctx, s); err != nil {
		return fmt.Errorf("close the failed send %s: %w", s.MessageID, err)
	}
	b.forget(o)
	return nil
}

// forget takes a settled send off the open ones. The caller holds o.mu.
func (b *sends) forget(o *openSend) {
	o.settled, o.acked = true, nil
	b.mu.Lock()
	delete(b.open, o.send.MessageID)
	b.mu.Unlock()
}

// proven settles the open sends a receipt speaks of: somebody has the message, so it was sent. A send that has not returned yet
// is given wait to say so itself.
func (b *sends) proven(ctx context.Context, r *events.Receipt, wait time.Duration) error {
	for _, id := range r.MessageIDs {
		b.mu.Lock()
		o := b.open[id]
		b.mu.Unlock()
		if o == nil {
			continue
		}
		select {
		case <-o.done:
		case <-time.After(wait):
		case <-ctx.Done():
		}
		o.mu.Lock()
		resp := o.acked
		o.mu.Unlock()
		if resp == nil {
			resp = &whatsmeow.SendResponse{ID: id, Chat: o.to, Timestamp: r.Timestamp}
		}
		if err := b.settle(ctx, o, *resp); err != nil {
			return err
		}
	}
	return nil
}

// settleAcknowledged tries again to store what the server has and the outbox refused.
func (b *sends) settleAcknowledged(ctx context.Context) {
	b.mu.Lock()
	var waiting []*openSend
	for _, o := range b.open {
		waiting = append(waiting, o)
	}
	b.mu.Unlock()
	for _, o := range waiting {
		o.mu.Lock()
		resp := o.acked
		o.mu.Unlock()
		if resp == nil {
			continue
		}
		if err := b.settle(ctx, o, *resp); err != nil {
			b.log.Warn("sent message not stored yet", "message_id", o.send.MessageID, "error", err)
			return
		}
	}
}

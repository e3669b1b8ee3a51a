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
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/compose"
	"waoutbox/connection/translate"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Sends is what own sends need of the outbox: the ledger that knows, after a crash too, which
// message may have left.
type Sends interface {
	// AppendSent appends the events of a send and settles its entry in one transaction. Events that
	// are there already change nothing.
	AppendSent(ctx context.Context, s outbox.Send, evs ...outbox.Event) ([]outbox.Seq, error)
	// PutSend writes an entry; outbox.ErrDuplicate if another one that did not fail has the
	// idempotency key.
	PutSend(ctx context.Context, s outbox.Send) error
	// SendByKey returns the entry with an idempotency key, or outbox.ErrNotFound.
	SendByKey(ctx context.Context, idempotencyKey string) (outbox.Send, error)
	// Unsettled returns the entries that are still prepared.
	Unsettled(ctx context.Context) ([]outbox.Send, error)
}

// receiptLimit is how old a send of unknown outcome may be when a process starts, to go on waiting
// for a receipt: as long as WhatsApp keeps messages for a phone that is off. While a process runs
// it gives up none.
const receiptLimit = 30 * 24 * time.Hour

// openSend is a send that is not settled.
type openSend struct {
	compose.Content
	send outbox.Send
	// make the records of what is sent, when it is prepared
	recorders []outbox.SendRecorder
	// the send was begun by an earlier call; read after done
	repeated bool
	// closed when the try of this process is over; result and err are set then
	done chan struct{}

	mu        sync.Mutex              // guards what follows, and settling
	settled   bool                    // its message.sent is stored, or it failed
	acked     *whatsmeow.SendResponse // the server has it, the outbox not yet
	takenUpBy *openSend               // stands for it now; nil if none does
	giveUp    context.CancelCauseFunc // ends the try that is under way, if nothing has left yet
	result    api.SendResult
	err       error
}

// openSends are the own sends of this process that are not settled, and those an earlier one left
// open. Safe for concurrent use. Where both locks are needed, that of the send comes first.
type openSends struct {
	ledger  Sends
	tr      *translate.Translator
	account func() translate.Self // the linked one
	pace    *pace
	now     func() time.Time
	log     *slog.Logger

	mu   sync.Mutex
	open map[string]*openSend // by message id
	keys map[string]*openSend // calls under way, by idempotency key
}

func newOpenSends(ledger Sends, tr *translate.Translator, account func() translate.Self, pace *pace, now func() time.Time, log *slog.Logger) *openSends {
	return &openSends{
		ledger: ledger, tr: tr, account: account, pace: pace, now: now, log: log,
		open: make(map[string]*openSend), keys: make(map[string]*openSend),
	}
}

// load reads what an earlier process left open.
func (s *openSends) load(ctx context.Context) error {
	list, err := s.ledger.Unsettled(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger of own sends: %w", err)
	}
	over := make(chan struct{})
	close(over)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range list {
		if s.now().Sub(entry.CreatedAt) > receiptLimit {
			entry.State, entry.SettledAt, entry.Result = outbox.SendFailed, s.now(), []byte("no receipt came in time")
			if err := s.ledger.PutSend(ctx, entry); err != nil {
				return fmt.Errorf("close a send of unknown outcome in the ledger: %w", err)
			}
			continue
		}
		content, err := compose.DecodeContent(entry.Content)
		if err != nil {
			s.log.Error("entry of an own send cannot be read: its message.sent will be missing", "message_id", entry.MessageID, "error", err)
			continue
		}
		s.open[entry.MessageID] = &openSend{Content: content, send: entry, done: over}
	}
	return nil
}

// sentBy is the account whose send o is, and the translator that tells of it: who is linked by now
// may be somebody else. An entry that names no account counts as the linked one's.
func (s *openSends) sentBy(o *openSend) (translate.Self, *translate.Translator) {
	if o.By.PN.IsEmpty() {
		return s.account(), s.tr
	}
	return o.By, s.tr.As(o.By)
}

// isOthers reports whether o was sent by another account than the linked one, so that nothing this
// one learns or does can tell what became of it.
func (s *openSends) isOthers(o *openSend) bool {
	by, _ := s.sentBy(o)
	return translate.BareJID(by.PN) != translate.BareJID(s.account().PN)
}

// prepare writes the entry that must exist before the message leaves.
func (s *openSends) prepare(ctx context.Context, o *openSend) error {
	o.By = s.account()
	if err := o.record(); err != nil {
		return err
	}
	content, err := o.Encode()
	if err != nil {
		return err
	}
	o.send.Chat, o.send.Content, o.send.State, o.send.CreatedAt = o.To.String(), content, outbox.SendPrepared, s.now()
	if err := s.ledger.PutSend(ctx, o.send); err != nil {
		return err
	}
	s.mu.Lock()
	s.open[o.send.MessageID] = o
	s.mu.Unlock()
	return nil
}

// record makes the records of the message, which its entry keeps until it is sent: who asked for it
// is known after a crash too.
func (o *openSend) record() error {
	var all []outbox.Audit
	for _, recorder := range o.recorders {
		a, err := recorder(o.send.MessageID, o.To.String())
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil
	}
	err := outbox.CheckAudit(all)
	if err == nil {
		o.Audit, err = json.Marshal(all)
	}
	if err != nil {
		return fmt.Errorf("record the send: %w", err)
	}
	return nil
}

// recorded returns the records that the entry of a send keeps. What cannot be read keeps no sent
// message from being stored.
func (s *openSends) recorded(o *openSend) (all []outbox.Audit) {
	if len(o.Audit) == 0 {
		return nil
	}
	if err := json.Unmarshal(o.Audit, &all); err != nil || outbox.CheckAudit(all) != nil {
		s.log.Error("audit record of an own send cannot be read", "message_id", o.send.MessageID, "error", err)
		return nil
	}
	return all
}

// settle stores message.sent and closes the entry, with its audit records. Settling twice is
// harmless. On error the send stays open.
func (s *openSends) settle(ctx context.Context, o *openSend, resp whatsmeow.SendResponse) error {
	o.mu.Lock()
	if next := o.takenUpBy; next != nil {
		o.mu.Unlock()
		return s.settle(ctx, next, resp)
	}
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
	_, tr := s.sentBy(o)
	evs, err := tr.Sent(ctx, resp, o.Message)
	if err != nil {
		return err
	}
	entry := o.send
	entry.State, entry.SettledAt, entry.Result, entry.Audit = outbox.SendSent, s.now(), result, s.recorded(o)
	for range unknownTries {
		if _, err = s.ledger.AppendSent(ctx, entry, evs...); !errors.Is(err, outbox.ErrUnknown) {
			break
		}
	}
	if errors.Is(err, outbox.ErrTooLarge) {
		for i, ev := range evs {
			evs[i] = translate.WithoutContent(ev, "too_large")
		}
		_, err = s.ledger.AppendSent(ctx, entry, evs...)
	}
	if err != nil {
		return fmt.Errorf("store the sent message %s: %w", entry.MessageID, err)
	}
	s.remove(o)
	return nil
}

// fail closes the entry of a message that did not leave or was refused.
func (s *openSends) fail(ctx context.Context, o *openSend, why error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.settled {
		return nil
	}
	entry := o.send
	entry.State, entry.SettledAt, entry.Result = outbox.SendFailed, s.now(), []byte(why.Error())
	if err := s.ledger.PutSend(ctx, entry); err != nil {
		return fmt.Errorf("close the failed send %s: %w", entry.MessageID, err)
	}
	s.remove(o)
	return nil
}

// remove takes a settled send off the open ones. The caller holds o.mu.
func (s *openSends) remove(o *openSend) {
	o.settled, o.acked = true, nil
	s.mu.Lock()
	delete(s.open, o.send.MessageID)
	s.mu.Unlock()
}

// takeUp puts o, a repeated call's send, in the place of the open one with its message id, if there
// is one. What is known of that one goes over to o.
func (s *openSends) takeUp(o *openSend) {
	id := o.send.MessageID
	s.mu.Lock()
	old := s.open[id]
	if old == nil {
		s.open[id] = o
	}
	s.mu.Unlock()
	if old == nil {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	o.mu.Lock()
	o.acked, o.settled, o.result = old.acked, old.settled, old.result
	o.mu.Unlock()
	old.takenUpBy = o
	if !old.settled {
		s.mu.Lock()
		s.open[id] = o
		s.mu.Unlock()
	}
}

// settleFrom settles the open sends that an event proves to have left: a receipt says that somebody
// has the message, and a copy of an own message that the server has it. A send that has not
// returned yet is given wait to say so itself.
func (s *openSends) settleFrom(ctx context.Context, evt any, wait time.Duration) error {
	var ids []types.MessageID
	var at time.Time
	switch e := evt.(type) {
	case *events.Receipt:
		ids, at = e.MessageIDs, e.Timestamp
	case *events.Message:
		if !e.Info.IsFromMe {
			return nil
		}
		ids, at = []types.MessageID{e.Info.ID}, e.Info.Timestamp
	}
	for _, id := range ids {
		s.mu.Lock()
		o := s.open[id]
		s.mu.Unlock()
		if o == nil || s.isOthers(o) {
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
			resp = &whatsmeow.SendResponse{ID: id, Chat: o.To, Timestamp: at}
		}
		if err := s.settle(ctx, o, *resp); err != nil {
			return err
		}
	}
	return nil
}

// settleAcknowledged tries again to store what the server has and the outbox refused.
func (s *openSends) settleAcknowledged(ctx context.Context) {
	s.mu.Lock()
	var waiting []*openSend
	for _, o := range s.open {
		waiting = append(waiting, o)
	}
	s.mu.Unlock()
	for _, o := range waiting {
		o.mu.Lock()
		resp := o.acked
		o.mu.Unlock()
		if resp == nil {
			continue
		}
		if err := s.settle(ctx, o, *resp); err != nil {
			s.log.Warn("sent message not stored yet", "message_id", o.send.MessageID, "error", err)
			return
		}
	}
}

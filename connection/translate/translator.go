package translate

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// Self is the linked account under its two addresses. Both are zero before linking.
type Self struct {
	PN, LID types.JID
}

// AltLookup finds the other address of a user: the phone number of a LID and
// the reverse. It returns the zero JID when it knows none, and must be fast: it
// is asked for every event.
type AltLookup interface {
	AltJID(ctx context.Context, jid types.JID) types.JID
}

// Secrets opens what is encrypted with a key from an earlier message; the
// library's client has it. Each call fails when that key is unknown.
type Secrets interface {
	DecryptReaction(ctx context.Context, evt *events.Message) (*waE2E.ReactionMessage, error)
	DecryptComment(ctx context.Context, evt *events.Message) (*waE2E.Message, error)
	DecryptPollVote(ctx context.Context, evt *events.Message) (*waE2E.PollVoteMessage, error)
	DecryptSecretEncryptedMessage(ctx context.Context, evt *events.Message) (*waE2E.Message, error)
}

// The codes of alarms about a message that is not delivered whole. Stable: people watch for them.
const (
	// AlarmUnreadable is the only one that the link raises too.
	AlarmUnreadable = "message_unreadable"
	alarmTooLarge   = "message_too_large"
	alarmUpdateLost = "message_update_lost"
)

// Alarm tells that an event was translated, but not whole.
type Alarm struct {
	Code    string // one of the constants above
	Message string // one sentence for the log, without content or phone numbers
	EventID string
	Err     error // the cause, nil when the sentence says all
}

// Option sets what most callers leave as it is.
type Option func(*Translator)

// WithSecrets lets the translator open reactions, comments, edits and poll
// votes that are encrypted a second time. The function is called for each such
// message and may return nil; without it they are sent as they came.
func WithSecrets(secrets func() Secrets) Option {
	return func(t *Translator) { t.secrets = secrets }
}

// WithAlarm has the function called for each event that lost its message. It
// must not call the translator.
func WithAlarm(raise func(Alarm)) Option {
	return func(t *Translator) { t.raise = raise }
}

// Translator turns the library's events into the service's own. It does no I/O
// but the address look-ups. Apart from the time and the random ids, equal input
// gives equal output. It is safe for concurrent use; what it remembers between
// events (the link's state, ringing calls) is right only if events are given to
// it in the order they happened.
type Translator struct {
	self     func() Self
	lookup   AltLookup
	now      func() time.Time
	secrets  func() Secrets
	raise    func(Alarm)
	renderer *wajson.Renderer
	rows     map[reflect.Type]row
	mu       sync.Mutex // guards what follows
	link     linkState
	calls    ringingCalls
}

// New returns a translator for the account that self names at the
// moment of each event.
func New(self func() Self, alt AltLookup, now func() time.Time, opts ...Option) *Translator {
	renderer, err := wajson.NewRenderer(sessionKeys...)
	if err != nil {
		panic(err) // the embedded name table is damaged: a broken build
	}
	t := &Translator{
		self:     self,
		lookup:   alt,
		now:      now,
		secrets:  func() Secrets { return nil },
		raise:    func(Alarm) {},
		renderer: renderer,
		rows:     make(map[reflect.Type]row),
	}
	for _, opt := range opts {
		opt(t)
	}
	for _, r := range t.table() {
		t.rows[r.typ()] = r
	}
	return t
}

// As returns a translator for what concerns another account than the linked one: its own sends,
// which may have to be told after it was unlinked. It has Sent and SendFailed only; Translate
// returns an error.
func (t *Translator) As(account Self) *Translator {
	return &Translator{
		self: func() Self { return account }, lookup: t.lookup, now: t.now,
		secrets: t.secrets, raise: t.raise, renderer: t.renderer,
	}
}

// Translate returns the events that stand for one event of the library: none when
// its type is internal or this one says nothing to a receiver, else up to a few,
// to be appended together in this order. A message that cannot be rendered or is
// too large loses its content and raises an alarm, but is never an error. An
// error means a bug here, for this event only; a panic on the way is returned as one.
func (t *Translator) Translate(ctx context.Context, evt any) (evs []outbox.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			evs, err = nil, fmt.Errorf("translate %T: panic: %s", evt, outbox.PanicText(p))
		}
	}()
	r, ok := t.rows[reflect.TypeOf(evt)]
	if !ok {
		return nil, fmt.Errorf("translate %T: this type is not in the table of translators", evt)
	}
	evs, err = r.translate(ctx, evt)
	if err != nil {
		return nil, fmt.Errorf("translate %T: %w", evt, err)
	}
	for i := range evs {
		if n := len(evs[i].Body); n > outbox.MaxBody {
			return nil, fmt.Errorf("translate %T: the %s body has %d bytes even without its message, at most %d are stored", evt, evs[i].Name, n, outbox.MaxBody)
		}
	}
	return evs, nil
}

// Handling returns what the link does with an event and how the library acknowledges it. A type
// that is not in the table counts as one whose acknowledgement the handler decides: not to be
// acknowledged is at worst a duplicate, which the event's id removes. Translate returns an error
// for it, so it does not pass unnoticed.
func (t *Translator) Handling(evt any) Handling {
	if r, ok := t.rows[reflect.TypeOf(evt)]; ok {
		return r.handling(evt)
	}
	return Handling{Ack: AckByHandler}
}

// account is the own phone-number address, "" before linking.
func (t *Translator) account() string {
	return BareJID(t.self().PN).String()
}

// eventIn is event for what belongs to a chat.
func (t *Translator) eventIn(chat address, name string, id identity, data wajson.JSON) outbox.Event {
	ev := t.event(name, id, chat.canonical(), data)
	ev.ChatAlt = chat.other()
	return ev
}

// event fixes the time and the bytes of an event.
func (t *Translator) event(name string, id identity, chat string, data wajson.JSON) outbox.Event {
	at := t.now().Truncate(time.Millisecond)
	return outbox.Event{
		Key:     id.key,
		Stamp:   id.stamp,
		Random:  id.random,
		Time:    at,
		Name:    name,
		Chat:    chat,
		Account: t.account(),
		Body:    body(name, at, data),
	}
}

func body(name string, at time.Time, data wajson.JSON) []byte {
	return new(wajson.Object).Str("event", name).Int("timestamp", at.UnixMilli()).Raw("data", data).JSON()
}

// one is the common case of a single event.
func one(ev outbox.Event) []outbox.Event { return []outbox.Event{ev} }

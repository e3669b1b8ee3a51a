package translate

import (
	"context"
	"reflect"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox"
)

// AckMode says what the library does with what the event handler returns for an event. It decides
// how hard storing the event must be tried.
type AckMode int

const (
	// AckByHandler: false leaves the stanza unacknowledged, and WhatsApp sends it again on the next
	// connection.
	AckByHandler AckMode = iota
	// AckAlways: the stanza is acknowledged whatever the handler returns, so nobody sends the event
	// again and the append must be retried before the handler returns.
	AckAlways
	// AckNever: no acknowledgement belongs to the event. The library made it itself, or WhatsApp
	// never sends its kind of stanza again.
	AckNever
)

// Handling is what happens to an event besides its translation.
type Handling struct {
	Ack  AckMode
	Link bool // the link reacts to it
	// the link appends what it becomes, so ingest must not
	LinkAppends bool
}

// row is one line of the table: all that is known about one type of the library's events.
type row interface {
	typ() reflect.Type
	event() string   // the name of what it becomes, "" for an internal type
	reason() string  // why it is internal, "" for one with an event
	linkUse() string // what the link does with it, "" for nothing
	others() string  // which of its events are acknowledged otherwise, "" for none
	translate(ctx context.Context, evt any) ([]outbox.Event, error)
	handling(evt any) Handling
	placeholder(ctx context.Context, t *Translator, evt any) outbox.Event
}

// rowOf is the row of the type *T. Its methods without a result in the row interface add what most
// rows do without.
type rowOf[T any] struct {
	name string
	why  string
	ack  AckMode
	run  func(ctx context.Context, evt *T) ([]outbox.Event, error)

	otherAck        func(evt *T) (AckMode, bool) // the mode of some events of the type; false: ack
	ackNote         string                       // which ones those are
	chat            func(evt *T) types.JID       // order key of the placeholder; nil is the link's
	makePlaceholder func(ctx context.Context, evt *T) outbox.Event
	use             string // what the link does with the event; "" when it is not told
	appends         bool
}

// on is the row of a type that becomes events of the name; some translators give other names as
// well, the placeholder has this one.
func on[T any](name string, ack AckMode, run func(context.Context, *T) ([]outbox.Event, error)) *rowOf[T] {
	return &rowOf[T]{name: name, ack: ack, run: run}
}

// internal is the row of a type that receivers are not told of, for the reason given.
func internal[T any](ack AckMode, reason string) *rowOf[T] {
	return &rowOf[T]{why: reason, ack: ack}
}

// remembered is an internal row too, but the translator needs the event for a later one.
func remembered[T any](ack AckMode, reason string, remember func(*T)) *rowOf[T] {
	return &rowOf[T]{why: reason, ack: ack, run: func(_ context.Context, evt *T) ([]outbox.Event, error) {
		remember(evt)
		return nil, nil
	}}
}

// ackUnless gives some events of the type, which note names, another mode.
func (r *rowOf[T]) ackUnless(is func(*T) bool, mode AckMode, note string) *rowOf[T] {
	r.ackNote = note
	r.otherAck = func(evt *T) (AckMode, bool) { return mode, is(evt) }
	return r
}

// inChat names the chat of the placeholder.
func (r *rowOf[T]) inChat(chat func(*T) types.JID) *rowOf[T] {
	r.chat = chat
	return r
}

// withPlaceholder makes the placeholder, where an empty body says too little.
func (r *rowOf[T]) withPlaceholder(make func(context.Context, *T) outbox.Event) *rowOf[T] {
	r.makePlaceholder = make
	return r
}

// link says what the link does when it is told of the event.
func (r *rowOf[T]) link(use string) *rowOf[T] {
	r.use = use
	return r
}

// linkAppends is link for a type whose events the link appends itself.
func (r *rowOf[T]) linkAppends(use string) *rowOf[T] {
	r.use, r.appends = use, true
	return r
}

func (r *rowOf[T]) typ() reflect.Type { return reflect.TypeFor[*T]() }
func (r *rowOf[T]) event() string     { return r.name }
func (r *rowOf[T]) reason() string    { return r.why }
func (r *rowOf[T]) linkUse() string   { return r.use }
func (r *rowOf[T]) others() string    { return r.ackNote }

func (r *rowOf[T]) translate(ctx context.Context, evt any) ([]outbox.Event, error) {
	if r.run == nil {
		return nil, nil
	}
	return r.run(ctx, evt.(*T))
}

func (r *rowOf[T]) handling(evt any) Handling {
	h := Handling{Ack: r.ack, Link: r.use != "", LinkAppends: r.appends}
	if r.otherAck != nil {
		if mode, is := r.otherAck(evt.(*T)); is {
			h.Ack = mode
		}
	}
	return h
}

func (r *rowOf[T]) placeholder(ctx context.Context, t *Translator, evt any) outbox.Event {
	if r.makePlaceholder != nil {
		return r.makePlaceholder(ctx, evt.(*T))
	}
	data := withoutContent("untranslatable")
	if r.chat != nil {
		if jid := r.chat(evt.(*T)); !jid.IsEmpty() {
			return t.eventIn(t.address(ctx, jid, types.JID{}), r.name, unique(), data)
		}
	}
	return t.event(r.name, unique(), ConnectionChat, data)
}

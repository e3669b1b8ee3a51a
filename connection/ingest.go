package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

// Appender is all that ingest needs from the outbox.
type Appender interface {
	// Append writes all events or none, in order, and has committed them when it returns nil.
	// Appending a known key again changes nothing.
	Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error)
	// ByKey returns the sequence of the event that was stored under a key, also when it is gone by
	// now; an error when none is known.
	ByKey(ctx context.Context, key string) (outbox.Seq, error)
}

// translator is what ingest needs from a translate.Translator.
type translator interface {
	Translate(ctx context.Context, evt any) ([]outbox.Event, error)
	Placeholder(evt any) (outbox.Event, bool)
	ContentKeys(ctx context.Context, evt any) []string
	Handling(evt any) translate.Handling
}

// appendTimeout bounds one append. An append that ran into it may have happened: it is repeated
// after redelivery, which is harmless.
const appendTimeout = 30 * time.Second

// unknownTries is how often an append of unknown outcome is repeated at once.
const unknownTries = 3

// maxBuffered bounds the events kept in memory until the outbox takes them. With the few of one
// stanza they fit one append.
const maxBuffered = 200

// appendRefused is the signal to the link that the outbox did not take an event: only a new
// connection brings it again.
type appendRefused struct{}

// source is one client of the library, where events come from.
type source struct {
	push func(any) // gets what the link must know of, after it was handled
	cut  func()    // ends the connection, and with it acknowledging on it
	// something from here was not taken, or could not be read: no more is, or the order breaks
	stopped atomic.Bool
}

// ingest is the library's one event handler: it translates, appends, and returns whether WhatsApp
// may forget the event. It works on one event at a time; the others wait for its lock in the order
// the library hands them over.
type ingest struct {
	log *slog.Logger
	tr  translator
	// settles the own sends that an event proves to have left
	settle   func(ctx context.Context, evt any) error
	appender Appender
	alarms   *alarms
	timings  timings
	// lets the next message be read while this one, the stanza's, is stored; nil where it may not,
	// else what waits for those before
	pass func(stanza *waBinary.Node) (inOrder func())
	// begins to commit what was decrypted, and returns what waits for that
	commit func() (committed func() error)
	// told of a message that others passed, once it may be acknowledged
	committed func(stanza *waBinary.Node)
	groups    groups // of messages that others passed

	lock     chan struct{}      // cap 1: whoever put a value in works; guards what follows
	stopping chan struct{}      // closed when Run ends: retries give up
	endAcks  context.CancelFunc // ends acknowledging; called before a retry gives up
	muted    bool               // nobody is linked and no pairing runs: link events say nothing
	closed   bool               // Run has ended
	buffered []outbox.Event     // accepted for good but not yet stored; oldest first
	lost     int                // buffered events pushed out by newer ones

	appended atomic.Int64 // appends that succeeded
}

// handle is the event handler for one client of the library. stanza is what the event comes from,
// nil where that is not known. It returns false when WhatsApp must not be told that the event
// arrived.
func (in *ingest) handle(evt any, stanza *waBinary.Node, from *source) (safe bool) {
	safe, waits := in.handleInTurn(evt, stanza, from)
	if waits != nil {
		return waits()
	}
	return safe && in.commit()() == nil
}

// handleInTurn is handle while no other event is handled. waits, when it is set, returns what
// handle does, later.
func (in *ingest) handleInTurn(evt any, stanza *waBinary.Node, from *source) (safe bool, waits func() bool) {
	in.lock <- struct{}{}
	defer func() { <-in.lock }()
	var h translate.Handling
	defer func() {
		if h.Link {
			from.push(evt)
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("ingest panicked", "event_type", fmt.Sprintf("%T", evt), "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			in.refuse(fmt.Errorf("panic: %s", outbox.PanicText(p)), from)
			safe, waits = false, nil // the library would take a panic for success
		}
	}()
	h = in.tr.Handling(evt)
	if from.stopped.Load() || in.closed || in.muted || !groupable(evt, h) || len(in.buffered) > 0 {
		return in.store(evt, stanza, h, from), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	evs := in.translate(translate.WithStanza(ctx, stanza), evt)
	if waits = in.storeGrouped(evs, stanza, from); waits != nil {
		return false, waits
	}
	return in.storeByHandler(ctx, evs, evt, from), nil
}

// store translates and appends an event, as hard as its acknowledgement asks for.
func (in *ingest) store(evt any, stanza *waBinary.Node, h translate.Handling, from *source) (safe bool) {
	switch {
	case h.LinkAppends:
		return true
	case in.closed:
		return false
	case in.muted:
		return true
	}
	in.groups.await()
	if from.stopped.Load() && h.Ack == translate.AckAlways && comesAgain(evt) {
		from.cut() // it must not overtake what was refused, and the acknowledgement would follow
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	evs := in.translate(translate.WithStanza(ctx, stanza), evt)
	switch h.Ack {
	case translate.AckNever: // nobody sends it again
		if len(evs) > 0 {
			in.appendUnrepeatable(ctx, evs...)
		}
		return true
	case translate.AckAlways:
		err := in.settle(ctx, evt)
		if err == nil && len(evs) == 0 {
			return true
		}
		if in.retryAppend(evs, evt) {
			return true
		}
		in.buffer(evs...)
		in.refuse(fmt.Errorf("%T could not be stored in time", evt), from)
		from.cut() // the acknowledgement would follow
		return false
	default:
		return in.storeByHandler(ctx, evs, evt, from)
	}
}

// translate never fails: what the translator cannot say becomes a placeholder, so that at least the
// fact arrives.
func (in *ingest) translate(ctx context.Context, evt any) []outbox.Event {
	if _, unread := evt.(*events.UndecryptableMessage); unread && in.hasContent(ctx, evt) {
		return nil
	}
	evs, err := in.tr.Translate(ctx, evt)
	if err == nil {
		return evs
	}
	in.log.Error("event could not be translated", "event_type", fmt.Sprintf("%T", evt), "error", err)
	in.alarms.happened(alarmUntranslated, fmt.Sprintf("An event of type %T could not be translated and is delivered without its content. This is a bug: please report it with the log line \"event could not be translated\".", evt))
	if ev, ok := in.tr.Placeholder(evt); ok {
		return one(ev)
	}
	return nil
}

// hasContent reports whether the content of a message is stored: then a copy of it that cannot be
// read says nothing. WhatsApp sends what was stored again when the process was killed before the
// acknowledgement, and a copy that somebody helped out with may come before the message.
func (in *ingest) hasContent(ctx context.Context, evt any) bool {
	return slices.ContainsFunc(in.tr.ContentKeys(ctx, evt), func(key string) bool {
		_, err := in.appender.ByKey(ctx, key)
		return err == nil
	})
}

// append writes what was buffered and then evs. It repeats an append of unknown outcome, and never
// fails for size: that would come again for ever.
func (in *ingest) append(ctx context.Context, evs []outbox.Event) error {
	in.groups.await()
	all := append(append(make([]outbox.Event, 0, len(in.buffered)+len(evs)), in.buffered...), evs...)
	for len(all) > 0 {
		batch := all[:min(len(all), outbox.MaxBatch)]
		if err := in.appendWhole(ctx, batch); err != nil {
			return err
		}
		all = all[len(batch):]
		in.buffered = in.buffered[min(len(batch), len(in.buffered)):]
	}
	in.buffered = nil
	in.appendWorked()
	return nil
}

func (in *ingest) appendWorked() {
	in.appended.Add(1)
	in.alarms.clear(alarmRefused)
}

// appendWhole appends what fits one call.
func (in *ingest) appendWhole(ctx context.Context, batch []outbox.Event) error {
	err := in.appendBatch(ctx, batch)
	if errors.Is(err, outbox.ErrTooLarge) {
		return in.appendShrunk(ctx, batch)
	}
	return err
}

func (in *ingest) appendBatch(ctx context.Context, batch []outbox.Event) (err error) {
	for range unknownTries {
		if _, err = in.appender.Append(ctx, batch...); !errors.Is(err, outbox.ErrUnknown) {
			return err
		}
	}
	return err
}

// appendShrunk appends one by one: what is too large goes without its content, and what even then
// is too large is given up.
func (in *ingest) appendShrunk(ctx context.Context, batch []outbox.Event) error {
	for _, ev := range batch {
		err := in.appendBatch(ctx, one(ev))
		if errors.Is(err, outbox.ErrTooLarge) {
			in.log.Error("event too large for the outbox", "event_id", ev.Key, "event", ev.Name, "bytes", len(ev.Body))
			in.alarms.happened(alarmUntranslated, fmt.Sprintf("A %s event of %d bytes is too large for the outbox and is delivered without its content.", ev.Name, len(ev.Body)))
			err = in.appendBatch(ctx, one(translate.WithoutContent(ev, "too_large")))
		}
		if errors.Is(err, outbox.ErrTooLarge) {
			in.log.Error("event given up: it does not fit the outbox even without its content", "event_id", ev.Key, "event", ev.Name)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuse raises the alarm and has the connection made again, by another client of the library:
// WhatsApp sends again what is not acknowledged, in order, but only on a new connection, and a
// handler the old one still runs must not overtake it.
func (in *ingest) refuse(err error, from *source) {
	from.stopped.Store(true)
	if in.alarms.raise(alarmRefused, refusalText(err)) {
		in.log.Error("outbox refused an event: WhatsApp is not acknowledged", "error", err)
	}
	from.push(appendRefused{})
}

// stopSource takes no more from a client of the library whose message could not be read, and has
// the connection made again.
func (in *ingest) stopSource(from *source) {
	in.lock <- struct{}{}
	defer func() { <-in.lock }()
	from.stopped.Store(true)
	from.push(appendRefused{})
}

func refusalText(err error) string {
	if errors.Is(err, outbox.ErrFull) {
		return "The outbox is full, so WhatsApp is not acknowledged and keeps the messages. Another alarm says of what: its disk, or max-size. When there is room it goes on by itself."
	}
	return "The outbox refuses events (" + masked(err.Error()) + "), so WhatsApp is not acknowledged and keeps the messages. It is tried again by itself. Another alarm says what to do, where something is to be done; if there is none and this stays, see the log."
}

// retryAppend appends events whose stanza is acknowledged whatever the handler returns: it tries
// until it works, for a bounded time.
func (in *ingest) retryAppend(evs []outbox.Event, evt any) bool {
	retry := in.timings.retryAppend()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
		err := in.settle(ctx, evt)
		if err == nil {
			err = in.append(ctx, evs)
		}
		cancel()
		if err == nil {
			return true
		}
		if in.alarms.raise(alarmRefused, refusalText(err)) {
			in.log.Error("outbox refused an event that WhatsApp does not repeat: trying again", "event_type", fmt.Sprintf("%T", evt), "error", err)
		}
		wait := retry.NextBackOff()
		if wait == backoff.Stop {
			return false
		}
		select {
		case <-time.After(wait):
		case <-in.stopping:
			in.endAcks() // without a context the library sends no acknowledgement
			return false
		}
	}
}

// appendUnrepeatable appends events that nobody would send again, of the link and of presence. What
// is refused waits in memory for the next append. The caller holds the lock.
func (in *ingest) appendUnrepeatable(ctx context.Context, evs ...outbox.Event) {
	if err := in.append(ctx, evs); err != nil {
		if in.alarms.raise(alarmRefused, refusalText(err)) {
			in.log.Error("outbox refused an event of the link: kept in memory", "error", err)
		}
		in.buffer(evs...)
	}
}

// buffer holds events for the next append. Beyond maxBuffered the oldest go.
func (in *ingest) buffer(evs ...outbox.Event) {
	in.buffered = append(in.buffered, evs...)
	if n := len(in.buffered) - maxBuffered; n > 0 {
		in.buffered = append([]outbox.Event(nil), in.buffered[n:]...)
		in.lost += n
		in.log.Error("event lost: too many waited in memory for the outbox", "lost", in.lost)
		in.alarms.raise(alarmLost, fmt.Sprintf("%d events of the link could not be stored while the outbox refused events, and are lost. Messages are not affected: WhatsApp keeps them.", in.lost))
	}
}

// appendOwn appends events made by the link itself, in order with what the library hands over. It
// blocks while an event is handled.
func (in *ingest) appendOwn(evs ...outbox.Event) {
	in.lock <- struct{}{}
	defer func() { <-in.lock }()
	if in.closed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	in.appendUnrepeatable(ctx, evs...)
}

// setMuted has events of the link stored, or not.
func (in *ingest) setMuted(muted bool) {
	in.lock <- struct{}{}
	in.muted = muted
	<-in.lock
}

// close stops taking events. It lets the one being handled finish, for at most grace, then ends
// acknowledging, and returns once no event is being handled. What waits in memory gets a last
// chance.
func (in *ingest) close(grace time.Duration) {
	close(in.stopping)
	select {
	case in.lock <- struct{}{}:
		in.groups.awaitFor(grace)
		in.endAcks()
	case <-time.After(grace):
		in.endAcks()
		in.lock <- struct{}{} // the append in the handler ends with its own time limit
	}
	defer func() { <-in.lock }()
	in.closed = true
	in.groups.await()
	if len(in.buffered) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := in.append(ctx, nil); err != nil {
			in.log.Error("events of the link lost at shutdown", "events", len(in.buffered), "error", err)
		}
	}
}

// one is the common case of a single event.
func one(ev outbox.Event) []outbox.Event { return []outbox.Event{ev} }

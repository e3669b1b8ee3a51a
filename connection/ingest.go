package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
)

// Appender is all that ingest needs from the outbox.
type Appender interface {
	// Append writes all events or none, in order, and has committed them when it returns nil. Appending a known key again
	// changes nothing.
	Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error)
}

// translator is what ingest needs from a Translator.
type translator interface {
	Translate(ctx context.Context, evt any) ([]outbox.Event, error)
}

// appendTimeout bounds one append. An append that ran into it may have happened: it is repeated after redelivery, which is harmless.
const appendTimeout = 30 * time.Second

// unknownTries is how often an append of unknown outcome is repeated at once.
const unknownTries = 3

// maxKept bounds the events kept in memory until the outbox takes them. With the few of one stanza they fit one append.
const maxKept = 200

// refused is the signal to the link that the outbox did not take an event: only a new connection brings it again.
type refused struct{}

// origin is one client of the library as the source of events.
type origin struct {
	post   func(any) // gets what the link must know of, after it was handled
	broken bool      // the outbox refused an event from here: no more are taken, or the order breaks. Guarded by ingest's gate
}

// ingest is the library's one event handler: it translates, appends, and answers whether WhatsApp may forget the event. It
// works on one event at a time; events wait at its gate in the order the library hands them over.
type ingest struct {
	log      *slog.Logger
	tr       translator
	fallback func(evt any) (outbox.Event, bool) // stands in for an event the translator failed on; false: nothing to say
	proofs   func(ctx context.Context, r *events.Receipt) error
	appender Appender
	alarms   *alarms
	pace     pace

	gate     chan struct{}      // cap 1: whoever put a value in works; guards what follows
	stopping chan struct{}      // closed when Run ends: retries give up
	cut      context.CancelFunc // ends acknowledging; called before a retry gives up
	quiet    bool               // nobody is linked and no pairing runs: link events say nothing
	closed   bool               // Run has ended
	kept     []outbox.Event     // accepted for good but not yet stored; oldest first
	lost     int                // kept events pushed out by newer ones

	appended atomic.Int64 // appends that succeeded
}

// handle is the event handler for one client of the library.
func (in *ingest) handle(evt any, from *origin) (safe bool) {
	in.gate <- struct{}{}
	defer func() { <-in.gate }()
	defer from.post(evt)
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("ingest panicked", "event_type", fmt.Sprintf("%T", evt), "panic", p, "stack", string(debug.Stack()))
			in.refuse(fmt.Errorf("panic: %v", p), from)
			safe = false // the library would take a panic for success
		}
	}()
	return in.take(evt, from)
}

func (in *ingest) take(evt any, from *origin) bool {
	switch evt.(type) {
	case *events.QR, *events.RotateADVSecret: // the pairing round shows the codes, each in its time
		return true
	}
	if in.closed {
		return false
	}
	if in.quiet {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	evs := in.translate(ctx, evt)
	switch answerOf(evt) {
	case answerHeard:
		if len(evs) == 0 {
			return true
		}
		if from.broken {
			return false
		}
		err := in.prove(ctx, evt)
		if err == nil {
			err = in.append(ctx, evs)
		}
		if err != nil {
			in.refuse(err, from)
			return false
		}
		return true
	case answerIgnored:
		err := in.prove(ctx, evt)
		if err == nil && len(evs) == 0 {
			return true
		}
		if in.insist(evs, evt) {
			return true
		}
		in.keep(evs...)
		in.refuse(fmt.Errorf("%T could not be stored in time", evt), from)
		return false
	default: // answerNone: nobody sends it again
		if len(evs) > 0 {
			in.own(ctx, evs...)
		}
		return true
	}
}

// translate never fails: what the translator cannot say becomes a stub, so that at least the fact arrives.
func (in *ingest) translate(ctx context.Context, evt any) []outbox.Event {
	evs, err := in.tr.Translate(ctx, evt)
	if err == nil {
		return evs
	}
	in.log.Error("event could not be translated", "event_type", fmt.Sprintf("%T", evt), "error", err)
	in.alarms.raise(alarmUntranslate, fmt.Sprintf("An event of type %T could not be translated and is delivered without its content. This is a bug: please report it with the log line \"event could not be translated\".", evt))
	if stub, ok := in.fallback(evt); ok {
		return one(stub)
	}
	return nil
}

// prove settles the own sends that a receipt speaks of, so that message.sent precedes it.
func (in *ingest) prove(ctx context.Context, evt any) error {
	if r, ok := evt.(*events.Receipt); ok {
		return in.proofs(ctx, r)
	}
	return nil
}

// append writes what was kept and then evs. It repeats an append of unknown outcome, and never fails for size: that would come
// again for ever.
func (in *ingest) append(ctx context.Context, evs []outbox.Event) error {
	all := append(append(make([]outbox.Event, 0, len(in.kept)+len(evs)), in.kept...), evs...)
	for len(all) > 0 {
		batch := all[:min(len(all), outbox.MaxBatch)]
		err := in.appendBatch(ctx, batch)
		if errors.Is(err, outbox.ErrTooLarge) {
			err = in.appendShrunk(ctx, batch)
		}
		if err != nil {
			return err
		}
		all = all[len(batch):]
		in.kept = in.kept[min(len(batch), len(in.kept)):]
	}
	in.kept = nil
	in.appended.Add(1)
	in.alarms.clear(alarmRefused)
	return nil
}

func (in *ingest) appendBatch(ctx context.Context, batch []outbox.Event) (err error) {
	for range unknownTries {
		if _, err = in.appender.Append(ctx, batch...); !errors.Is(err, outbox.ErrUnknown) {
			return err
		}
	}
	return err
}

// appendShrunk appends one by one: what is too large goes as a stub, and what even then is too large is given up.
func (in *ingest) appendShrunk(ctx context.Context, batch []outbox.Event) error {
	for _, ev := range batch {
		err := in.appendBatch(ctx, one(ev))
		if errors.Is(err, outbox.ErrTooLarge) {
			in.log.Error("event too large for the outbox", "event_id", ev.Key, "event", ev.Name, "bytes", len(ev.Body))
			in.alarms.raise(alarmUntranslate, fmt.Sprintf("A %s event of %d bytes is too large for the outbox and is delivered without its content.", ev.Name, len(ev.Body)))
			err = in.appendBatch(ctx, one(stubOf(ev, "too_large")))
		}
		if errors.Is(err, outbox.ErrTooLarge) {
			in.log.Error("event given up: not even its stub fits the outbox", "event_id", ev.Key, "event", ev.Name)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuse raises the alarm and has the connection made again, by another client of the library: WhatsApp sends again what is not
// acknowledged, in order, but only on a new connection, and a handler the old one still runs must not overtake it.
func (in *ingest) refuse(err error, from *origin) {
	from.broken = true
	if in.alarms.raise(alarmRefused, refusal(err)) {
		in.log.Error("outbox refused an event: WhatsApp is not acknowledged", "error", err)
	}
	from.post(refused{})
}

// breakOff takes no more from a client of the library whose message could not be read, and has the connection made again.
func (in *ingest) breakOff(from *origin) {
	in.gate <- struct{}{}
	defer func() { <-in.gate }()
	from.broken = true
	from.post(refused{})
}

func refusal(err error) string {
	if errors.Is(err, outbox.ErrFull) {
		return "The outbox is full, so WhatsApp is not acknowledged and keeps the messages. Make room on its disk; it goes on by itself."
	}
	return "The outbox refuses events (" + masked(err.Error()) + "), so WhatsApp is not acknowledged and keeps the messages. It is tried again; if this stays, see the log and restart the service."
}

// insist appends events whose stanza is acknowledged whatever the handler answers: it tries until it works, for a bounded time.
func (in *ingest) insist(evs []outbox.Event, evt any) bool {
	retry := in.pace.insist()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
		err := in.prove(ctx, evt)
		if err == nil {
			err = in.append(ctx, evs)
		}
		cancel()
		if err == nil {
			return true
		}
		if in.alarms.raise(alarmRefused, refusal(err)) {
			in.log.Error("outbox refused an event that WhatsApp does not repeat: trying again", "event_type", fmt.Sprintf("%T", evt), "error", err)
		}
		wait := retry.NextBackOff()
		if wait == backoff.Stop {
			return false
		}
		select {
		case <-time.After(wait):
		case <-in.stopping:
			in.cut() // without a context the library sends no acknowledgement
			return false
		}
	}
}

// own appends events that nobody would send again, of the link and of presence. What is refused waits in memory for the next append.
// The caller holds the gate.
func (in *ingest) own(ctx context.Context, evs ...outbox.Event) {
	if err := in.append(ctx, evs); err != nil {
		if in.alarms.raise(alarmRefused, refusal(err)) {
			in.log.Error("outbox refused an event of the link: kept in memory", "error", err)
		}
		in.keep(evs...)
	}
}

// keep holds events for the next append. Beyond maxKept the oldest go.
func (in *ingest) keep(evs ...outbox.Event) {
	in.kept = append(in.kept, evs...)
	if n := len(in.kept) - maxKept; n > 0 {
		in.kept = append([]outbox.Event(nil), in.kept[n:]...)
		in.lost += n
		in.log.Error("event lost: too many waited in memory for the outbox", "lost", in.lost)
		in.alarms.raise(alarmLost, fmt.Sprintf("%d events of the link could not be stored while the outbox refused events, and are lost. Messages are not affected: WhatsApp keeps them.", in.lost))
	}
}

// enter appends events made by the link itself, in order with what the library hands over. It blocks while an event is handled.
func (in *ingest) enter(evs ...outbox.Event) {
	in.gate <- struct{}{}
	defer func() { <-in.gate }()
	if in.closed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	in.own(ctx, evs...)
}

// hush makes link events silent, or heard again.
func (in *ingest) hush(quiet bool) {
	in.gate <- struct{}{}
	in.quiet = quiet
	<-in.gate
}

// close stops taking events. It lets the one being handled finish, for at most grace, then ends acknowledging, and returns once
// no event is being handled. What waits in memory gets a last chance.
func (in *ingest) close(grace time.Duration) {
	close(in.stopping)
	select {
	case in.gate <- struct{}{}:
		in.cut()
	case <-time.After(grace):
		in.cut()
		in.gate <- struct{}{} // the append in the handler ends with its own time limit
	}
	defer func() { <-in.gate }()
	in.closed = true
	if len(in.kept) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := in.append(ctx, nil); err != nil {
			in.log.Error("events of the link lost at shutdown", "events", len(in.kept), "error", err)
		}
	}
}

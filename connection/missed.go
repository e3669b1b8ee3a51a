package connection

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/stanzas"
	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

// newWatch makes the watch that finds what arrives and becomes no event.
func (c *Client) newWatch() *stanzas.Watch {
	return &stanzas.Watch{
		Account: func() stanzas.Account {
			self := c.status.account()
			return stanzas.Account{PN: self.PN, LID: self.LID}
		},
		ParseCopy: func(web *waWeb.WebMessageInfo) (*events.Message, error) {
			cli := c.libraryClient()
			if cli == nil {
				return nil, whatsmeow.ErrNotLoggedIn
			}
			return cli.ParseWebMessage(types.JID{}, web)
		},
		LIDOf: func(ctx context.Context, pn types.JID) types.JID { return addressLookup{c}.AltJID(ctx, pn) },
	}
}

// storeMissed appends what no event of the library has told of a stanza that is about to be
// acknowledged. It tries as hard as for what is acknowledged anyway; when that fails the connection
// is cut, so that the acknowledgement is not sent and the stanza comes again.
func (in *ingest) storeMissed(stanza *waBinary.Node, found []stanzas.Found, from *source) {
	in.lock <- struct{}{}
	defer func() { <-in.lock }()
	defer func() {
		if p := recover(); p != nil { // the library would acknowledge
			in.log.Error("ingest panicked", "stanza", stanza.Tag, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			in.refuse(fmt.Errorf("panic: %s", outbox.PanicText(p)), from)
			from.cut()
		}
	}()
	in.groups.await()
	switch {
	case in.closed:
		from.cut()
		return
	case in.muted:
		return
	case from.stopped.Load(): // it must not overtake what was refused
		from.cut()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	ctx = translate.WithStanza(ctx, stanza)
	var evs []outbox.Event
	for _, f := range found {
		if f.Lost != "" && in.hasContent(ctx, f.Event) {
			continue
		}
		of := in.translateMissed(ctx, f)
		evs = append(evs, of...)
		if f.Lost == "" {
			continue
		}
		id := ""
		if len(of) > 0 {
			id = of[0].Key
		}
		in.log.Error("a stanza was not delivered whole", "event_id", id, "detail", f.Lost, "error", f.Err)
		in.alarms.happened(alarmIncomplete, fmt.Sprintf("At least one stanza of WhatsApp was not delivered whole: %s. The event has what could be read.", f.Lost))
	}
	if len(evs) == 0 || in.retryAppend(evs, nil) {
		return
	}
	in.refuse(fmt.Errorf("a stanza without an event could not be stored in time"), from)
	from.cut()
}

func (in *ingest) translateMissed(ctx context.Context, f stanzas.Found) []outbox.Event {
	if f.Event == nil {
		return nil
	}
	if !f.Placeholder {
		evs := in.translate(ctx, f.Event)
		if m, ok := f.Event.(*events.Message); ok && len(evs) == 0 && f.Lost != "" {
			// nothing to show is left of it
			return in.translate(ctx, &events.UndecryptableMessage{Info: m.Info})
		}
		return evs
	}
	if ev, ok := in.tr.Placeholder(f.Event); ok {
		return one(ev)
	}
	return nil
}

// comesAgain reports whether an event that the library acknowledges whatever the handler returns is
// that of a stanza of a chat, which comes again when the connection is cut first. A synced state is
// not, which is fetched again.
func comesAgain(evt any) bool {
	switch evt.(type) {
	case *events.Message, *events.UndecryptableMessage, *events.Receipt, *events.CallTerminate, *events.Picture:
		return true
	}
	return false
}

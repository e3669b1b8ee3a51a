package main

import (
	"cmp"
	"strconv"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newEventShowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one event: its body, and where it stands for each webhook",
		Long: `Shows one event by its id (evt_…), its sequence, or the id of a dead letter of it. "unknown" stands
where a webhook's filter was changed since: what it wanted before is kept no longer than its backlog.`,
		Args: arguments(1, 1, "the id of one event (evt_…), or its sequence"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				d, err := svc.Event(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(d)
					return nil
				}
				e.showEvent(d, e.namesOf(cmd.Context(), svc, d.Chat))
				return nil
			})
		},
	}
}

func (e *env) showEvent(d api.EventDetail, names chatNames) {
	chat := cmp.Or(phoneOf(d.Chat, d.ChatAlt), names.whole(d.Chat))
	e.printf("%s  %s\nsequence %d, chat %s\n", e.style.Bold(term.Clean(d.Event.Event)), term.Clean(d.ID), d.Sequence, chat)
	e.printf("arrived %s", d.Time.In(e.loc).Format("2006-01-02 15:04:05.000"))
	if d.ChatAlt != "" {
		e.printf(", the chat is %s, also %s", term.Clean(d.Chat), term.Clean(d.ChatAlt))
	}
	if d.Message != "" {
		e.printf(", WhatsApp's id %s", term.Clean(d.Message))
	}
	e.printf("\n\n")
	next := ""
	if len(d.Deliveries) == 0 {
		e.printf("No webhook is registered.\n")
		next = e.command("webhook add URL")
	} else {
		t := term.NewTable(term.Column{Name: "WEBHOOK"}, term.Column{Name: "STATE"}, term.Column{Name: "DEAD LETTER"},
			term.Column{Name: "DETAIL", Shrink: 12, Prose: true}, urlColumn())
		for _, w := range d.Deliveries {
			t.Row(term.Clean(w.Webhook), e.deliveryState(w.State), cmp.Or(term.Clean(w.DeadLetter), term.None), e.deliveryText(w), shownURL(w.URL)+removedMark(w.Removed))
			switch {
			case w.State == api.EventDead:
				next = e.command("deadletter show %s", w.DeadLetter)
			case w.State == api.EventDelivered && next == "":
				next = e.command("event replay --url %s %s", term.Clean(w.Webhook), term.Quote(d.ID))
			}
		}
		e.table(t, "")
	}
	e.printf("\n")
	switch {
	case d.Damaged:
		e.printf("The stored bytes are damaged, so they are not shown. They stay in outbox.db as evidence: keep a copy of it, and check the disk.\n")
	case e.live:
		e.printf("%s\n", term.Clean(d.Body))
	default:
		e.printf("%s\n", d.Body) // a pipe gets the exact bytes
	}
	e.printf("\n")
	if next == "" {
		next = e.command("event list")
	}
	e.printf("%s %s\n", e.style.Bold("Next:"), next)
}

// deliveryState is a state in words and colour.
func (e *env) deliveryState(s api.EventDeliveryState) string {
	switch s {
	case api.EventDelivered:
		return e.style.Green("delivered")
	case api.EventDead:
		return e.style.Red("dead")
	case api.EventPending:
		return e.style.Yellow("pending")
	case api.EventNotOwed:
		return "not owed"
	}
	return term.Clean(string(s))
}

// deliveryText says what is known besides.
func (e *env) deliveryText(w api.EventDelivery) string {
	last := ""
	if w.LastError != nil {
		last = lastErrorText(*w.LastError)
	}
	switch {
	case w.State == api.EventDead:
		return last
	case w.InFlight && w.Attempts == 0:
		return "in flight"
	case w.State == api.EventPending && w.Attempts > 0:
		text := term.Plural(int64(w.Attempts), "attempt", "attempts") + " failed"
		if last != "" {
			text += " (" + last + ")"
		}
		switch {
		case w.InFlight:
			text += ", the next is in flight"
		case !w.Due.IsZero():
			text += ", the next at " + e.clock(w.Due)
		}
		return text
	case w.State == api.EventPending && w.Replay > 0:
		return "replay " + strconv.Itoa(w.Replay) + " waits for its turn"
	case w.State == api.EventPending:
		return "waits for its turn"
	}
	return term.None
}

package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// eventFilter holds the filter flags that the event commands share.
type eventFilter struct {
	event, chat, since, until string
	from, to                  time.Time // what since and until mean, once read
}

func (f *eventFilter) flags(cmd *cobra.Command) {
	once(cmd, &f.event, "event", "only events of this name")
	once(cmd, &f.chat, "chat", "only of this chat: a phone number or a JID")
	once(cmd, &f.since, "since", "only what came since: a duration like 1h or 2d, or a time like 2026-01-31T09:00:00Z")
	once(cmd, &f.until, "until", "only what came before: written like --since")
}

// filter reads the flags.
func (f *eventFilter) filter(now time.Time, loc *time.Location) (out api.EventFilter, err error) {
	out = api.EventFilter{Event: f.event, Chat: f.chat}
	if f.event != "" {
		if err := admin.KnownEvent(f.event, catalogNames()); err != nil {
			return out, err
		}
	}
	out.Since, out.Until, err = parseSpan(f.since, f.until, now, loc)
	f.from, f.to = out.Since, out.Until
	return out, err
}

// arguments renders the filter as it would be typed.
func (f *eventFilter) arguments() string {
	return typedFlags([]typedFlag{{"event", f.event}, {"chat", f.chat}, {"since", stamp(f.from)}, {"until", stamp(f.to)}})
}

func newEventCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "event",
		Aliases: []string{"events"},
		Short:   "See what arrived, and deliver it again",
		Long: `The outbox keeps every event for a while after it was delivered (72 hours unless it is set
otherwise), and longer what is still owed or dead. These commands look into that log, and deliver
parts of it again.`,
	}
	group(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && strings.HasPrefix(args[0], "evt_") {
			return usagef("%s is an event. Look at it: %s", args[0], e.command("event show %s", term.Quote(args[0])))
		}
		return knownSubcommand(cmd, args)
	}
	cmd.AddCommand(newEventListCmd(e), newEventShowCmd(e), newEventReplayCmd(e))
	return cmd
}

func newEventListCmd(e *env) *cobra.Command {
	var f eventFilter
	var l eventListing
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the newest events; --json streams all of them, --follow waits for more",
		Long: `Lists the newest events, oldest of them first. With --json all that match, or the newest --limit of
them. --follow goes on with what arrives, through a restart of the service, until it is interrupted;
it ends with exit code 3 when the service stays away for a minute.`,
		Example: `  waoutbox event list --event message.received --since 2h
  waoutbox event list --follow --chat +491515550100`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if l.filter, err = f.filter(time.Now(), e.loc); err != nil {
				return err
			}
			l.limited = cmd.Flags().Changed("limit")
			switch {
			case l.limit < 0:
				return usagef("--limit %d: give how many of the newest events are listed, 0 for none before those that --follow waits for", l.limit)
			case l.limit == 0 && !l.follow:
				return usagef("--limit 0 lists nothing: give a number, or add --follow to see what arrives from now on")
			case l.follow && f.until != "":
				return usagef("--follow waits for what comes, and --until leaves it out: leave one of them out")
			}
			if l.bodies && !e.json {
				return usagef("--bodies goes with --json; one body alone: %s", e.command("event show ID"))
			}
			l.arguments = f.arguments()
			if l.follow { // nothing arrives without a service
				return e.followEvents(cmd.Context(), &l)
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error { return e.listEvents(cmd.Context(), svc, &l) })
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&l.follow, "follow", false, "go on with what arrives")
	cmd.Flags().IntVarP(&l.limit, "limit", "n", listShown, "how many of the newest events")
	cmd.Flags().BoolVar(&l.bodies, "bodies", false, "with --json: the bodies too")
	return cmd
}

// eventListing is one run of `event list`.
type eventListing struct {
	filter    api.EventFilter
	arguments string // the filter as it would be typed
	limit     int
	limited   bool // the limit was given
	follow    bool
	bodies    bool
}

// listEvents prints the newest events, or streams all of them to a program.
func (e *env) listEvents(ctx context.Context, svc api.Service, l *eventListing) error {
	if e.json && !l.limited {
		return e.streamEvents(ctx, svc, l)
	}
	items, older, _, err := newestEvents(ctx, svc, l)
	if err != nil {
		return err
	}
	switch {
	case e.json:
		for _, ev := range items {
			e.printJSON(ev)
		}
		return nil
	case len(items) == 0 && l.arguments != "":
		e.printf("No events match%s, of those that are kept.\n", l.arguments)
		e.next("waoutbox event list")
		return nil
	case len(items) == 0:
		e.printf("No events are kept: none arrived yet, or all were delivered long ago.\n")
		e.next("waoutbox status")
		return nil
	}
	chats := make([]string, 0, len(items))
	for _, ev := range items {
		if phoneOf(ev.Chat, ev.ChatAlt) == "" {
			chats = append(chats, ev.Chat)
		}
	}
	e.eventTable(items, e.namesOf(ctx, svc, chats...))
	if older {
		e.printf("\nThere are older ones: narrow them down with --event, --chat, --since, --until, list more with --limit, or stream all: %s\n",
			e.command("event list%s --json", l.arguments))
	}
	e.next("waoutbox event show %s", items[len(items)-1].ID)
	return nil
}

// newestEvents returns the newest events of a listing, oldest first, whether older ones match, and
// the newest sequence there is.
func newestEvents(ctx context.Context, svc api.Service, l *eventListing) (items []api.Event, older bool, last uint64, err error) {
	q := api.EventQuery{EventFilter: l.filter, Backward: true, Bodies: l.bodies}
	for {
		// one more shows whether there are older ones
		q.Limit = min(l.limit+1-len(items), pageSize)
		page, err := svc.Events(ctx, q)
		if err != nil {
			return nil, false, 0, err
		}
		last = max(last, page.Last)
		items = append(items, page.Items...)
		if !page.More || len(items) > l.limit {
			break
		}
		q.From = page.Next
	}
	if len(items) > l.limit {
		items, older = items[:l.limit], true
	}
	slices.Reverse(items)
	return items, older, last, nil
}

// streamEvents prints every event that matches, oldest first, page by page.
func (e *env) streamEvents(ctx context.Context, svc api.Service, l *eventListing) error {
	q := api.EventQuery{EventFilter: l.filter, Limit: pageSize, Bodies: l.bodies}
	for {
		page, err := svc.Events(ctx, q)
		if err != nil {
			return err
		}
		for _, ev := range page.Items {
			e.printJSON(ev)
		}
		if !page.More || e.written.err != nil {
			return e.written.err
		}
		q.From = page.Next
	}
}

// eventName is an event's name, or what stands for one that is damaged.
func eventName(ev api.Event) string {
	if ev.Damaged {
		return strings.TrimSpace(term.Clean(ev.Event) + " (damaged)")
	}
	return term.Clean(ev.Event)
}

func (e *env) eventTable(items []api.Event, names chatNames) {
	t := term.NewTable(term.Column{Name: "SEQUENCE", Right: true, Optional: true}, term.Column{Name: "AT"}, term.Column{Name: "EVENT", Shrink: 12},
		term.Column{Name: "CHAT", Shrink: 12}, term.Column{Name: "ID"})
	for _, ev := range items {
		t.Row(strconv.FormatUint(ev.Sequence, 10), e.clock(ev.Time), eventName(ev), names.text(ev.Chat, ev.ChatAlt), term.Clean(ev.ID))
	}
	e.table(t, "")
}

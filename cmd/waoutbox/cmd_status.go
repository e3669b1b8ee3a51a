package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newStatusCmd(e *env) *cobra.Command {
	var check, watch, alive bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the link, the backlog of every webhook, and what needs you",
		Long: `Shows the whole state in one page. Without a running service it is read from the state directory.

--watch shows it again every two seconds, until it is interrupted; with --json one line each.

--check is for monitoring: exit 0 healthy, 1 an alarm is up, 3 not running. --alive is for what restarts a container:
exit 0 when the service responds, whatever alarm is up, else 3.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := modeState
			if check || alive {
				m = modeDaemon
			}
			if alive {
				return e.alive(cmd.Context())
			}
			if watch && check {
				return usagef("--check looks once, and --watch goes on: leave one of them out")
			}
			if watch {
				return e.watchStatus(cmd.Context())
			}
			return e.withService(cmd.Context(), m, func(svc api.Service) error { return e.status(cmd.Context(), svc, check) })
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only tell whether all is well: exit 0 healthy, 1 alarm, 3 not running")
	cmd.Flags().BoolVar(&alive, "alive", false, "only tell whether the service responds: exit 0, else 3")
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again and again")
	return cmd
}

// alive says whether the service responds.
func (e *env) alive(ctx context.Context) error {
	b, err := e.connect(ctx, modeDaemon)
	if err != nil {
		return err
	}
	defer b.close() //nolint:errcheck // there is nothing in it that could be lost
	d, err := b.daemon.Daemon(ctx)
	if err != nil {
		return err
	}
	if e.json {
		e.printJSON(d)
		return nil
	}
	e.printf("waoutbox %s runs (pid %d)\n", term.Clean(d.Version), d.PID)
	return nil
}

// statusEvery is how often --watch looks.
const statusEvery = 2 * time.Second

// watchStatus shows the status until ctx ends, through a restart of the service.
func (e *env) watchStatus(ctx context.Context) error {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		err := e.withService(ctx, modeState, func(svc api.Service) error {
			st, err := svc.Status(ctx)
			switch {
			case err != nil:
				return err
			case e.json:
				e.printJSON(st)
				return nil
			case e.live:
				e.printf("\x1b[H\x1b[2J") // from the top, on an empty screen
			}
			e.printf("%s\n", time.Now().In(e.loc).Format(time.TimeOnly))
			e.showStatus(st)
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, which is how it ends
		case e.written.err != nil:
			return e.written.err
		case err != nil && api.CodeOf(err) != api.CodeServiceUnavail:
			return err
		case err != nil:
			e.report(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (e *env) status(ctx context.Context, svc api.Service, check bool) error {
	st, err := svc.Status(ctx)
	if err != nil {
		return err
	}
	switch {
	case e.json:
		e.printJSON(st)
	case check:
		e.showCheck(st)
	default:
		e.showStatus(st)
	}
	if check && len(st.Alarms) > 0 {
		return &resultError{exitFailed}
	}
	return nil
}

func (e *env) showCheck(st api.Status) {
	if len(st.Alarms) == 0 {
		e.printf("no alarm: link %s, %s pending, %s dead\n", st.Link.State, term.Count(st.Pending), term.Count(st.Dead))
	}
	e.alarms(st.Alarms)
}

func (e *env) showStatus(st api.Status) {
	e.linkLine(st)
	for _, note := range st.Link.Notes {
		e.printWrapped(11, "           %s", e.style.Yellow(term.Clean(note)))
	}
	if d := st.Daemon; d != nil {
		e.printf("service    pid %d, version %s, up for %s\n", d.PID, term.Clean(d.Version), since(d.StartedAt))
		if d.Version != version {
			e.printf("           %s\n", e.style.Yellow("this program is version "+version+"; to run that: "+e.command("restart")))
		}
	} else {
		e.printf("service    %s; this is read from %s\n", e.style.Yellow("not running"), e.home(st.StateDir))
	}
	if d := st.Daemon; d != nil && d.HTTP != nil {
		e.printf("http       %s  (its token: %s)\n", term.Clean(d.HTTP.URL), e.command("http-token"))
		e.sayReachable(d.HTTP)
	}
	if st.EventStreams > 0 {
		e.printf("agents     %s\n", term.Plural(int64(st.EventStreams), "stream of events is open", "streams of events are open"))
	}
	kept := term.Plural(st.Events, "event", "events") + " kept"
	if st.CountsUnknown {
		kept = "its events cannot be counted now"
	}
	e.printf("outbox     %s, %s\n", kept, term.Bytes(st.Bytes))
	if m := st.Media; m != nil {
		e.printf("media      %s kept, %s%s%s\n", term.Plural(int64(m.Files), "file", "files"), term.Bytes(m.Bytes),
			countOf(", %s to be fetched", int64(m.Waiting)), countOf(", %s given up", m.Failed))
	}
	if len(st.Webhooks) > 0 {
		e.printf("\n")
		e.webhookTable(st.Webhooks)
		e.lastErrors(st.Webhooks)
	}
	if left := st.Dead - sumDead(st.Webhooks); left > 0 {
		e.printf("%s of removed webhooks\n", term.Plural(left, "dead letter", "dead letters"))
	}
	if len(st.Replays) > 0 {
		e.printf("\n")
		e.sayReplays(st.Replays)
	}
	if len(st.Alarms) > 0 {
		e.printf("\n")
		e.alarms(st.Alarms)
	}
	e.printf("\n")
	e.statusNext(st)
}

// linkLine says whether WhatsApp is linked, and since when.
func (e *env) linkLine(st api.Status) {
	l := st.Link
	who := person(l.Account, l.Name)
	reason := ""
	if l.Reason != "" {
		reason = ": " + term.Clean(l.Reason)
	}
	switch l.State {
	case api.LinkConnected:
		e.printf("linked     %s, %s for %s\n", who, e.style.Green("connected"), since(l.Since))
	case api.LinkUnlinked:
		e.printf("linked     %s%s\n", e.style.Yellow("no"), reason)
	case api.LinkPairing:
		if reason == "" {
			reason = ": a code is being shown"
		}
		e.printf("linked     no, %s%s\n", e.style.Yellow("pairing"), reason)
	case api.LinkUnknown:
		switch {
		case who == "":
			e.printf("linked     unknown while no service runs\n")
		case l.Closed:
			e.printf("linked     %s, %s since %s\n", who, e.style.Yellow("closed on request"), e.clock(l.Since))
		default:
			e.printf("linked     %s, not connected while no service runs\n", who)
		}
	case api.LinkConnecting, api.LinkDisconnected:
		e.printf("linked     %s%s%s%s\n", who, comma(who), e.style.Yellow(string(l.State)), reason)
	default:
		e.printf("linked     %s%s%s%s\n", who, comma(who), term.Clean(string(l.State)), reason)
	}
}

// countOf is a part of a line that is left out for 0.
func countOf(format string, n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, term.Count(n))
}

func comma(before string) string {
	if before == "" {
		return ""
	}
	return ", "
}

func (e *env) alarms(alarms []api.Alarm) {
	for _, a := range alarms {
		ago := ""
		if !a.Since.IsZero() {
			ago = "  (since " + e.clock(a.Since) + ", " + term.Age(time.Since(a.Since)) + ")"
		}
		e.printWrapped(6, "%s %s  %s%s", e.style.Red("ALARM"), e.style.Bold(term.Clean(a.Code)), term.Clean(a.Message), ago)
	}
}

// statusNext names the one thing that is most worth doing.
func (e *env) statusNext(st api.Status) {
	switch {
	case slices.ContainsFunc(st.Alarms, ofState): // which has the mend of each
		e.next("waoutbox doctor")
	case st.Daemon == nil && st.Link.Closed:
		e.next("waoutbox connect") // which starts it
	case st.Daemon == nil:
		e.next("waoutbox start")
	// pair shows what is due
	case st.Link.State == api.LinkUnlinked, st.Link.State == api.LinkPairing:
		e.next("waoutbox pair")
	case st.Link.Closed, slices.ContainsFunc(st.Alarms, replaced):
		e.next("waoutbox connect")
	case len(st.Webhooks) == 0:
		e.next("waoutbox webhook add URL")
	case st.Dead > 0 && !slices.ContainsFunc(st.Webhooks, paused): // it tells of those that fail
		e.next("waoutbox deadletter")
	default:
		e.webhooksNext(st.Webhooks)
	}
}

// ofState reports whether an alarm is of the disk, the files of the state, the key or the clock:
// nothing else helps before that is mended.
func ofState(a api.Alarm) bool {
	return a.Code == "append_refused" || slices.ContainsFunc([]string{"outbox_", "device_store", "session_store", "key_", "clock_"}, func(of string) bool { return strings.HasPrefix(a.Code, of) })
}

// replaced reports whether an alarm says that another program has the session, until it is taken
// back.
func replaced(a api.Alarm) bool { return a.Code == "link_replaced" }

func paused(w api.Webhook) bool { return w.Status == api.WebhookPaused }

// webhooksNext says what to do about the webhooks that are there: one that fails first, then one
// that is paused, else one is tried.
func (e *env) webhooksNext(hooks []api.Webhook) {
	for _, due := range []struct {
		status  api.WebhookStatus
		command string
	}{{api.WebhookFailing, "show"}, {api.WebhookPaused, "resume"}, {api.WebhookActive, "test"}, {api.WebhookHeld, "show"}} {
		for _, w := range hooks {
			if w.Status == due.status {
				e.next("waoutbox webhook %s %s", due.command, term.Clean(w.ID))
				return
			}
		}
	}
	e.next("waoutbox webhook list")
}

func sumDead(hooks []api.Webhook) (n int64) {
	for _, w := range hooks {
		n += w.Dead
	}
	return n
}

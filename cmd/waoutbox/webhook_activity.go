package main

import (
	"context"
	"strconv"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// showRecent says what the service remembers of the attempts of a webhook.
func (e *env) showRecent(w api.Webhook, line func(name, text string)) {
	if a := w.LastSuccess; a != nil {
		line("last ok", e.clock(a.At)+", "+since(a.At)+" ago: "+attemptText(*a)+" in "+msText(a.Ms))
	}
	if a := w.LastError; a != nil {
		line("last bad", e.clock(a.At)+", "+since(a.At)+" ago: "+attemptText(*a)+" in "+msText(a.Ms))
	}
	if h := w.LastHour; h != nil {
		line("last hour", term.Count(h.Delivered)+" delivered, "+term.Plural(h.Failed, "failed request", "failed requests"))
	}
}

// lastErrors names the webhooks whose last request failed.
func (e *env) lastErrors(hooks []api.Webhook) {
	for _, w := range hooks {
		if a := lastFailed(w); a != nil {
			e.printWrapped(2, "%s: last request %s ago: %s", term.Clean(w.ID), since(a.At), attemptText(*a))
		}
	}
}

// lastFailed returns the last request of a webhook if it failed, else nil.
func lastFailed(w api.Webhook) *api.RecentAttempt {
	if a := w.LastError; a != nil && (w.LastSuccess == nil || w.LastSuccess.At.Before(a.At)) {
		return a
	}
	return nil
}

// attemptText says how an attempt ended.
func attemptText(a api.RecentAttempt) string {
	return lastErrorText(api.LastError{Class: a.Class, Status: a.Status, Message: a.Message})
}

func msText(ms int64) string { return strconv.FormatInt(ms, 10) + " ms" }

// webhookAttempts shows what happened lately to a webhook.
func (e *env) webhookAttempts(ctx context.Context, svc api.Service, ref string) error {
	a, err := svc.WebhookActivity(ctx, ref)
	if err != nil {
		return err
	}
	if e.json {
		e.printJSON(a)
		return nil
	}
	if a.Since.IsZero() {
		e.printf("No service runs: the attempts before are not kept.\n")
		e.next("waoutbox start")
		return nil
	}
	if len(a.Attempts) == 0 {
		e.printf("No attempt since the service began at %s, %s ago.\n", e.clock(a.Since), since(a.Since))
		e.next("waoutbox webhook test %s", a.Webhook)
		return nil
	}
	attempts := term.NewTable(term.Column{Name: "AT"}, term.Column{Name: "SEQUENCE", Right: true}, term.Column{Name: "EVENT", Shrink: 12},
		term.Column{Name: "ATTEMPT", Right: true}, term.Column{Name: "MS", Right: true}, term.Column{Name: "OUTCOME"}, term.Column{Name: "RESPONSE", Shrink: 12, Prose: true})
	for _, x := range a.Attempts {
		attempts.Row(x.At.In(e.loc).Format("15:04:05.000"), strconv.FormatUint(x.Sequence, 10), term.Clean(x.Event), strconv.Itoa(x.Attempt),
			strconv.FormatInt(x.Ms, 10), term.Clean(x.Outcome), attemptText(x))
	}
	e.table(attempts, "")
	minutes := term.NewTable(term.Column{Name: "MINUTE"}, term.Column{Name: "DELIVERED", Right: true}, term.Column{Name: "FAILED", Right: true},
		term.Column{Name: "DEAD", Right: true}, term.Column{Name: "WAITING", Right: true})
	for _, m := range a.Minutes {
		if m.Delivered+m.Failed+m.Dead == 0 {
			continue
		}
		waiting := term.Unknown
		if m.Waiting != nil {
			waiting = term.Count(*m.Waiting)
		}
		minutes.Row(m.At.In(e.loc).Format("15:04"), term.Count(m.Delivered), term.Count(m.Failed), term.Count(m.Dead), waiting)
	}
	e.printf("\n")
	e.table(minutes, "")
	if a.LastError != nil {
		e.next("waoutbox event show %d", a.LastError.Sequence)
	}
	return nil
}

package main

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// shownURL is a webhook's URL for listings: without its query, which often holds a token. `webhook
// show` alone prints it whole.
func shownURL(raw string) string {
	bare, _, cut := strings.Cut(raw, "?")
	if cut {
		bare += "?…"
	}
	return term.Clean(bare)
}

// resume is the command that lets a paused webhook go on.
func (e *env) resume(id string) string { return e.command("webhook resume %s", term.Clean(id)) }

// addAgain is the command that brings a removed webhook back.
func (e *env) addAgain(id string) string { return e.command("webhook add %s", term.Clean(id)) }

// person renders an account: the number as people write it, and the name.
func person(jid, name string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":") // the device
	if server == "s.whatsapp.net" && user != "" && strings.Trim(user, "0123456789") == "" {
		user = "+" + user
	} else {
		user = jid
	}
	if name != "" {
		user += " (" + name + ")"
	}
	return term.Clean(user)
}

// reasonText renders a dead letter's reason: a status with its meaning, a class in words.
func reasonText(reason string) string {
	switch reason {
	case "timeout":
		return "timeout after 10 s"
	case "refused":
		return "connection refused"
	case "reset":
		return "connection reset"
	case "dns":
		return "name does not resolve"
	case "tls":
		return "TLS failed"
	case "redirect":
		return "redirect (never followed)"
	case "internal":
		return "internal error"
	case api.ReasonUnregistered:
		return "webhook was removed"
	case api.ReasonSkipped:
		return "skipped by its user"
	case api.ReasonExpired:
		return "expired, body gone"
	case api.ReasonCorrupt:
		return "stored bytes damaged"
	}
	return term.Clean(reason)
}

// lastErrorText renders what the service says ended a letter, short enough for a table.
func lastErrorText(l api.LastError) string {
	switch {
	case l.Status > 0:
		return statusText(l.Status)
	case slices.Contains([]string{api.ReasonUnregistered, api.ReasonSkipped, api.ReasonExpired, api.ReasonCorrupt}, l.Class):
		return reasonText(l.Class)
	case l.Message != "":
		return term.Clean(term.Short(l.Message, 60))
	}
	return reasonText(l.Class)
}

// statusText is "503 Service Unavailable".
func statusText(status int) string {
	s := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		s += " " + text
	}
	return s
}

func listText(items []string) string {
	if len(items) == 0 {
		return term.None
	}
	return term.Clean(strings.Join(items, ", "))
}

// since renders how long ago t was: "26 m".
func since(t time.Time) string {
	if t.IsZero() {
		return term.None
	}
	return term.Age(time.Since(t))
}

// cleanLines makes text from outside harmless but keeps its lines.
func cleanLines(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		out = append(out, term.Clean(line))
	}
	return strings.Join(out, "\n")
}

// statusStyle colours a webhook's state.
func (e *env) statusStyle(s api.WebhookStatus) string {
	if s == api.WebhookActive {
		return e.style.Green(string(s))
	}
	return e.style.Yellow(term.Clean(string(s)))
}

// webhookTable is the table of `status` and `webhook list`.
func (e *env) webhookTable(hooks []api.Webhook) {
	t := term.NewTable(term.Column{Name: "WEBHOOK"}, term.Column{Name: "URL", Shrink: 16}, term.Column{Name: "EVENTS", Shrink: 8}, term.Column{Name: "STATE"},
		term.Column{Name: "PENDING", Right: true}, term.Column{Name: "DEAD", Right: true}, term.Column{Name: "OLDEST", Right: true})
	for _, w := range hooks {
		pending, dead, oldest := countsOf(w)
		t.Row(term.Clean(w.ID), shownURL(w.URL), filterText(w), e.statusStyle(w.Status), pending, dead, oldest)
	}
	e.table(t, "")
	for _, w := range hooks {
		if w.Lease != nil {
			e.printf("%s was subscribed by %s, %s\n", term.Clean(w.ID), leaseOwner(w.Lease), e.leaseEnd(w.Lease))
		}
	}
	if slices.ContainsFunc(hooks, func(w api.Webhook) bool { return w.CountsUnknown }) {
		e.printf("%s cannot be read now; the alarms of %s say why.\n", term.Unknown, e.command("status"))
	}
}

// leaseOwner names the MCP client that subscribed a webhook, and as whom it was let in.
func leaseOwner(l *api.Lease) string {
	return term.Clean(cmp.Or(l.Client, "an MCP client")) + " (" + term.Clean(l.Principal) + ")"
}

// leaseEnd says when it ends.
func (e *env) leaseEnd(l *api.Lease) string {
	if l.Ends.IsZero() {
		return "without an end"
	}
	return "until " + e.clock(l.Ends) + " unless it renews that"
}

// countsOf renders what a webhook is owed, what is dead, and the age of the oldest it is owed.
func countsOf(w api.Webhook) (pending, dead, oldest string) {
	switch {
	case w.CountsUnknown:
		return term.Unknown, term.Unknown, term.Unknown
	case w.Pending > 0:
		oldest = term.Age(secondsOf(w.OldestPendingSeconds))
	default:
		oldest = term.None
	}
	return term.Count(w.Pending), term.Count(w.Dead), oldest
}

// unique keeps the first of each.
func unique(items []string) []string {
	var out []string
	for _, s := range items {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func secondsOf(n int64) time.Duration { return time.Duration(n) * time.Second }

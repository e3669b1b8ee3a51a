package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookShowCmd(e *env) *cobra.Command {
	var verify string
	var attempts bool
	cmd := &cobra.Command{
		Use:   "show URL|ID",
		Short: "Show one webhook whole, or code that verifies its signature",
		Args:  arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify != "" {
				if _, err := verifier(verify); err != nil {
					return err
				}
			}
			if attempts && verify != "" {
				return usagef("--attempts and --verify print different things: give one of them")
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				if attempts {
					return e.webhookAttempts(cmd.Context(), svc, args[0])
				}
				w, err := svc.Webhook(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if verify != "" {
					code, err := verifier(verify)
					if err != nil {
						return err
					}
					if !w.Signed {
						e.note("note: %s has no secret, so its requests are not signed yet: %s", term.Clean(w.ID), e.command("webhook add %s --generate-secret", term.Clean(w.ID)))
					}
					if e.json {
						e.printJSON(verifierCode{w.ID, verify, code, e.remarks})
						return nil
					}
					e.printf("%s", code)
					return nil
				}
				if e.json {
					e.printJSON(w)
					return nil
				}
				e.showWebhook(w, e.filterNames(cmd.Context(), svc, w))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&attempts, "attempts", false, "show the last 100 attempts to deliver, the newest first, and those of the last hour by minute")
	cmd.Flags().StringVar(&verify, "verify", "", "print code that verifies X-Webhook-Signature: node, python or go")
	return cmd
}

// filterNames names the chats of a webhook's filter.
func (e *env) filterNames(ctx context.Context, svc api.Service, w api.Webhook) chatNames {
	return e.namesOf(ctx, svc, slices.Concat(w.Chats, w.NotChats)...)
}

func (e *env) showWebhook(w api.Webhook, names chatNames) {
	line := func(name, text string) { e.printf("%-9s %s\n", name, text) }
	yes := map[bool]string{true: "yes", false: "no"}
	line("webhook", e.style.Bold(term.Clean(w.ID)))
	line("url", term.Clean(w.URL))
	line("events", listText(w.Events))
	showFilter(w, names, line)
	if w.Lease != nil {
		line("of", "an MCP client: "+leaseOwner(w.Lease)+", "+e.leaseEnd(w.Lease))
		line("known as", term.Clean(w.Lease.Subscription)+"  (X-MCP-Subscription-Id)")
		line("preview", yes[w.Lease.Preview])
	}
	if len(w.Headers) > 0 {
		line("headers", listText(w.Headers)+"  (values are not shown)")
	}
	line("signed", yes[w.Signed])
	e.showRotation(w, line)
	e.showPromote(w, line)
	if w.Ordered {
		line("order", "per chat")
	} else {
		line("order", "none")
	}
	if w.AllowInsecure {
		line("insecure", "plain http to a public host is allowed; withdraw it: "+
			e.command("webhook add %s --allow-insecure-http=false", w.ID))
	}
	e.showLimits(w, line)
	state := e.statusStyle(w.Status)
	if w.Reason != "" {
		state += ": " + term.Clean(w.Reason)
	}
	line("state", state)
	if !w.NextTryAt.IsZero() {
		line("next try", e.clock(w.NextTryAt)+", in "+term.Age(time.Until(w.NextTryAt)))
	}
	pending, dead, oldest := countsOf(w)
	if w.Pending > 0 {
		pending += ", the oldest for " + oldest
	}
	line("pending", pending)
	line("dead", dead)
	e.showRecent(w, line)
	line("added", e.clock(w.CreatedAt))
	if w.UpdatedAt.After(w.CreatedAt) {
		line("changed", e.clock(w.UpdatedAt))
	}
	switch {
	case w.Status == api.WebhookPaused:
		e.next("waoutbox webhook resume %s", w.ID)
	case w.Dead > 0:
		e.next("waoutbox deadletter --url %s", w.ID)
	case w.Lease != nil:
		e.next("waoutbox webhook remove %s", w.ID)
	default:
		e.next("waoutbox webhook test %s", w.ID)
	}
}

// showRotation says what is signed with which secret, while two are valid.
func (e *env) showRotation(w api.Webhook, line func(name, text string)) {
	if !w.RotationUntil.IsZero() {
		line("rotating", "until "+e.clock(w.RotationUntil)+": X-Webhook-Signature is made with the secret before, webhook-signature with both")
	}
}

// showPromote names the command that ends a rotation.
func (e *env) showPromote(w api.Webhook, line func(name, text string)) {
	if !w.RotationUntil.IsZero() {
		line("end it", e.command("webhook rotate-secret %s --promote", term.Clean(w.ID)))
	}
}

// showLimits says how a webhook is retried, bounded and held back, where that is not the usual.
func (e *env) showLimits(w api.Webhook, line func(name, text string)) {
	if len(w.Schedule) > 0 && !slices.Equal(w.Schedule, []string{"0s", "1s", "3s", "10s"}) {
		line("retries", term.Clean(strings.Join(w.Schedule, ", ")))
	}
	for _, c := range w.CA {
		expired := ""
		if time.Now().After(c.NotAfter) {
			expired = e.style.Yellow(", expired")
		}
		line("trusts", term.Clean(c.Subject)+", until "+e.clock(c.NotAfter)+expired)
	}
	if w.Redrive {
		line("redrive", "what died in an outage is replayed by itself once it is over")
	}
	if w.MaxRate > 0 {
		line("rate", "at most "+strconv.FormatFloat(w.MaxRate, 'f', -1, 64)+" requests a second")
	}
	switch w.HoldAfter {
	case 20:
	case 0:
		line("hold", "never: during an outage everything is attempted")
	default:
		line("hold", "new events wait after "+term.Plural(int64(w.HoldAfter), "dead letter", "dead letters")+" in a row")
	}
}

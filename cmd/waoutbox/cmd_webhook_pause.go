package main

import (
	"context"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookPauseCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "pause URL|ID",
		Short: "Stop delivering to a webhook; its events wait",
		Long: `Stops delivering to a webhook until it is resumed, over restarts too. Its events wait in the
outbox, in order, for as long as pending events are kept. Attempts that are running finish.`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeState(cmd.Context(), e.showPaused, func(svc api.Service) (api.WebhookState, error) {
				return svc.PauseWebhook(cmd.Context(), args[0])
			})
		},
	}
}

func newWebhookResumeCmd(e *env) *cobra.Command {
	var skip bool
	cmd := &cobra.Command{
		Use:   "resume URL|ID",
		Short: "Let a paused, failing or held webhook go on at full speed",
		Long: `Lets a webhook go on, whatever made it wait: paused by you or by 410 from its endpoint, failing,
or held. What waits is delivered in order; with --skip-to-now it becomes dead letters, which can be
replayed, and the webhook goes on with what comes from now on.`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeState(cmd.Context(), e.showResumed, func(svc api.Service) (api.WebhookState, error) {
				return svc.ResumeWebhook(cmd.Context(), api.ResumeWebhook{Webhook: args[0], SkipToNow: skip})
			})
		},
	}
	cmd.Flags().BoolVar(&skip, "skip-to-now", false, "keep what waits as dead letters, and go on with what comes")
	return cmd
}

// stateLine is `webhook pause --json` and `webhook resume --json`: the webhook as in `webhook list
// --json`, and how it stood before.
type stateLine struct {
	api.Webhook
	Was       api.WebhookStatus `json:"was"`
	WasReason string            `json:"was_reason,omitempty"`
	Skipped   int64             `json:"skipped,omitempty"`
	Warnings  []string          `json:"warnings,omitempty"`
}

func (e *env) changeState(ctx context.Context, show func(api.WebhookState), change func(api.Service) (api.WebhookState, error)) error {
	return e.withService(ctx, modeState, func(svc api.Service) error {
		res, err := change(svc)
		if err != nil {
			return err
		}
		e.warn(res.Warnings)
		if e.json {
			e.printJSON(stateLine{res.Webhook, res.Was, res.WasReason, res.Skipped, res.Warnings})
			return nil
		}
		show(res)
		return nil
	})
}

func (e *env) showPaused(res api.WebhookState) {
	w := res.Webhook
	if res.Was == api.WebhookPaused {
		e.printf("%s  %s is paused already%s\n", e.style.Bold(term.Clean(w.ID)), shownURL(w.URL), e.whySince(res))
	} else {
		e.printf("Paused %s  %s\n", e.style.Bold(term.Clean(w.ID)), shownURL(w.URL))
		pending, _, _ := countsOf(w)
		e.printf("  its events wait in the outbox, in order; pending now: %s\n", pending)
	}
	e.next("waoutbox webhook resume %s", w.ID)
}

func (e *env) showResumed(res api.WebhookState) {
	w := res.Webhook
	id := e.style.Bold(term.Clean(w.ID)) + "  " + shownURL(w.URL)
	switch {
	case w.Status == api.WebhookPaused: // the warning says why
		e.printf("%s is still paused\n", id)
	case res.Was == api.WebhookActive && res.Skipped == 0:
		e.printf("%s is active; there was nothing to resume\n", id)
	default:
		e.printf("Resumed %s\n", id)
		e.printf("  was      %s%s\n", term.Clean(string(res.Was)), e.whySince(res))
	}
	if res.Skipped > 0 {
		e.printf("  skipped  %s, kept as dead letters\n", term.Plural(res.Skipped, "event", "events"))
	}
	if pending, _, oldest := countsOf(w); w.Pending > 0 || w.CountsUnknown {
		e.printf("  pending  %s, the oldest for %s\n", pending, oldest)
	}
	switch {
	case len(res.Warnings) > 0:
		e.next("waoutbox webhook resume %s --skip-to-now", w.ID)
	case w.Dead > 0:
		e.next("waoutbox deadletter --url %s", w.ID)
	default:
		e.next("waoutbox webhook test %s", w.ID)
	}
}

// whySince says since when and why a webhook stood as it did.
func (e *env) whySince(res api.WebhookState) string {
	text := ""
	if !res.WasSince.IsZero() {
		text = " since " + e.clock(res.WasSince)
	}
	if res.WasReason != "" {
		text += ": " + term.Clean(res.WasReason)
	}
	return text
}

package main

import (
	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookRotateCmd(e *env) *cobra.Command {
	var secret secretFlags
	var overlap string
	var promote bool
	cmd := &cobra.Command{
		Use:   "rotate-secret URL|ID",
		Short: "Give a webhook a new secret, beside the one before for a while",
		Long: `Gives a signed webhook a new secret, generated unless one is given. For the overlap both are
valid: webhook-signature carries both, the new one first, and X-Webhook-Signature stays on the
one before, so that receivers can be changed one after the other. When all of them know the
new secret, --promote ends the overlap at once: everything is signed with the new one, and the
one before is forgotten. Without it the overlap ends by itself. To give a rotation up, set the
secret before again: webhook add URL --secret-file FILE.`,
		Example: `  waoutbox webhook rotate-secret wh_7K2M
  waoutbox webhook rotate-secret wh_7K2M --promote
  waoutbox webhook rotate-secret wh_7K2M --secret-file new.txt --overlap 72h`,
		Args: arguments(1, 1, "a webhook's URL or id"),

		ValidArgsFunction: e.completeWebhooks,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.RotateSecret{Webhook: args[0], Promote: promote}
			if cmd.Flags().Changed("overlap") {
				in.Overlap = &overlap
			}
			if promote && secret.generate {
				return usagef("--promote ends the overlap of the rotation that runs, and takes no secret")
			}
			var err error
			if in.Secret, err = secret.read(e, cmd.Flags()); err != nil {
				return err
			}
			return e.withService(cmd.Context(), modeState, func(svc api.Service) error {
				res, err := svc.RotateSecret(cmd.Context(), in)
				if err != nil {
					return err
				}
				e.showRotated(res)
				return nil
			})
		},
	}
	fl := cmd.Flags()
	secret.add(fl, false)
	fl.StringVar(&overlap, "overlap", "24h", "how long the secret before stays valid, at most 720h; 0s switches at once")
	fl.BoolVar(&promote, "promote", false, "end the overlap now: sign with the new secret alone")
	return cmd
}

// rotatedLine is `webhook rotate-secret --json`: the webhook as in `webhook list --json`, and what
// happened.
type rotatedLine struct {
	api.Webhook
	Result   string   `json:"result"`           // rotated, promoted, unchanged
	Secret   string   `json:"secret,omitempty"` // a generated one, shown only here
	Warnings []string `json:"warnings,omitempty"`
}

func (e *env) showRotated(res api.RotateSecretResult) {
	e.warn(res.Warnings)
	if e.json {
		e.printJSON(rotatedLine{res.Webhook, res.Result, res.Secret, res.Warnings})
		return
	}
	w := res.Webhook
	line := func(name, text string) { e.printf("  %-8s %s\n", name, text) }
	id := e.style.Bold(term.Clean(w.ID)) + "  " + shownURL(w.URL)
	switch res.Result {
	case api.RotationNoneRan:
		e.printf("%s has one secret already; there is nothing to promote\n", id)
	case api.RotationEnded:
		e.printf("Promoted the new secret of %s\n", id)
		line("signed", "with it alone; the secret before is forgotten")
	default:
		e.printf("Rotated the secret of %s\n", id)
		if res.Secret != "" {
			line("secret", res.Secret+"  (shown once)")
		}
		if w.RotationUntil.IsZero() {
			line("signed", "with the new secret alone, from the next request on")
			break
		}
		e.showRotation(w, line)
		e.next("waoutbox webhook rotate-secret %s --promote   (when every receiver knows the new secret)", w.ID)
		return
	}
	e.next("waoutbox webhook test %s", w.ID)
}

package main

import (
	"math"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newWebhookAddCmd(e *env) *cobra.Command {
	var f struct {
		filter                       filterFlags
		secret                       secretFlags
		unordered, insecure, redrive bool
		holdAfter                    int
		maxRate                      float64
		schedule                     []string
		headers                      headerFlags
		headerFile                   string
		ca                           caFlags
	}
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook, or change and resume the one with this URL",
		Long: `Add a webhook. It receives the events from this moment on. Adding a URL that is already
there changes what is given, keeps the rest, and resumes it. So does adding a removed one again,
by its URL or its id: it comes back with its settings, and gets the events from now on.

--chat, --not-chat and --kind choose the chats. A chat is a phone number with its country code,
like +49 151 55501001, or a JID; a number also matches the chat's LID.

https may point anywhere; plain http to this machine, private networks and single-label names.
The secret signs every request (X-Webhook-Signature). It is read from a file or from stdin:
a command line can be seen by others.

--header and --header-file send headers of your own with every request, instead of all that
were set before. Their values are stored sealed and not shown again. A command line can be
seen by others: put Authorization and the like into a file.

After 20 dead letters in a row (--hold-after) the webhook is failing: its new events wait in
the outbox while one at a time is tried, and all of them go on after the first that succeeds.

--ca-file trusts the authorities in this file for this webhook, beside those of the system.

--schedule and --max-rate hold from the next attempt on; a wait that has begun stays.`,
		Example: `  waoutbox webhook add http://localhost:5678/webhook/wa --event message.received --generate-secret
  waoutbox webhook add https://crm.example/hook --chat '+49 151 55501001' --secret-file secret.txt
  waoutbox webhook add https://crm.example/hook --kind direct --not-chat 204813927440123@lid
  waoutbox webhook add https://crm.example/hook --header 'X-Tenant: blue' --header-file auth.txt`,
		Args: arguments(1, 1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.PutWebhook{URL: args[0], GenerateSecret: f.secret.generate}
			if err := f.filter.read(cmd.Flags(), &in); err != nil {
				return err
			}
			if cmd.Flags().Changed("unordered") {
				ordered := !f.unordered
				in.Ordered = &ordered
			}
			if cmd.Flags().Changed("hold-after") {
				in.HoldAfter = &f.holdAfter
			}
			if cmd.Flags().Changed("max-rate") {
				if math.IsNaN(f.maxRate) || math.IsInf(f.maxRate, 0) {
					return usagef("--max-rate: give a number of requests a second")
				}
				in.MaxRate = &f.maxRate
			}
			if cmd.Flags().Changed("schedule") {
				switch {
				case len(f.schedule) == 0: // more likely a variable that is not set
					return usagef("--schedule has an empty value: give the waits, like 0s,30s,10m, or leave the flag out; default goes back to 0s,1s,3s,10s")
				case len(f.schedule) == 1 && f.schedule[0] == "default":
					f.schedule = []string{}
				}
				in.Schedule = &f.schedule
			}
			if cmd.Flags().Changed("allow-insecure-http") {
				in.AllowInsecure = &f.insecure
			}
			if cmd.Flags().Changed("redrive") {
				in.Redrive = &f.redrive
			}
			var err error
			if in.Secret, err = f.secret.read(e, cmd.Flags()); err != nil {
				return err
			}
			if in.CA, err = f.ca.read(cmd.Flags()); err != nil {
				return err
			}
			if cmd.Flags().Changed("header-file") {
				f.headers.file = &f.headerFile
			}
			if in.Headers, err = f.headers.read(); err != nil {
				return err
			}
			return e.withService(cmd.Context(), modeCreate, func(svc api.Service) error {
				res, err := svc.PutWebhook(cmd.Context(), in)
				if err != nil {
					return err
				}
				e.showAdded(res, e.filterNames(cmd.Context(), svc, res.Webhook))
				return nil
			})
		},
	}
	fl := cmd.Flags()
	f.filter.add(fl)
	f.secret.add(fl, true)
	// Array, not slice: a comma may stand in a value.
	fl.StringArrayVar(&f.headers.lines, "header", nil, "send this header ('Name: value') with every request, repeatable")
	fl.StringVar(&f.headerFile, "header-file", "", "send the headers in this file, one 'Name: value' a line; for secret values")
	fl.BoolVar(&f.headers.none, "no-headers", false, "send no headers of your own any more")
	f.ca.add(fl)
	fl.BoolVar(&f.unordered, "unordered", false, "do not wait for the event before in the same chat; =false turns order on again")
	fl.IntVar(&f.holdAfter, "hold-after", 20, "hold new events back after this many dead letters in a row; 0 never")
	fl.Float64Var(&f.maxRate, "max-rate", 0, "send at most this many requests a second, retries included; 0 removes the bound")
	fl.StringSliceVar(&f.schedule, "schedule", nil, "waits before each attempt, like 0s,1s,3s,10s (the default): 1 to 10, at most 1h each; 'default' goes back")
	fl.BoolVar(&f.redrive, "redrive", false, "when the endpoint is back after an outage, replay by itself what died of it; =false turns that off")
	fl.BoolVar(&f.insecure, "allow-insecure-http", false, "allow plain http to a public host; kept until =false withdraws it")
	return cmd
}

// addedLine is `webhook add --json`: the webhook as in `webhook list --json`, and what happened.
type addedLine struct {
	api.Webhook
	Result    string            `json:"result"`        // created, updated, revived
	Was       api.WebhookStatus `json:"was,omitempty"` // what it was resumed from
	WasReason string            `json:"was_reason,omitempty"`
	Secret    string            `json:"secret,omitempty"` // a generated one, shown only here
	Warnings  []string          `json:"warnings,omitempty"`
}

func (e *env) showAdded(res api.PutWebhookResult, names chatNames) {
	e.warn(res.Warnings)
	if e.json {
		e.printJSON(addedLine{res.Webhook, res.Result, res.Was, res.WasReason, res.Secret, res.Warnings})
		return
	}
	w := res.Webhook
	verb := map[string]string{api.PutCreated: "Added", api.PutUpdated: "Updated", api.PutRevived: "Added again"}[res.Result]
	e.printf("%s %s  %s\n", verb, e.style.Bold(term.Clean(w.ID)), shownURL(w.URL))
	if res.Was != "" && w.Status != res.Was {
		e.printf("  resumed  it was %s: %s\n", term.Clean(string(res.Was)), term.Clean(res.WasReason))
	}
	if res.Result == api.PutRevived {
		e.printf("  settings as before its removal, except what was given now\n")
	}
	e.printf("  events   %s\n", listText(w.Events))
	line := func(name, text string) { e.printf("  %-8s %s\n", name, text) }
	showFilter(w, names, line)
	if len(w.Headers) > 0 {
		e.printf("  headers  %s\n", listText(w.Headers))
	}
	switch {
	case res.Secret != "":
		e.printf("  secret   %s  (shown once)\n", res.Secret)
		e.printf("  verify   %s\n", e.command("webhook show %s --verify node", w.ID))
	case w.Signed:
		e.printf("  signed   yes\n")
		e.printf("  verify   %s\n", e.command("webhook show %s --verify node", w.ID))
	default:
		e.printf("  signed   no; sign it: %s\n", e.command("webhook add %s --generate-secret", w.ID))
	}
	if !w.Ordered {
		e.printf("  order    none: events of one chat do not wait for each other\n")
	}
	e.showRotation(w, line)
	e.showPromote(w, line)
	e.showLimits(w, line)
	switch res.Result {
	case api.PutUpdated:
		if w.Pending > 0 {
			e.printf("  pending  %s\n", term.Count(w.Pending))
		}
	case api.PutRevived:
		e.printf("  starts   now: events from this moment on\n")
		if w.Dead > 0 {
			e.next("waoutbox deadletter replay --url %s   (%s from before)", w.ID, term.Plural(w.Dead, "dead letter", "dead letters"))
			return
		}
	default:
		e.printf("  starts   now: events from this moment on\n")
	}
	e.next("waoutbox webhook test %s", w.ID)
}

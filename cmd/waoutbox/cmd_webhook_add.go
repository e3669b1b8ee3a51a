package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// maxSecretFile bounds what is read of a secret; the service accepts less.
const maxSecretFile = 4 << 10

func newWebhookAddCmd(e *env) *cobra.Command {
	var f struct {
		events, chats              []string
		secretFile                 string
		secretStdin, generate      bool
		noSecret, unordered, plain bool
		headers                    headerFlags
		headerFile                 string
	}
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook, or change and resume the one with this URL",
		Long: `Add a webhook. It receives the events from this moment on. Adding a URL that is already
there changes what is given, keeps the rest, and resumes it.

https may point anywhere; plain http to this machine, private networks and single-label names.
The secret signs every request (X-Webhook-Signature). It is read from a file or from stdin:
a command line can be seen by others.

--header and --header-file send headers of your own with every request, instead of all that
were set before. Their values are stored sealed and not shown again. A command line can be
seen by others: put Authorization and the like into a file.`,
		Example: `  waoutbox webhook add http://localhost:5678/webhook/wa --event message.received --generate-secret
  waoutbox webhook add https://crm.example/hook --chat 120363025846172094@g.us --secret-file secret.txt
  waoutbox webhook add https://crm.example/hook --header 'X-Tenant: blue' --header-file auth.txt`,
		Args: arguments(1, 1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.PutWebhook{URL: args[0], GenerateSecret: f.generate, AllowInsecure: f.plain}
			if cmd.Flags().Changed("event") {
				in.Events = &f.events
			}
			if cmd.Flags().Changed("chat") {
				if len(f.chats) == 1 && f.chats[0] == "*" {
					f.chats = []string{}
				}
				in.Chats = &f.chats
			}
			if cmd.Flags().Changed("unordered") {
				ordered := !f.unordered
				in.Ordered = &ordered
			}
			given := 0
			for _, name := range []string{"secret-file", "secret-stdin", "generate-secret", "no-secret"} {
				if cmd.Flags().Changed(name) {
					given++
				}
			}
			if given > 1 {
				return usagef("choose one of --secret-file, --secret-stdin, --generate-secret and --no-secret")
			}
			var err error
			switch {
			case cmd.Flags().Changed("secret-file"):
				in.Secret, err = secretFromFile(f.secretFile)
			case f.secretStdin:
				in.Secret, err = e.secretFromStdin()
			case f.noSecret:
				in.Secret = new(string)
			}
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("header-file") {
				f.headers.file = &f.headerFile
			}
			if in.Headers, err = f.headers.read(); err != nil {
				return err
			}
			return e.withService(cmd.Context(), needState, func(svc api.Service) error {
				res, err := svc.PutWebhook(cmd.Context(), in)
				if err != nil {
					return err
				}
				e.showAdded(res)
				return nil
			})
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.events, "event", nil, "event to deliver, repeatable; * is all, and the default of a new webhook")
	fl.StringSliceVar(&f.chats, "chat", nil, "deliver only events of this chat (JID), repeatable; '*' goes back to all")
	fl.StringVar(&f.secretFile, "secret-file", "", "sign with the secret in this file (one line)")
	fl.BoolVar(&f.secretStdin, "secret-stdin", false, "sign with the secret read from stdin (hidden on a terminal)")
	fl.BoolVar(&f.generate, "generate-secret", false, "sign with a new secret, shown once")
	fl.BoolVar(&f.noSecret, "no-secret", false, "stop signing")
	// Array, not slice: a comma may stand in a value.
	fl.StringArrayVar(&f.headers.lines, "header", nil, "send this header ('Name: value') with every request, repeatable")
	fl.StringVar(&f.headerFile, "header-file", "", "send the headers in this file, one 'Name: value' a line; for secret values")
	fl.BoolVar(&f.headers.none, "no-headers", false, "send no headers of your own any more")
	fl.BoolVar(&f.unordered, "unordered", false, "do not wait for the event before in the same chat; =false turns order on again")
	fl.BoolVar(&f.plain, "allow-insecure-http", false, "allow plain http to a public host")
	return cmd
}

func secretFromFile(path string) (*string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usagef("the secret cannot be read: %v", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return nil, usagef("the secret cannot be read: %v", err)
	}
	return checkSecret(raw, path)
}

func (e *env) secretFromStdin() (*string, error) {
	var raw []byte
	var err error
	if term.IsTerminal(e.stdin) {
		fmt.Fprint(e.stderr, "Secret (not shown): ")
		raw, err = term.ReadSecret(e.stdin)
		fmt.Fprintln(e.stderr)
	} else {
		raw, err = io.ReadAll(io.LimitReader(e.stdin, maxSecretFile+1))
	}
	if err != nil {
		return nil, fmt.Errorf("the secret cannot be read from stdin: %w", err)
	}
	return checkSecret(raw, "stdin")
}

// checkSecret takes the line end off. An empty secret would mean unsigned, which nobody asked for by naming a source.
func checkSecret(raw []byte, source string) (*string, error) {
	if len(raw) > maxSecretFile {
		return nil, usagef("%s holds more than %d bytes and is no secret", source, maxSecretFile)
	}
	if !utf8.Valid(raw) { // on its way to the daemon the odd bytes would be replaced, and every signature would be wrong
		return nil, usagef("%s holds bytes that are not valid UTF-8: use printable text, for example openssl rand -hex 32", source)
	}
	s := strings.TrimRight(string(raw), "\r\n")
	if s == "" {
		return nil, usagef("%s holds no secret. To stop signing: --no-secret", source)
	}
	return &s, nil
}

// addedLine is `webhook add --json`: the webhook as in `webhook list --json`, and what happened.
type addedLine struct {
	api.Webhook
	Result   string   `json:"result"`           // created, updated, revived
	Secret   string   `json:"secret,omitempty"` // a generated one, shown only here
	Warnings []string `json:"warnings,omitempty"`
}

func (e *env) showAdded(res api.PutWebhookResult) {
	for _, w := range res.Warnings {
		e.note("warning: %s", term.Clean(w))
	}
	if e.json {
		e.printJSON(addedLine{res.Webhook, res.Result, res.Secret, res.Warnings})
		return
	}
	w := res.Webhook
	verb := map[string]string{api.PutCreated: "Added", api.PutUpdated: "Updated", api.PutRevived: "Added again"}[res.Result]
	e.printf("%s %s  %s\n", verb, e.style.Bold(term.Clean(w.ID)), shownURL(w.URL))
	e.printf("  events   %s\n", listText(w.Events))
	if len(w.Chats) > 0 {
		e.printf("  chats    %s\n", listText(w.Chats))
	}
	if len(w.Headers) > 0 {
		e.printf("  headers  %s\n", listText(w.Headers))
	}
	switch {
	case res.Secret != "":
		e.printf("  secret   %s  (shown once; verify X-Webhook-Signature with it: %s)\n", res.Secret, e.command("webhook show %s --verify node", w.ID))
	case w.Signed:
		e.printf("  signed   yes; how to verify: %s\n", e.command("webhook show %s --verify node", w.ID))
	default:
		e.printf("  signed   no; sign it: %s\n", e.command("webhook add %s --generate-secret", w.ID))
	}
	if !w.Ordered {
		e.printf("  order    none: events of one chat do not wait for each other\n")
	}
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

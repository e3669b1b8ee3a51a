package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"waoutbox/outbox/api"
)

// maxResponseRead bounds a passkey's response: browsers make some 1,500 bytes.
const maxResponseRead = 64 << 10

func newPairCmd(e *env) *cobra.Command {
	var in api.PairRequest
	var png string
	var cancel bool
	cmd := &cobra.Command{
		Use:   "pair",
		Short: "Link WhatsApp: scan a QR code, or type a code into the phone",
		Long: `Shows QR codes until one is scanned or the session is over (six codes, under three minutes), starting
the service if it does not run. With --phone it shows a code to type into that phone instead, with --png
each QR code is written to an image file as well. Where WhatsApp asks for the account's passkey besides,
pair says how to give it. With --json every step is one line: {"step":"qr","qr":…} or
{"step":"code","code":…}, perhaps {"step":"passkey","passkey":…} and {"step":"confirm","code":…}, then
{"step":"linked","account":…}. Ctrl-C, or --cancel from elsewhere, gives the pairing up for everybody who follows it.`,
		Example: `  waoutbox pair
  waoutbox pair --phone "+49 151 5550100"
  waoutbox pair --png ~/whatsapp.png
  waoutbox pair --cancel`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Phone != "" && png != "" {
				return usagef("--phone shows a code to type, --png one to scan: give one of them")
			}
			if cmd.Flags().Changed("phone") && in.Phone == "" || cmd.Flags().Changed("png") && png == "" {
				return usagef("--phone needs a number with its country code, --png a file name")
			}
			if cancel {
				if in.Phone != "" || png != "" {
					return usagef("--cancel ends the pairing that runs: give it without --phone and --png")
				}
				return e.cancelPairing(cmd.Context())
			}
			m := modeSpawn
			if e.named {
				m = modeSpawnExisting
			}
			return e.withStarted(cmd, m, func(ctx context.Context, svc api.Service) error {
				return pairOnTerminal(ctx, e, svc, in, png)
			})
		},
	}
	cmd.Flags().StringVar(&in.Phone, "phone", "", "show a code to type into the phone with this number (with its country code)")
	cmd.Flags().StringVar(&png, "png", "", "write each QR code to this image file, which is removed at the end")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "give up the pairing that runs")
	addSettingFlags(cmd)
	cmd.AddCommand(newPairPasskeyCmd(e), newPairConfirmCmd(e))
	return cmd
}

func newPairPasskeyCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "passkey [FILE]",
		Short: "Give the passkey's response that pairing waits for",
		Long: `Hands what the browser showed for the passkey to the pairing that runs, from FILE or from stdin (-).
On a terminal pair asks for it itself; this is for pair --json and for pairing by an agent.`,
		Example: `  waoutbox pair passkey response.json
  waoutbox pair passkey - < response.json`,
		Args: arguments(0, 1, "at most one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := e.readResponse(args)
			if err != nil {
				return err
			}
			return e.continuePairing(cmd.Context(), api.ContinuePairing{Passkey: text})
		},
	}
}

func newPairConfirmCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "Say that the phone shows the same code as pair",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.continuePairing(cmd.Context(), api.ContinuePairing{Confirm: true})
		},
	}
}

// readResponse reads the passkey's response from a file or stdin.
func (e *env) readResponse(args []string) (string, error) {
	from := e.stdin
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return "", usagef("the passkey's response cannot be read: %v", err)
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxResponseRead+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxResponseRead {
		return "", usagef("this is no passkey's response: it is longer than %d bytes", maxResponseRead)
	}
	if len(raw) == 0 {
		return "", usagef("the passkey's response is empty: give the text that the browser showed")
	}
	return string(raw), nil
}

// continuePairing gives the pairing that runs what it waits for, and says what follows.
func (e *env) continuePairing(ctx context.Context, in api.ContinuePairing) error {
	return e.withService(ctx, modeDaemon, func(svc api.Service) error {
		step, err := svc.ContinuePairing(ctx, in)
		if err != nil {
			return err
		}
		if e.json {
			e.printJSON(step)
			return nil
		}
		switch step.Step {
		case api.StepLinked:
			e.linked(ctx, svc, step)
		case api.StepConfirm:
			e.printf("The phone shows a code. Is it %s?\n", step.Code)
			e.next("waoutbox pair confirm")
		default:
			e.printf("Taken.\n")
			e.next("waoutbox status")
		}
		return nil
	})
}

// cancelPairing gives up the pairing that runs.
func (e *env) cancelPairing(ctx context.Context) error {
	return e.withService(ctx, modeDaemon, func(svc api.Service) error {
		step, err := svc.ContinuePairing(ctx, api.ContinuePairing{Cancel: true})
		if err != nil {
			return err
		}
		if e.json {
			e.printJSON(step)
			return nil
		}
		e.cancelled(ctx, svc, step)
		return nil
	})
}

// cancelled says how a pairing ended that somebody wanted to give up.
func (e *env) cancelled(ctx context.Context, link any, step api.PairStep) {
	if step.Step == api.StepLinked {
		e.printf("The phone was faster.\n")
		e.linked(ctx, link, step)
		return
	}
	e.printf("Pairing was given up: its codes are no longer valid, and no account is linked.\n")
	e.next("waoutbox pair")
}

// linked is the end of every pairing that succeeded: what follows depends on the webhooks that are
// there, where link knows of them.
func (e *env) linked(ctx context.Context, link any, step api.PairStep) {
	e.printf("Linked as %s.\n", person(step.Account, step.Name))
	svc, ok := link.(interface {
		Webhooks(ctx context.Context) ([]api.Webhook, error)
	})
	if !ok {
		e.next("waoutbox status")
		return
	}
	hooks, err := svc.Webhooks(ctx)
	switch {
	case err != nil:
		e.next("waoutbox status")
	case len(hooks) == 0:
		e.next("waoutbox webhook add http://localhost:5678/webhook/whatsapp")
	default:
		e.webhooksNext(hooks)
	}
}

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newPairCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pair",
		Short: "Link WhatsApp by scanning a QR code",
		Long: `Shows QR codes until one is scanned or the round is over (six codes, under three minutes), starting
the service if it does not run. With --json every step is one line: {"step":"qr","qr":…}, then
{"step":"linked","account":…}.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withStarted(cmd, func(ctx context.Context, svc api.Service) error {
				return pairOnTerminal(ctx, e, svc)
			})
		},
	}
	addSettingFlags(cmd)
	return cmd
}

// pairer is a pairing round: api.Service's, or the link's own in `serve`.
type pairer interface {
	Pair(ctx context.Context, step func(api.PairStep) error) error
}

// pairOnTerminal runs a pairing round and shows its codes on stdout.
func pairOnTerminal(ctx context.Context, e *env, link pairer) error {
	p := pairView{e: e}
	return link.Pair(ctx, p.step)
}

// pairView shows the steps of a pairing round, on a terminal each code in the place of the one before.
type pairView struct {
	e     *env
	drawn int // lines of the last code on the screen
}

// scanHint is what a person does with the code.
const scanHint = "On your phone: WhatsApp > Settings > Linked devices > Link a device, then scan:"

func (p *pairView) step(s api.PairStep) error {
	e := p.e
	if e.json {
		e.printJSON(s)
		return e.written.err
	}
	switch s.Step {
	case api.StepQR:
		return p.code(s)
	case api.StepLinked:
		p.erase()
		e.printf("Linked as %s.\n", person(s.Account, s.Name))
		e.next("waoutbox webhook add http://localhost:5678/webhook/whatsapp")
	}
	return e.written.err // StepFailed: the error that follows says it
}

// code draws one QR code, or says what else works when the terminal is too small for it.
func (p *pairView) code(s api.PairStep) error {
	e := p.e
	qr, err := term.DrawQR(s.QR, e.style)
	if err != nil {
		return err
	}
	p.erase()
	caption := ""
	if s.Of > 0 {
		caption = "code " + term.Count(int64(s.N)) + " of " + term.Count(int64(s.Of))
	}
	if left := time.Until(s.ExpiresAt); !s.ExpiresAt.IsZero() && left > 0 {
		caption += comma(caption) + "renews in " + strconv.Itoa(int(left.Round(time.Second)/time.Second)) + " s"
	}
	cols, rows := term.Size(e.stdout)
	need := len(qr.Lines) + 2
	if e.live && cols > 0 && (cols < qr.Cols || rows < need) {
		e.printf("The code needs %d columns and %d rows, this terminal has %d and %d. Make it larger, or its font smaller,\n"+
			"or let an agent show it (whatsapp_get_qr_code), or draw the text of: %s   %s\n", qr.Cols, need, cols, rows, e.command("pair --json"), caption)
		p.drawn = 2
		return e.written.err
	}
	e.printf("%s\n", scanHint)
	for _, line := range qr.Lines {
		e.printf("%s\n", line)
	}
	e.printf("%s\n", caption)
	p.drawn = need
	return e.written.err
}

// erase takes the last code off a terminal, so that only the valid one is on it.
func (p *pairView) erase() {
	if p.e.live && p.drawn > 0 {
		p.e.printf("\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
}

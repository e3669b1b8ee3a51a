package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// pairer runs a pairing session: api.Service's, or the link's own in `serve`.
type pairer interface {
	Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error
	ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error)
}

// pairOnTerminal runs a pairing session and shows its steps on stdout; png is where QR codes go
// besides, "" nowhere.
func pairOnTerminal(ctx context.Context, e *env, link pairer, in api.PairRequest, png string) (err error) {
	ended := ctx
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	p := &pairView{e: e, ctx: ctx, leave: leave, link: link, image: qrImage{path: png}, size: func() (int, int) { return term.Size(e.stdout) }}
	if png != "" {
		if err := p.image.claim(); err != nil {
			return err
		}
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer leave(nil)
	if e.live && !e.json {
		beside.Go(func() { term.WatchSize(ctx, e.stdout, p.redraw) })
	}
	defer func() {
		if rerr := p.image.remove(); err == nil {
			err = rerr
		}
	}()
	err = link.Pair(ctx, in, p.step)
	if err != nil && (ended.Err() != nil || errors.Is(context.Cause(ctx), errDifferent)) {
		p.giveUp()
	}
	if ended.Err() != nil && err != nil {
		return ended.Err()
	}
	if why := context.Cause(ctx); err != nil && why != nil && !errors.Is(why, context.Canceled) {
		return why // what a person said, or did not say
	}
	return err
}

// giveUpLimit is how long Ctrl-C waits for the end of the session.
const giveUpLimit = 5 * time.Second

// giveUp ends the session for everybody, and says so to a person. Where the service cannot be asked
// any more there is none.
func (p *pairView) giveUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), giveUpLimit)
	defer cancel()
	step, err := p.link.ContinuePairing(ctx, api.ContinuePairing{Cancel: true})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.last = api.PairStep{}
	switch {
	case err != nil || p.e.json:
	case step.Step == api.StepLinked, step.Error != nil && step.Error.Code == api.CodePairingCancelled:
		p.e.cancelled(ctx, p.link, step)
	}
}

// pairView shows the steps of a pairing session, on a terminal each code in the place of the one
// before.
type pairView struct {
	e     *env
	ctx   context.Context
	leave context.CancelCauseFunc // ends the view with an error
	link  pairer
	image qrImage
	size  func() (cols, rows int) // of the terminal, 0 and 0 elsewhere

	mu    sync.Mutex
	last  api.PairStep // what is on the screen; the zero step when it is not to be drawn anew
	drawn int          // rows it takes
}

// scanHint is what a person does with the code.
const scanHint = "On your phone: WhatsApp > Settings > Linked devices > Link a device, then scan:"

// step shows one step.
func (p *pairView) step(s api.PairStep) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.e
	if s.Step == api.StepQR && p.image.path != "" {
		if err := p.image.write(s.QR); err != nil {
			return err
		}
	}
	if e.json {
		e.printJSON(s)
		return e.written.err
	}
	p.erase()
	p.last = api.PairStep{}
	switch s.Step {
	case api.StepQR:
		p.last = s
		if err := p.draw(); err != nil {
			return err
		}
	case api.StepCode:
		e.printf("On your phone (+%s): WhatsApp > Settings > Linked devices > Link a device >\n"+
			"Link with phone number instead, then type:\n\n    %s\n\nValid until %s.\n", term.Clean(s.Phone), e.style.Bold(term.Clean(s.Code)), e.clock(s.ExpiresAt))
	case api.StepPasskey:
		p.showPasskey(s)
	case api.StepConfirm:
		p.showConfirm(s)
	case api.StepLinked:
		e.linked(p.ctx, p.link, s)
	}
	return e.written.err // StepFailed: the error that follows says it
}

// redraw draws the code for a window of another size.
func (p *pairView) redraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.Step == "" {
		return
	}
	// what the terminal made of the lines that are there, nobody knows
	p.e.printf("\x1b[2J\x1b[H")
	_ = p.draw() // it was drawn before
}

// draw draws the last QR code, or says what else works when the terminal is too small for it. The
// caller holds mu.
func (p *pairView) draw() error {
	e := p.e
	qr, err := term.DrawQR(p.last.QR, e.style)
	if err != nil {
		return err
	}
	lines := append([]string{scanHint}, qr.Lines...)
	cols, rows := p.size()
	need := len(qr.Lines) + 3 // hint, caption and the cursor's row
	if e.live && cols > 0 && (cols < qr.Cols || rows < need) {
		lines = []string{
			fmt.Sprintf("The code needs %d columns and %d rows, this window has %d and %d.", qr.Cols, need, cols, rows),
			"Make it larger or its font smaller, or stop (Ctrl-C) and take another way:",
			"  " + e.command("pair --phone NUMBER") + "   a code to type into the phone",
			"  " + e.command("pair --png FILE") + "       the code as an image",
		}
	}
	if p.image.path != "" {
		lines = append(lines, "The code is in "+p.image.path+" too, until pairing is over.")
	}
	lines = append(lines, p.caption())
	for _, line := range lines {
		e.printf("%s\n", line)
	}
	p.drawn = height(lines, cols, qr.Cols)
	return e.written.err
}

// height is how many rows lines take in a window of cols columns, 0 if that is unknown. Those of a
// code, which have colours, take one row each.
func height(lines []string, cols, code int) (rows int) {
	for _, line := range lines {
		n := len([]rune(line))
		if strings.HasPrefix(line, "\x1b") {
			n = code
		}
		rows++
		if cols > 0 && n > cols {
			rows += (n - 1) / cols
		}
	}
	return rows
}

// caption says which code it is and how long it lasts.
func (p *pairView) caption() string {
	caption := ""
	if p.last.Of > 0 {
		caption = "code " + term.Count(int64(p.last.N)) + " of " + term.Count(int64(p.last.Of))
	}
	if left := time.Until(p.last.ExpiresAt); !p.last.ExpiresAt.IsZero() && left > 0 {
		caption += comma(caption) + fmt.Sprintf("renews in %d s", int(left.Round(time.Second)/time.Second))
	}
	return caption
}

// erase takes the last code off a terminal, so that only the valid one is on it.
func (p *pairView) erase() {
	if p.e.live && p.drawn > 0 {
		p.e.printf("\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
}

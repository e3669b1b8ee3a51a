package connection

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// startLimit is how long pairing waits for a link that is just being started.
const startLimit = 2 * time.Second

// Pair starts a pairing round, or joins the one that runs, and calls step with every code (the present one at once) and with the
// end. It returns nil after StepLinked, StepFailed's error, or step's error, which leaves the round running for others, as does
// the end of ctx. A linked account answers already_linked, an unreachable server pairing_unavailable.
func (c *Client) Pair(ctx context.Context, step func(api.PairStep) error) error {
	select {
	case <-c.ready:
	case <-ctx.Done():
	case <-time.After(startLimit):
	}
	r, err := c.join()
	if err != nil {
		return err
	}
	seen := 0
	for {
		s, n, changed := r.latest()
		if n != seen {
			seen = n
			if err := step(s); err != nil {
				return err
			}
			switch s.Step {
			case api.StepLinked:
				return nil
			case api.StepFailed:
				return s.Error
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return api.Retryf(api.CodeTimeout, "pairing was left before the phone scanned a code (%v): the code stays valid until its time is over", ctx.Err())
		}
	}
}

// QR starts a pairing round if none runs and answers its present code, or why there is none.
func (c *Client) QR(ctx context.Context) (api.PairStep, error) {
	var code api.PairStep
	err := c.Pair(ctx, func(s api.PairStep) error {
		if s.Step == api.StepQR {
			code = s
			return errGotCode
		}
		return nil
	})
	switch {
	case err == errGotCode:
		return code, nil
	case err == nil: // scanned by somebody in this moment
		return api.PairStep{}, c.alreadyLinked()
	}
	return api.PairStep{}, err
}

// gotCode leaves Pair at the first code.
type gotCode struct{}

func (gotCode) Error() string { return "got a code" }

var errGotCode error = gotCode{}

func (c *Client) alreadyLinked() *api.Error {
	return api.Errorf(api.CodeAlreadyLinked, "an account is linked already (%s): unlink it on the phone first (Settings > Linked devices) to link another", c.status.read().Account)
}

// join answers the round that runs, or has one started.
func (c *Client) join() (*round, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		return nil, api.Retryf(api.CodePairingUnavail, "the WhatsApp link is not running: start the service and try again")
	}
	if c.round != nil && !c.round.ended() {
		return c.round, nil
	}
	if c.status.read().Account != "" {
		return nil, c.alreadyLinked()
	}
	c.round = newRound()
	select { // one that ended before it was picked up makes room
	case <-c.wanted:
	default:
	}
	c.wanted <- c.round
	return c.round, nil
}

// paired ends an open round whose code was scanned: the account is linked, whatever becomes of this connection.
func (c *Client) paired() {
	c.mu.Lock()
	r := c.round
	c.mu.Unlock()
	if r == nil || !r.wasScanned() {
		return
	}
	link := c.status.read()
	r.publish(api.PairStep{Step: api.StepLinked, Account: link.Account, Name: link.Name})
}

func (c *Client) failRound(err *api.Error) {
	c.mu.Lock()
	r := c.round
	c.mu.Unlock()
	if r != nil {
		r.fail(err)
	}
}

// unlinked waits until a pairing round links an account and answers its session, nil when ctx ended first. Until the server was
// reached once it tries to, so that the state tells of a wrong address before anybody has the phone in hand.
func (c *Client) unlinked(ctx context.Context, s *session) *session {
	c.in.hush(true)
	c.status.set(api.LinkUnlinked, c.status.read().Reason)
	retry := c.pace.reconnect()
	probe := time.NewTimer(0)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-c.wanted:
			if r.ended() {
				continue
			}
			linked, err := c.pairing(ctx, s, r)
			if linked {
				return s
			}
			if ctx.Err() != nil {
				return nil
			}
			c.in.hush(true)
			s = c.open(s.ctx, s.dev) // so that nothing left over from this round reaches the next
			if err != nil {
				probe.Reset(retry.NextBackOff())
			}
		case <-probe.C:
			if !c.probe(ctx, s) {
				probe.Reset(retry.NextBackOff())
			}
		}
	}
}

// probe connects without an account, once, and says in the state what came of it. It reports whether the server was reached.
func (c *Client) probe(ctx context.Context, s *session) bool {
	p := c.bare(s.ctx, s.dev) // nobody listens: its QR codes are not for showing
	err := p.connect(ctx)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		if reason := c.cannotReach(err); c.status.read().Reason != reason {
			c.status.because(reason)
			c.log.Warn("connecting failed: trying again", "error", err)
		}
		return false
	}
	p.disconnect()
	if strings.Contains(c.status.read().Reason, "cannot be reached") {
		c.status.because("")
	}
	return true
}

// pairing runs one round: connect, show the codes in their time, end. err tells that the server could not be reached.
func (c *Client) pairing(ctx context.Context, s *session, r *round) (linked bool, err error) {
	c.in.hush(false)
	c.status.set(api.LinkPairing, "")
	c.in.enter(c.tr.Connecting())
	if err := s.connect(ctx); err != nil {
		if ctx.Err() != nil {
			return false, nil // stop fails the round
		}
		reason := c.cannotReach(err)
		c.log.Warn("pairing failed: no connection", "error", err)
		c.status.set(api.LinkUnlinked, reason)
		r.fail(api.Retryf(api.CodePairingUnavail, "%s. Check the network, then pair again", reason))
		return false, err
	}
	p := pairing{c: c, s: s, r: r, timer: time.NewTimer(c.pace.firstCode)}
	defer p.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-p.timer.C:
			if p.next() {
				continue
			}
			return false, nil
		case <-s.mail.ready:
			if evt, ok := s.mail.next(); ok {
				if linked, over := p.heard(evt); over {
					return linked, nil // what follows is the login's
				}
			}
		}
	}
}

// pairing is the round that runs on one connection.
type pairing struct {
	c     *Client
	s     *session
	r     *round
	timer *time.Timer // the present code's end
	codes []string
	shown int // number of the present code, from 1; 0 before the first
	until time.Time
}

// show makes the present code known, to the outbox first.
func (p *pairing) show() {
	code := p.codes[p.shown-1]
	if ev, changed := p.c.tr.QRCode(code); changed {
		p.c.in.enter(ev)
	}
	p.r.publish(api.PairStep{Step: api.StepQR, QR: code, N: p.shown, Of: len(p.codes), ExpiresAt: p.until.UTC().Truncate(time.Millisecond)})
}

// next shows the next code, or ends the round when there is none; then it reports false.
func (p *pairing) next() bool {
	if p.shown == len(p.codes) {
		if p.shown == 0 {
			p.end(api.Retryf(api.CodePairingUnavail, "WhatsApp sent no code to scan: try again later"))
			return false
		}
		p.c.in.enter(p.c.tr.PairingTimeout())
		p.end(api.Retryf(api.CodeTimeout, "nobody scanned one of the %d codes in time: pair again", len(p.codes)))
		return false
	}
	d := p.c.pace.code[min(p.shown, 1)]
	p.shown++
	p.timer.Reset(d)
	p.until = p.c.now().Add(d)
	p.show()
	return true
}

// end closes the round without an account.
func (p *pairing) end(err *api.Error) {
	p.s.disconnect()
	p.c.status.set(api.LinkUnlinked, "")
	p.c.log.Warn("pairing ended without an account", "reason", err.Message)
	p.r.fail(err)
}

// heard reacts to one event of the library; over tells that the round's part is done.
func (p *pairing) heard(evt any) (linked, over bool) {
	switch e := evt.(type) {
	case *events.QR:
		if len(e.Codes) > 0 {
			p.codes, p.shown = e.Codes, 0
			p.next()
		}
	case *events.RotateADVSecret: // the codes on show are worth nothing any more
		for i, code := range p.codes {
			p.codes[i] = strings.Replace(code, e.OldSecret, e.NewSecret, 1)
		}
		if p.shown > 0 {
			p.show()
		}
	case *events.ManualLoginReconnect: // may overtake PairSuccess
		p.s.relogin = true
	case *events.PairSuccess:
		p.s.paired = true
		p.c.log.Info("linked")
		p.c.alarms.clear(alarmLoggedOut)
		p.c.status.set(api.LinkConnecting, "")
		p.r.scan(p.c.pace.linked, p.c.paired)
		return true, true
	case *events.PairError:
		p.end(api.Retryf(api.CodePairingUnavail, "linking failed (%s): pair again", masked(e.Error.Error())))
		return false, true
	case *events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError:
		p.end(api.Errorf(api.CodePairingUnavail, "WhatsApp asks for the account's passkey, which this version cannot answer: turn the passkey off on the phone (Settings > Account > Passkeys), then pair again"))
		return false, true
	case *events.Disconnected:
		if p.s.cli.IsConnected() { // of the connection before this one
			return false, false
		}
		p.end(api.Retryf(api.CodePairingUnavail, "WhatsApp ended the connection while pairing: pair again"))
		return false, true
	case *events.ClientOutdated:
		p.c.alarms.raise(alarmOutdated, "WhatsApp no longer accepts this version of the client (405). Update waoutbox.")
		p.end(api.Errorf(api.CodePairingUnavail, "WhatsApp no longer accepts this version of the client (405): update waoutbox"))
		return false, true
	case *events.TemporaryBan:
		p.end(api.Retryf(api.CodePairingUnavail, "WhatsApp refuses to link for a while (%s): wait, then pair again", e.Code))
		return false, true
	case *events.LoggedOut:
		p.end(api.Retryf(api.CodePairingUnavail, "WhatsApp refused the connection (%d): pair again later", int(e.Reason)))
		return false, true
	case *events.ConnectFailure:
		p.end(api.Retryf(api.CodePairingUnavail, "WhatsApp refused the connection (%s): pair again later", fmt.Sprint(int(e.Reason))))
		return false, true
	}
	return false, false
}

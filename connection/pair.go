package connection

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/pairing"
	"waoutbox/outbox/api"
)

// startLimit is how long pairing waits for a link that is just being started.
const startLimit = 2 * time.Second

// Pair starts a pairing session, or joins the one that runs, and calls step with what there is to
// show (the present code at once) and with the end. It returns nil after StepLinked, StepFailed's
// error, or step's error, which leaves the session running for others, as does the end of ctx. With
// a linked account the error's code is already_linked, with an unreachable server
// pairing_unavailable, with a number WhatsApp makes no code for invalid_phone or rate_limited.
func (c *Client) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	phone := ""
	if in.Phone != "" {
		var err error
		if phone, err = pairing.ParsePhone(in.Phone); err != nil {
			return err
		}
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
	case <-time.After(startLimit):
	}
	p, err := c.joinPairing()
	if err != nil {
		return err
	}
	return p.Follow(ctx, phone, step)
}

// PairNow starts a pairing session if none runs and returns what it shows now, or why there is
// nothing.
func (c *Client) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	var now api.PairStep
	err := c.Pair(ctx, in, func(s api.PairStep) error {
		if s.Step == api.StepLinked || s.Step == api.StepFailed {
			return nil
		}
		now = s
		return errShown
	})
	switch {
	case errors.Is(err, errShown):
		return now, nil
	case err == nil: // linked by somebody in this moment
		return api.PairStep{}, c.alreadyLinked()
	}
	return api.PairStep{}, err
}

// shown leaves Pair at the first step.
type shown struct{}

func (shown) Error() string { return "shown" }

var errShown error = shown{}

// ContinuePairing gives the pairing session that runs what it waits for: the passkey's response, or
// the word of a person that the codes are the same; or it cancels the session. It returns the step
// that follows.
func (c *Client) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	c.mu.Lock()
	p := c.pairing
	c.mu.Unlock()
	if p == nil || p.Ended() {
		return api.PairStep{}, api.Errorf(api.CodeNotWaiting, "no pairing is under way: start one with waoutbox pair")
	}
	return p.Continue(ctx, in)
}

func (c *Client) alreadyLinked() *api.Error {
	who := c.status.read().Account
	if number, isNumber := strings.CutSuffix(who, "@"+types.DefaultUserServer); isNumber {
		who = "+" + number
	}
	return api.Errorf(api.CodeAlreadyLinked, "an account is linked already (%s): log it out first (waoutbox unpair) to link another", who)
}

// joinPairing returns the session that runs, or has one started.
func (c *Client) joinPairing() (*pairing.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		return nil, c.notRunning(api.CodePairingUnavail)
	}
	if c.pairing != nil && !c.pairing.Ended() {
		return c.pairing, nil
	}
	if c.status.read().Account != "" {
		return nil, c.alreadyLinked()
	}
	c.pairing = pairing.NewSession(c.now)
	select { // one that ended before it was picked up makes room
	case <-c.pairings:
	default:
	}
	c.pairings <- c.pairing
	return c.pairing, nil
}

// reportLinked ends an open session whose account is linked, whatever becomes of this connection.
func (c *Client) reportLinked() {
	c.mu.Lock()
	p := c.pairing
	c.mu.Unlock()
	if p == nil || !p.WasScanned() {
		return
	}
	link := c.status.read()
	p.Publish(api.PairStep{Step: api.StepLinked, Account: link.Account, Name: link.Name})
}

func (c *Client) failPairing(err *api.Error) {
	c.mu.Lock()
	p := c.pairing
	c.mu.Unlock()
	if p != nil {
		p.Fail(err)
	}
}

// waitForPairing waits until a pairing links an account and returns the client that did, nil when
// ctx ended first. Until the server was reached once it tries to, so that the state tells of a
// wrong address before anybody has the phone in hand. Each session has a device of its own: of one
// whose pairing failed the library may have kept the account, in memory or in the store, and it
// cannot be paired again.
func (c *Client) waitForPairing(ctx context.Context, s *session) *session {
	c.in.setMuted(true)
	c.status.set(api.LinkUnlinked, c.status.read().Reason)
	retry := c.timings.reconnect()
	probe := time.NewTimer(0)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-c.pairings:
			if p.Ended() {
				continue
			}
			linked, err := c.runPairing(ctx, s, p)
			if linked {
				return s
			}
			if ctx.Err() != nil {
				return nil
			}
			c.in.setMuted(true)
			if s = c.startOver(ctx); s == nil {
				return nil
			}
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

// pairingCancelled tells receivers that the code they were given is no longer valid.
func (c *Client) pairingCancelled() { c.in.appendOwn(c.tr.PairingCancelled()) }

// probe connects without an account, once, and says in the state what came of it. It reports
// whether the server was reached.
func (c *Client) probe(ctx context.Context, s *session) bool {
	probe := c.newSession(c.link, s.dev) // without a handler: its QR codes are not for showing
	err := probe.connect(ctx)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		if reason := c.cannotReach(err); c.status.read().Reason != reason {
			c.status.setReason(reason)
			c.log.Warn("connecting failed: trying again", "error", err)
		}
		return false
	}
	probe.disconnect()
	if strings.Contains(c.status.read().Reason, "cannot be reached") {
		c.status.setReason("")
	}
	return true
}

// runPairing runs one pairing session: connect, show the codes in their time, end. err tells that
// the server could not be reached.
func (c *Client) runPairing(ctx context.Context, s *session, shared *pairing.Session) (linked bool, err error) {
	c.in.setMuted(false)
	c.status.set(api.LinkPairing, "")
	c.in.appendOwn(c.tr.Connecting())
	trying, end := context.WithCancel(ctx)
	go func() {
		select {
		case <-shared.Cancelled():
			end()
		case <-trying.Done():
		}
	}()
	err = s.connect(trying)
	cancelled := trying.Err() != nil
	end()
	if err != nil {
		if ctx.Err() != nil {
			return false, nil // stop fails the session
		}
		if cancelled {
			c.pairingCancelled()
			c.status.set(api.LinkUnlinked, "")
			shared.Fail(pairing.Cancelled())
			return false, nil
		}
		reason := c.cannotReach(err)
		c.log.Warn("pairing failed: no connection", "error", err)
		c.status.set(api.LinkUnlinked, reason)
		shared.Fail(api.Retryf(api.CodePairingUnavail, "%s. Check the network, then pair again", reason))
		return false, err
	}
	s.cli.PrePairCallback = func(types.JID, string, string) bool { return shared.Storing() }
	run := pairing.Run{
		Session: shared, Library: s.cli, Events: s.events, Timings: c.timings.pairing, Now: c.now, Log: c.log,
		ShowQR: func(code string) {
			if ev, changed := c.tr.QRCode(code); changed {
				c.in.appendOwn(ev)
			}
		},
		TimedOut: func() { c.in.appendOwn(c.tr.PairingTimeout()) },
		GivenUp:  c.pairingCancelled,
		Tell:     c.status.setReason,
		Outdated: func() *api.Error {
			renewed, _, result := c.outdated(s.life.ctx)
			if renewed {
				return api.Retryf(api.CodePairingUnavail, "%s: pair again", result)
			}
			return api.Errorf(api.CodePairingUnavail, "%s: update waoutbox, or pair again then", result)
		},
		Scanned: func() {
			c.log.Info("linked")
			c.alarms.clear(alarmLoggedOut)
			c.status.set(api.LinkConnecting, "")
			shared.MarkScanned(c.timings.reportLinked, c.reportLinked)
		},
	}
	linked, failed := run.Run(ctx)
	if linked {
		s.paired, s.loginAsked = true, true
		return true, nil
	}
	s.disconnect()
	if failed != nil {
		c.status.set(api.LinkUnlinked, "")
		c.log.Warn("pairing ended without an account", "reason", failed.Message)
		shared.Fail(failed)
	}
	return false, nil
}

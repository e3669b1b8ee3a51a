package pairing

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// Session is one attempt to link an account as everybody who waits for it sees it. Safe for
// concurrent use.
type Session struct {
	now  func() time.Time
	asks chan ask      // what callers want of Run
	done chan struct{} // closed at the end

	cancelled chan struct{} // closed by Cancel

	mu      sync.Mutex
	steps   []api.PairStep // all so far, oldest first
	changed chan struct{}  // closed at the next step
	storing bool           // the library writes down the account
	closing bool           // too late for that
	cancels bool           // Cancel was called
	scanned bool           // WhatsApp has linked the account: what is left is the login
	over    bool
	timer   *time.Timer // reports a linked account whose login takes long
}

// ask is one wish of a caller; exactly one of its first three fields is set. Run sends one reply.
type ask struct {
	phone    string // a code for this number
	response *types.WebAuthnResponse
	confirm  bool // the code on the phone is the one shown
	reply    chan error
}

// NewSession makes a session that nobody runs yet.
func NewSession(now func() time.Time) *Session {
	return &Session{now: now, asks: make(chan ask), done: make(chan struct{}), cancelled: make(chan struct{}), changed: make(chan struct{})}
}

// Publish shows a step to everybody. After an end nothing follows.
func (p *Session) Publish(step api.PairStep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.steps = append(p.steps, step)
	if p.over = step.Step == api.StepLinked || step.Step == api.StepFailed; p.over {
		close(p.done)
		if p.timer != nil {
			p.timer.Stop()
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// Fail ends the session without an account.
func (p *Session) Fail(err *api.Error) { p.Publish(api.PairStep{Step: api.StepFailed, Error: err}) }

// Cancel has Run end the session for everybody and returns its last step: StepFailed, or StepLinked
// when the phone was faster. The error is that of ctx.
func (p *Session) Cancel(ctx context.Context) (api.PairStep, error) {
	p.mu.Lock()
	if !p.cancels {
		p.cancels = true
		close(p.cancelled)
	}
	p.mu.Unlock()
	select {
	case <-p.done:
		return p.waits(), nil
	case <-ctx.Done():
		return api.PairStep{}, left(ctx)
	}
}

// Cancelled is closed once somebody wants the session ended.
func (p *Session) Cancelled() <-chan struct{} { return p.cancelled }

// Ended reports whether the session is over.
func (p *Session) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// Storing notes that the library is about to write down the account: the session then ends with
// what comes of it. It returns false when the session is over, and the account is to be refused.
func (p *Session) Storing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.closing {
		return false
	}
	p.storing = true
	return true
}

// stop keeps the library from writing down an account from now on; false when it has begun.
func (p *Session) stop() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = !p.storing
	return p.closing
}

// MarkScanned notes that the account is linked, and has done called when the login takes longer
// than limit.
func (p *Session) MarkScanned(limit time.Duration, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scanned = true
	if !p.over {
		p.timer = time.AfterFunc(limit, done)
	}
}

// WasScanned reports whether MarkScanned was called.
func (p *Session) WasScanned() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scanned
}

// Follow calls step with what there is to show now and with all that follows, up to the end: the
// codes to scan or, with a phone number, the code to type; the passkey's steps; the end. It returns
// nil after StepLinked, StepFailed's error, or step's. The end of ctx, and step's error, leave the
// session running for others. With a number it asks WhatsApp for a code unless one is valid.
func (p *Session) Follow(ctx context.Context, phone string, step func(api.PairStep) error) error {
	if phone != "" && !p.codeIsValid(phone) {
		if err := p.request(ctx, ask{phone: phone}); err != nil {
			return err
		}
	}
	seen := 0
	for {
		latest, n, changed := p.next(seen, phone)
		seen = n
		if latest == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return left(ctx)
			}
		}
		if latest.Step == api.StepCode && latest.Phone != phone {
			return api.Retryf(api.CodePairingUnavail, "a code for another number (+%s) was asked for meanwhile, so the one for +%s is no longer valid: pair again", latest.Phone, phone)
		}
		if err := step(*latest); err != nil {
			return err
		}
		switch latest.Step {
		case api.StepLinked:
			return nil
		case api.StepFailed:
			return latest.Error
		}
	}
}

func left(ctx context.Context) error {
	return api.Retryf(api.CodeTimeout, "pairing was left before the account was linked (%v): the code stays valid until its time is over", ctx.Err())
}

// next returns the newest step after the first seen ones that is for a caller who gave phone, nil
// when there is none, how many there are, and what is closed at the next.
func (p *Session) next(seen int, phone string) (*api.PairStep, int, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.steps) - 1; i >= seen; i-- {
		s := p.steps[i]
		if s.Step == api.StepQR && phone != "" || s.Step == api.StepCode && phone == "" {
			continue
		}
		return &s, len(p.steps), p.changed
	}
	return nil, len(p.steps), p.changed
}

// codeIsValid reports whether the code for phone that was shown last can still be typed, or pairing
// is past codes.
func (p *Session) codeIsValid(phone string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.steps) - 1; i >= 0; i-- {
		switch s := p.steps[i]; s.Step {
		case api.StepQR:
		case api.StepCode:
			return s.Phone == phone && p.now().Before(s.ExpiresAt)
		default:
			return true
		}
	}
	return false
}

// waits returns the step that waits for a person now, which Publish showed last.
func (p *Session) waits() api.PairStep {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.steps) == 0 {
		return api.PairStep{}
	}
	return p.steps[len(p.steps)-1]
}

// Continue cancels the session, or gives it what it waits for, the passkey's response or the
// confirmation of the code on the phone, and returns the step that follows, which may take as long
// as a person needs at the phone. Where the session does not wait for it the error's code is
// not_waiting.
func (p *Session) Continue(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	waits := p.waits()
	a := ask{confirm: in.Confirm}
	switch {
	case in.Cancel && (in.Confirm || in.Passkey != ""), !in.Cancel && in.Confirm == (in.Passkey != ""):
		return api.PairStep{}, api.Errorf(api.CodeInvalidArguments, "give exactly one of passkey (the response that the browser showed), confirm and cancel").In("passkey")
	case in.Cancel:
		return p.Cancel(ctx)
	case !in.Confirm && waits.Step != api.StepPasskey:
		return api.PairStep{}, api.Errorf(api.CodeNotWaiting, "WhatsApp does not ask for a passkey now: pair first, the passkey is asked for once the phone has scanned the code")
	case in.Confirm && waits.Step != api.StepConfirm:
		return api.PairStep{}, api.Errorf(api.CodeNotWaiting, "there is no code to confirm now: pair first")
	case !in.Confirm:
		var err error
		if a.response, err = readResponse(in.Passkey, waits.Passkey.Request); err != nil {
			return api.PairStep{}, err
		}
	}
	p.mu.Lock()
	seen := len(p.steps)
	p.mu.Unlock()
	if err := p.request(ctx, a); err != nil {
		return api.PairStep{}, err
	}
	for {
		step, _, changed := p.next(seen, "")
		if step != nil {
			if step.Step == api.StepFailed {
				return api.PairStep{}, step.Error
			}
			return *step, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return api.PairStep{}, left(ctx)
		}
	}
}

// request hands a wish to Run and returns its reply; nil when the session is over first, which its
// steps tell.
func (p *Session) request(ctx context.Context, a ask) error {
	a.reply = make(chan error, 1)
	select {
	case p.asks <- a:
	case <-p.done:
		return nil
	case <-ctx.Done():
		return left(ctx)
	}
	select {
	case err := <-a.reply:
		return err
	case <-p.done:
		return nil
	case <-ctx.Done():
		return left(ctx)
	}
}

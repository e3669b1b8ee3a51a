package pairing

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// Library is what a session needs of the WhatsApp library's client, which is connected and has no
// account.
type Library interface {
	PairPhone(ctx context.Context, phone string, push bool, kind whatsmeow.PairClientType, name string) (string, error)
	SendPasskeyResponse(ctx context.Context, response *types.WebAuthnResponse) error
	SendPasskeyConfirmation(ctx context.Context) error
	IsConnected() bool
}

// Events are the library's, in order.
type Events interface {
	// Ready has a value while there may be events.
	Ready() <-chan struct{}
	// Next takes the oldest one; false if there is none.
	Next() (any, bool)
}

// Timings are the waits of a session.
type Timings struct {
	FirstCode time.Duration // from the websocket to the first QR code
	// how long the first code is shown, and each other one: as WhatsApp's own clients do
	CodeShown [2]time.Duration
	Passkey   time.Duration // for the passkey's response, where WhatsApp names no time
	Confirm   time.Duration // for a person to compare the codes
	Reply     time.Duration // for WhatsApp, or the phone, to go on with what it was given
	Login     time.Duration // from the link to the server's wish that the client logs in
}

// DefaultTimings are those of a session with WhatsApp.
func DefaultTimings() Timings {
	return Timings{
		FirstCode: 30 * time.Second, CodeShown: [2]time.Duration{time.Minute, 20 * time.Second},
		Passkey: 10 * time.Minute, Confirm: 2 * time.Minute, Reply: time.Minute, Login: 5 * time.Second,
	}
}

// Run is a session on one connection.
type Run struct {
	Session *Session
	Library Library
	Events  Events
	Timings Timings
	Now     func() time.Time
	Log     *slog.Logger

	ShowQR   func(code string) // makes a code known besides the session
	TimedOut func()            // called when nobody scanned in time
	GivenUp  func()            // called when somebody cancelled the session
	Scanned  func()            // called once the account is linked
	Tell     func(wait string) // says what the session waits for, "" for a phone
	// Outdated is called when WhatsApp refuses this version of its client, and returns what to do.
	Outdated func() *api.Error

	timer   *time.Timer // the end of what is waited for now
	phase   phase
	final   bool // the error stands, whatever the library is at
	login   bool // the server has asked for the login, which may overtake PairSuccess
	codes   []string
	shown   int       // number of the present code, from 1; 0 before the first
	until   time.Time // when what is waited for now is over
	held    *ask      // a wish for a code, until the server is ready for it
	busy    bool      // the library works at a wish
	results chan result
}

// phase is what a session waits for.
type phase int

const (
	phaseCodes   phase = iota // the phone
	phasePasskey              // the passkey's response
	phasePrimary              // the phone, after the passkey
	phaseConfirm              // a person who compares the codes
	phaseFinish               // WhatsApp, to link the account
	phaseLinked               // the server's wish that the client logs in
)

// result is what became of a wish.
type result struct {
	ask  ask
	code string
	err  error
}

// Run runs the session up to its end. linked tells that an account is linked, and the login is what
// follows; err why not. Neither is set when ctx ended first.
func (r *Run) Run(ctx context.Context) (linked bool, err *api.Error) {
	r.timer = time.NewTimer(r.Timings.FirstCode)
	defer r.timer.Stop()
	r.results = make(chan result, 4) // so that nothing blocks on a session that is over
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of what the library works at
	cancelled := r.Session.Cancelled()
	for {
		asks := r.Session.asks
		if r.busy || r.held != nil {
			asks = nil
		}
		var over bool
		select {
		case <-ctx.Done():
			return false, nil
		case <-cancelled:
			cancelled = nil
			if r.phase != phaseLinked { // then it is too late
				over, err = true, Cancelled()
			}
		case <-r.timer.C:
			linked, over, err = r.timeIsUp()
		case a := <-asks:
			r.take(ctx, a)
		case done := <-r.results:
			r.busy = false
			err = r.onResult(done)
			over = err != nil
		case <-r.Events.Ready():
			if evt, ok := r.Events.Next(); ok {
				linked, over, err = r.onEvent(ctx, evt)
			}
		}
		if err != nil && !r.final && !r.Session.stop() {
			// The library is writing the account down: only what comes of that counts.
			over, err = false, nil
			r.wait(phaseFinish, r.Timings.Reply)
		}
		if over {
			if err != nil && err.Code == api.CodePairingCancelled {
				r.GivenUp()
			}
			return linked, err
		}
	}
}

// timeIsUp is called when what is waited for did not come.
func (r *Run) timeIsUp() (linked, over bool, err *api.Error) {
	switch r.phase {
	case phaseLinked: // the login is due all the same
		return true, true, nil
	case phasePasskey:
		return false, true, api.Retryf(api.CodeTimeout, "nobody gave the passkey's response in time: pair again")
	case phaseConfirm:
		return false, true, api.Retryf(api.CodeTimeout, "nobody confirmed the code in time: pair again")
	case phaseFinish:
		r.final = true
		return false, true, notFinished()
	case phasePrimary:
		return false, true, notFinished()
	case phaseCodes:
	}
	err = r.nextCode()
	return false, err != nil, err
}

// wait sets how long the next thing may take.
func (r *Run) wait(next phase, d time.Duration) {
	r.phase = next
	r.timer.Reset(d)
	r.until = r.Now().Add(d)
}

func (r *Run) expires() time.Time { return r.until.UTC().Truncate(time.Millisecond) }

// showCode makes the present code known, to receivers of events first.
func (r *Run) showCode() {
	code := r.codes[r.shown-1]
	r.ShowQR(code)
	r.Session.Publish(api.PairStep{Step: api.StepQR, QR: code, N: r.shown, Of: len(r.codes), ExpiresAt: r.expires()})
}

// nextCode shows the next code; when there is none it returns why the session ends.
func (r *Run) nextCode() *api.Error {
	if r.shown == len(r.codes) {
		if r.shown == 0 {
			return api.Retryf(api.CodePairingUnavail, "WhatsApp sent no code to scan: try again later")
		}
		r.TimedOut()
		return api.Retryf(api.CodeTimeout, "nobody scanned one of the %d codes in time: pair again", len(r.codes))
	}
	d := r.Timings.CodeShown[min(r.shown, 1)]
	r.shown++
	r.wait(phaseCodes, d)
	r.showCode()
	return nil
}

// codesEnd is when the last QR code is no longer shown; the server ends the connection then, and a
// code for a number with it.
func (r *Run) codesEnd() time.Time {
	return r.until.Add(time.Duration(len(r.codes)-r.shown) * r.Timings.CodeShown[1]).UTC().Truncate(time.Millisecond)
}

// onEvent reacts to one event of the library.
func (r *Run) onEvent(ctx context.Context, evt any) (linked, over bool, err *api.Error) {
	switch e := evt.(type) {
	case *events.QR:
		if len(e.Codes) > 0 && r.phase == phaseCodes {
			r.codes, r.shown = e.Codes, 0
			err = r.nextCode()
			if held := r.held; held != nil {
				r.held = nil
				r.take(ctx, *held)
			}
		}
	case *events.RotateADVSecret: // the codes on show are worth nothing any more
		for i, code := range r.codes {
			r.codes[i] = strings.Replace(code, e.OldSecret, e.NewSecret, 1)
		}
		if r.shown > 0 && r.phase == phaseCodes {
			r.showCode()
		}
	case *events.QRScannedWithoutMultidevice:
		r.Log.Warn("the phone that scanned cannot link devices")
		r.Tell("the phone that scanned cannot link devices: update WhatsApp on it, then scan again")
	case *events.PairPasskeyRequest:
		err = r.onPasskey(e)
	case *events.PairPasskeyConfirmation:
		r.onConfirmation(ctx, e)
	case *events.ManualLoginReconnect:
		if r.phase == phaseLinked {
			return true, true, nil
		}
		r.login = true
		r.wait(phaseFinish, r.Timings.Reply)
	case *events.PairSuccess:
		r.wait(phaseLinked, r.Timings.Login)
		r.Scanned()
		return r.login, r.login, nil
	case *events.Disconnected:
		if r.Library.IsConnected() || r.phase == phaseLinked {
			return false, false, nil // of the connection before this one, or expected
		}
		err = disconnected(r.phase)
	case *events.PairError:
		r.final = true
		err = pairError(e.Error)
	case *events.PairPasskeyError:
		err = passkeyError(e.Error)
	case *events.ClientOutdated:
		err = r.Outdated()
	case *events.TemporaryBan:
		err = api.Retryf(api.CodePairingUnavail, "WhatsApp refuses to link for a while (%s): wait, then pair again", e.Code)
	case *events.LoggedOut:
		err = refused(e.Reason)
	case *events.ConnectFailure:
		err = refused(e.Reason)
	}
	if err != nil && r.phase == phaseLinked {
		return true, true, nil // the login tells
	}
	return false, err != nil, err
}

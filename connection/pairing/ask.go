package pairing

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// take starts what a caller asks for. The library waits for the server's response meanwhile, and
// what it needs for that are the events this session handles: so it works beside it.
func (r *Run) take(ctx context.Context, a ask) {
	var call func() (string, error)
	switch {
	case a.phone != "" && r.phase != phaseCodes: // past codes: the session's steps tell
		a.reply <- nil
		return
	case a.phone != "" && r.shown == 0:
		r.held = &a // WhatsApp takes it once it has sent its QR codes
		return
	case a.phone != "":
		call = func() (string, error) {
			return r.Library.PairPhone(ctx, a.phone, true, whatsmeow.PairClientChrome, shownAs())
		}
	case a.response != nil && r.phase == phasePasskey:
		call = func() (string, error) { return "", r.Library.SendPasskeyResponse(ctx, a.response) }
	case a.confirm && r.phase == phaseConfirm:
		call = func() (string, error) { return "", r.Library.SendPasskeyConfirmation(ctx) }
	default:
		a.reply <- api.Errorf(api.CodeNotWaiting, "WhatsApp does not wait for this any more: see what the session shows now")
		return
	}
	r.busy = true
	go func() {
		done := result{ask: a}
		done.err = r.contained(func() (err error) {
			done.code, err = call()
			return err
		})
		r.results <- done
	}()
}

// contained runs what the library does for a wish. A panic in it is its error.
func (r *Run) contained(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("pairing panicked", "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			err = errors.New("something went wrong inside waoutbox; the log has more")
		}
	}()
	return call()
}

// shownAs is what the phone's notification calls this device. WhatsApp takes known browsers and
// systems only.
func shownAs() string {
	switch runtime.GOOS {
	case "darwin":
		return "Chrome (Mac OS)"
	case "windows":
		return "Chrome (Windows)"
	}
	return "Chrome (Linux)"
}

// onResult tells the caller what became of its wish. An error ends the session.
func (r *Run) onResult(done result) *api.Error {
	a := done.ask
	switch {
	case a.phone != "":
		if done.err != nil {
			a.reply <- codeError(a.phone, done.err)
			return nil // QR codes still work
		}
		r.Session.Publish(api.PairStep{Step: api.StepCode, Phone: a.phone, Code: done.code, ExpiresAt: r.codesEnd()})
		a.reply <- nil
	case a.response != nil:
		if done.err != nil {
			a.reply <- responseError(done.err)
			return nil // another response may be taken
		}
		if r.phase == phasePasskey { // the phone may have been faster
			r.wait(phasePrimary, r.Timings.Passkey)
		}
		a.reply <- nil
	default:
		if done.err != nil {
			err := confirmError(done.err)
			if a.reply != nil {
				a.reply <- err
			}
			return err
		}
		if a.reply != nil {
			a.reply <- nil
		}
		r.wait(phaseFinish, r.Timings.Reply)
	}
	return nil
}

// onPasskey shows what the passkey has to sign. The codes are worth nothing from now on.
func (r *Run) onPasskey(e *events.PairPasskeyRequest) *api.Error {
	passkey, err := passkeyStep(e.PublicKey)
	if err != nil {
		return passkeyError(err)
	}
	d := r.Timings.Passkey
	if asked := time.Duration(e.PublicKey.Timeout) * time.Millisecond; asked > 0 {
		d = min(d, asked)
	}
	r.wait(phasePasskey, d)
	r.Tell("WhatsApp asks for the account's passkey. How to give it is shown by: waoutbox pair")
	r.Session.Publish(api.PairStep{Step: api.StepPasskey, Passkey: passkey, ExpiresAt: r.expires()})
	return nil
}

// onConfirmation has the codes on both sides compared, unless the phone has seen this client's code
// before, which proves as much.
func (r *Run) onConfirmation(ctx context.Context, e *events.PairPasskeyConfirmation) {
	if e.SkipHandoffUX {
		r.wait(phaseFinish, r.Timings.Reply)
		r.busy = true
		go func() {
			r.results <- result{ask: ask{confirm: true}, err: r.contained(func() error { return r.Library.SendPasskeyConfirmation(ctx) })}
		}()
		return
	}
	r.wait(phaseConfirm, r.Timings.Confirm)
	r.Tell("the phone shows a code to compare. The other one is shown by: waoutbox pair")
	r.Session.Publish(api.PairStep{Step: api.StepConfirm, Code: e.Code, ExpiresAt: r.expires()})
}

package pairing

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// library does what a test says.
type library struct {
	mu        sync.Mutex
	code      string
	err       error
	calls     []string
	connected bool
	panics    bool
}

func (l *library) called(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, what)
	if l.panics {
		panic("bug")
	}
	return l.err
}

func (l *library) PairPhone(_ context.Context, phone string, _ bool, _ whatsmeow.PairClientType, _ string) (string, error) {
	return l.code, l.called("code for " + phone)
}

func (l *library) SendPasskeyResponse(context.Context, *types.WebAuthnResponse) error {
	return l.called("response")
}
func (l *library) SendPasskeyConfirmation(context.Context) error { return l.called("confirmation") }
func (l *library) IsConnected() bool                             { return l.connected }

// bench is a session with its run, in simulated time.
type bench struct {
	*Session
	run    *Run
	lib    *library
	events *pushed
	shown  []string
	tells  []string

	givenUp int
}

// pushed is a queue with a signal, as the link's.
type pushed struct {
	mu    sync.Mutex
	items []any
	ready chan struct{}
}

func (q *pushed) push(evt any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, evt)
	q.signal()
}

func (q *pushed) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *pushed) Ready() <-chan struct{} { return q.ready }

func (q *pushed) Next() (any, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, false
	}
	evt := q.items[0]
	if q.items = q.items[1:]; len(q.items) > 0 {
		q.signal()
	}
	return evt, true
}

func newBench() *bench {
	b := &bench{Session: NewSession(time.Now), lib: &library{code: "ABCD-1234"}, events: &pushed{ready: make(chan struct{}, 1)}}
	b.run = &Run{
		Session: b.Session, Library: b.lib, Events: b.events, Timings: DefaultTimings(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		ShowQR: func(code string) { b.shown = append(b.shown, code) }, TimedOut: func() {}, GivenUp: func() { b.givenUp++ }, Scanned: func() {},
		Outdated: func() *api.Error { return api.Errorf(api.CodePairingUnavail, "405: update waoutbox") },
		Tell:     func(wait string) { b.tells = append(b.tells, wait) },
	}
	return b
}

// start runs the session and ends it for its followers when it failed, as the link does.
func (b *bench) start(t *testing.T) (end func() (bool, *api.Error)) {
	type outcome struct {
		linked bool
		err    *api.Error
	}
	ended := make(chan outcome, 1)
	go func() {
		linked, err := b.run.Run(t.Context())
		if err != nil {
			b.Fail(err)
		}
		ended <- outcome{linked, err}
	}()
	return func() (bool, *api.Error) { o := <-ended; return o.linked, o.err }
}

// follow collects what a caller who gave phone is shown.
func (b *bench) follow(t *testing.T, phone string) (steps func() []api.PairStep, end func() error) {
	var mu sync.Mutex
	var got []api.PairStep
	ended := make(chan error, 1)
	go func() {
		ended <- b.Follow(t.Context(), phone, func(s api.PairStep) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, s)
			return nil
		})
	}()
	return func() []api.PairStep { mu.Lock(); defer mu.Unlock(); return slices.Clone(got) }, func() error { return <-ended }
}

func sixCodes() *events.QR { return &events.QR{Codes: []string{"1", "2", "3", "4", "5", "6"}} }

// Six codes, the first for a minute and the others for 20 s each, as WhatsApp's own clients show
// them; then the pairing ends.
func TestCodesAreShownFor160Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBench()
		var shown, expires []time.Duration
		b.run.ShowQR = func(string) { shown = append(shown, time.Since(began)) }
		steps, left := b.follow(t, "")
		end := b.start(t)
		b.events.push(sixCodes())
		linked, err := end()
		if took := time.Since(began); linked || took != 160*time.Second || api.CodeOf(err) != api.CodeTimeout || api.CodeOf(left()) != api.CodeTimeout {
			t.Errorf("linked %v after %v: %v", linked, took, err)
		}
		for _, s := range steps() {
			if s.Step == api.StepQR {
				expires = append(expires, s.ExpiresAt.Sub(began))
			}
		}
		at := func(seconds ...int) (out []time.Duration) {
			for _, n := range seconds {
				out = append(out, time.Duration(n)*time.Second)
			}
			return out
		}
		if !slices.Equal(shown, at(0, 60, 80, 100, 120, 140)) || !slices.Equal(expires, at(60, 80, 100, 120, 140, 160)) {
			t.Errorf("shown at %v, valid until %v", shown, expires)
		}
	})
}

// A code for a number is asked for once the server has sent its QR codes, shown to who gave the
// number only, asked for again only when another number wants one, and valid as long as the QR
// codes are.
func TestCodeForANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBench()
		scanner, _ := b.follow(t, "")
		typist, typistLeft := b.follow(t, "491515550100")
		end := b.start(t)
		synctest.Wait()
		if len(b.lib.calls) != 0 {
			t.Errorf("before the server's codes the library was asked for %q", b.lib.calls)
		}
		b.events.push(sixCodes())
		synctest.Wait()
		again, _ := b.follow(t, "491515550100")
		synctest.Wait()
		for who, steps := range map[string][]api.PairStep{"typist": typist(), "second typist": again()} {
			if len(steps) != 1 || steps[0].Step != api.StepCode || steps[0].Code != "ABCD-1234" || steps[0].Phone != "491515550100" || steps[0].ExpiresAt.Sub(began) != 160*time.Second {
				t.Errorf("the %s is shown %+v", who, steps)
			}
		}
		if steps := scanner(); len(steps) != 1 || steps[0].Step != api.StepQR {
			t.Errorf("who scans is shown %+v", steps)
		}
		if !slices.Equal(b.lib.calls, []string{"code for 491515550100"}) {
			t.Errorf("the library was asked for %q", b.lib.calls)
		}
		other, _ := b.follow(t, "15550100123")
		if err := typistLeft(); api.CodeOf(err) != api.CodePairingUnavail {
			t.Errorf("the code for another number ended the first one's with %v", err)
		}
		synctest.Wait()
		if steps := other(); len(steps) != 1 || steps[0].Phone != "15550100123" {
			t.Errorf("who gave the other number is shown %+v", steps)
		}
		if _, err := end(); api.CodeOf(err) != api.CodeTimeout {
			t.Errorf("the session ended with %v", err)
		}
	})
}

// A panic of the library over a wish ends the session, and nothing else.
//
// Mutation of ask.go: a panic of the library while it pairs ends the process.
func TestALibraryThatPanicsEndsItsSessionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.lib.panics = true
		_, left := b.follow(t, "491515550100")
		end := b.start(t)
		b.events.push(sixCodes())
		if linked, err := end(); linked || err == nil {
			t.Errorf("%v, %v", linked, err)
		}
		if err := left(); err == nil {
			t.Error("who asked was told nothing")
		}
	})
}

// The session waits for the passkey as long as WhatsApp gives it, not for the codes that are left.
func TestPasskeyHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBench()
		end := b.start(t)
		b.events.push(sixCodes())
		b.events.push(&events.PairPasskeyRequest{PublicKey: &types.WebAuthnPublicKey{Challenge: []byte("c"), Timeout: 300_000}})
		_, err := end()
		if took := time.Since(began); took != 5*time.Minute || api.CodeOf(err) != api.CodeTimeout {
			t.Errorf("after %v: %v", took, err)
		}
		if len(b.shown) != 1 {
			t.Errorf("%d codes were shown although the phone had scanned", len(b.shown))
		}
	})
}

// A cancelled session ends at once, whatever it waits for and whatever the library works at, for
// everybody who follows it. Once the library writes the account down it is too late.
func TestCancel(t *testing.T) {
	passkey := &events.PairPasskeyRequest{PublicKey: &types.WebAuthnPublicKey{Challenge: []byte("c")}}
	for name, before := range map[string][]any{
		"before the codes": nil, "with codes": {sixCodes()}, "with a passkey": {sixCodes(), passkey},
		"with a code to compare": {sixCodes(), passkey, &events.PairPasskeyConfirmation{Code: "ABCD-1234"}},
		"after the passkey":      {sixCodes(), passkey, &events.PairPasskeyConfirmation{SkipHandoffUX: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			b := newBench()
			_, scannerLeft := b.follow(t, "")
			_, typistLeft := b.follow(t, "491515550100") // its wish waits for the codes, perhaps
			end := b.start(t)
			for _, evt := range before {
				b.events.push(evt)
				synctest.Wait()
			}
			for range 2 { // twice is no fault
				step, err := b.Continue(t.Context(), api.ContinuePairing{Cancel: true})
				if err != nil || step.Step != api.StepFailed || step.Error.Code != api.CodePairingCancelled {
					t.Errorf("%s: %+v, %v", name, step, err)
				}
			}
			if linked, err := end(); linked || err == nil || err.Code != api.CodePairingCancelled || time.Since(began) != 0 || b.givenUp != 1 {
				t.Errorf("%s: linked %v, %v after %v, told %d times", name, linked, err, time.Since(began), b.givenUp)
			}
			if err := scannerLeft(); api.CodeOf(err) != api.CodePairingCancelled {
				t.Errorf("%s: who scans is told %v", name, err)
			}
			_ = typistLeft()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		end := b.start(t)
		b.events.push(sixCodes())
		synctest.Wait()
		b.Storing()
		cancelled := make(chan api.PairStep)
		go func() {
			step, _ := b.Cancel(t.Context())
			cancelled <- step
		}()
		synctest.Wait()
		b.events.push(&events.PairSuccess{})
		synctest.Wait()
		b.Publish(api.PairStep{Step: api.StepLinked})
		if step := <-cancelled; step.Step != api.StepLinked {
			t.Errorf("too late: %+v", step)
		}
		if linked, err := end(); !linked || b.givenUp != 0 {
			t.Errorf("too late: linked %v, %v", linked, err)
		}
	})
	for _, in := range []api.ContinuePairing{{}, {Cancel: true, Confirm: true}, {Cancel: true, Passkey: "{}"}} {
		if _, err := newBench().Continue(t.Context(), in); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// A connection that breaks off while the library writes the account down does not end the session:
// what the library says does.
func TestOnlyTheLibraryEndsWhatItStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		end := b.start(t)
		b.events.push(sixCodes())
		synctest.Wait()
		if !b.Storing() {
			t.Fatal("the account is refused")
		}
		b.events.push(&events.Disconnected{})
		synctest.Wait()
		if b.Ended() {
			t.Fatal("the session is over")
		}
		b.events.push(&events.PairSuccess{})
		if linked, err := end(); !linked || err != nil {
			t.Errorf("linked %v, %v", linked, err)
		}
		late := newBench()
		late.Fail(api.Errorf(api.CodeTimeout, "over"))
		if late.Storing() {
			t.Error("an account is written down for a session that is over")
		}
	})
}

package connection

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// flow is one way of linking an account, with everything a person does at phone and browser.
type flow struct {
	name    string
	phone   bool // by a code typed into the phone
	passkey bool // WhatsApp asks for the passkey besides
}

func flows() []flow {
	return []flow{{"qr", false, false}, {"code", true, false}, {"qr and passkey", false, true}, {"code and passkey", true, true}}
}

// link goes through the flow once, and returns the steps and what Pair returned.
func (f flow) link(r *rig) ([]api.PairStep, error) {
	r.t.Helper()
	ctx := bounded(r.t)
	phone, done := context.WithCancel(ctx) // the phone gives up with the session
	defer done()
	in := api.PairRequest{}
	if f.phone {
		user, _, _ := strings.Cut(r.acc.PN(), "@")
		in.Phone = "+" + user
	}
	var steps []api.PairStep
	atPhone := make(chan struct{})
	used := false
	err := r.Pair(ctx, in, func(s api.PairStep) error {
		steps = append(steps, s)
		switch {
		case (s.Step == api.StepQR || s.Step == api.StepCode) && !used:
			used = true
			go func() { // the phone waits for the rest of it
				defer close(atPhone)
				if s.Step == api.StepQR {
					_ = r.acc.ScanQR(phone, s.QR) // that it failed the session tells
				} else {
					_ = r.acc.EnterCode(phone, s.Code)
				}
			}()
		case s.Step == api.StepPasskey:
			go func() {
				response, err := r.acc.SignPasskey(s.Passkey.Request)
				if err != nil {
					r.t.Error(err)
					return
				}
				_, _ = r.ContinuePairing(phone, api.ContinuePairing{Passkey: string(response)})
			}()
		}
		return nil
	})
	done()
	if used {
		<-atPhone
	}
	return steps, err
}

// Every flow links, and its steps come in their order.
func TestFlows(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			r := newRig(t)
			if f.passkey {
				must(t, r.acc.RequirePasskey())
			}
			r.run()
			steps, err := f.link(r)
			must(t, err)
			var got []string
			for _, s := range steps {
				got = append(got, s.Step)
			}
			want := map[bool]string{false: "qr", true: "code"}[f.phone]
			if f.passkey {
				want += " passkey"
			}
			if text := strings.Join(got, " "); text != want+" linked" {
				t.Errorf("steps %s, want %s linked", text, want)
			}
			if last := steps[len(steps)-1]; last.Account != r.acc.PN() {
				t.Errorf("linked %+v", last)
			}
			r.waitState(api.LinkConnected)
		})
	}
}

// A session that is cancelled, waiting for the phone or for the passkey, tells receivers once and
// leaves a link that pairs again.
func TestCancelPairing(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			r := newRig(t)
			must(t, r.acc.RequirePasskey())
			r.run()
			ctx := bounded(t)
			cancel := api.ContinuePairing{Cancel: true}
			if _, err := r.ContinuePairing(ctx, cancel); api.CodeOf(err) != api.CodeNotWaiting {
				t.Errorf("without a session: %v", err)
			}
			closes := func() (n int) {
				for _, ev := range r.named(translate.ConnectionUpdate) {
					if strings.Contains(string(ev.Body), `"status":"pairing_required","connection":"close"`) {
						n++
					}
				}
				return n
			}
			phone, done := context.WithCancel(ctx)
			var atPhone sync.WaitGroup
			in := api.PairRequest{}
			if f.phone {
				user, _, _ := strings.Cut(r.acc.PN(), "@")
				in.Phone = "+" + user
			}
			used := false
			err := r.Pair(ctx, in, func(s api.PairStep) error {
				switch {
				case s.Step == api.StepPasskey, !f.passkey && !used:
					used = true
					step, err := r.ContinuePairing(ctx, cancel)
					if err != nil || step.Step != api.StepFailed {
						t.Errorf("cancelled: %+v, %v", step, err)
					}
				case f.passkey && !used && (s.Step == api.StepQR || s.Step == api.StepCode):
					used = true
					atPhone.Go(func() {
						if s.Step == api.StepQR {
							_ = r.acc.ScanQR(phone, s.QR)
						} else {
							_ = r.acc.EnterCode(phone, s.Code)
						}
					})
				}
				return nil
			})
			done()
			atPhone.Wait()
			if api.CodeOf(err) != api.CodePairingCancelled {
				t.Errorf("the session ended with %v", err)
			}
			if l := r.waitState(api.LinkUnlinked); l.Reason != "" {
				t.Errorf("the link says %q", l.Reason)
			}
			if n := closes(); n != 1 {
				t.Errorf("receivers were told %d times", n)
			}
			if _, err := r.ContinuePairing(ctx, cancel); api.CodeOf(err) != api.CodeNotWaiting {
				t.Errorf("cancelled once more: %v", err)
			}
			steps, err := flow{"", f.phone, true}.link(r)
			must(t, err)
			if last := steps[len(steps)-1]; last.Step != api.StepLinked {
				t.Errorf("paired again: %+v", last)
			}
			r.waitState(api.LinkConnected)
		})
	}
}

// Codes, and what they are made of, reach no log, at debug level either.
func TestCodesAreNotLogged(t *testing.T) {
	r := newRig(t)
	must(t, r.acc.RequirePasskey())
	var log syncBuffer
	r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.run()
	qr, err := r.PairNow(bounded(t), api.PairRequest{})
	must(t, err)
	steps, err := flows()[1].link(r)
	must(t, err)
	_, text, _ := strings.Cut(qr.QR, "#")
	secrets := strings.Split(text, ",")[:4]
	for _, s := range steps {
		if s.Step == api.StepCode {
			secrets = append(secrets, s.Code, strings.ReplaceAll(s.Code, "-", ""))
		}
		if s.Passkey != nil {
			secrets = append(secrets, string(s.Passkey.Request))
		}
	}
	for _, s := range secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))} {
			if strings.Contains(log.String(), form) {
				t.Errorf("%q is in the log", form)
			}
		}
	}
	if !strings.Contains(log.String(), "whatsapp library") || len(secrets) < 7 {
		t.Errorf("%d secrets looked for in\n%s", len(secrets), log.String())
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A connection that is cut at any stanza of a flow leaves a link that can be paired at once, in the
// same process. Before, a cut at the confirmation left "an account is linked already" until a
// restart, with the state unlinked.
func TestPairingAfterACutAtEveryStanza(t *testing.T) {
	for _, f := range flows()[1:3] { // they have every step between them
		t.Run(f.name, func(t *testing.T) {
			r := newRig(t)
			if f.passkey {
				must(t, r.acc.RequirePasskey())
			}
			r.timings.pairing.Login = 50 * time.Millisecond
			r.run()
			for _, side := range []fault.Side{fault.Server, fault.Companion} {
				cuts := 0
				for n := range 40 { // far more than a flow has
					r.sim.ClearFaults()
					must(t, r.sim.Fault(fault.Fault{From: side, Skip: n, Effect: fault.CutBefore}))
					_, err := f.link(r)
					if err == nil && n > 0 {
						break
					}
					if err == nil { // what was cut was the link's look at the server
						r.acc.Unlink()
						r.waitState(api.LinkUnlinked)
						continue
					}
					if api.CodeOf(err) == api.CodeAlreadyLinked || !strings.Contains(err.Error(), "pair") {
						t.Fatalf("after a cut at stanza %d of the %s pairing ended with %v", n, side, err)
					}
					cuts = n + 1
				}
				if cuts < 2 || cuts > 30 {
					t.Errorf("cut at %d stanzas of the %s", cuts, side)
				}
				r.sim.ClearFaults()
				r.waitState(api.LinkConnected)
				if side == fault.Server {
					r.acc.Unlink()
					r.waitState(api.LinkUnlinked)
				}
			}
		})
	}
}

// openStore opens whatsapp.db beside the link.
func (r *rig) openStore() *sql.DB {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(r.path)+"?_pragma=busy_timeout(10000)")
	must(r.t, err)
	return db
}

// fillDisk has whatsapp.db refuse one kind of write, as a full disk does, and returns what makes
// room.
func (r *rig) fillDisk(write string) (makeRoom func()) {
	r.t.Helper()
	db := r.openStore()
	_, err := db.ExecContext(r.t.Context(), fmt.Sprintf(`CREATE TRIGGER full BEFORE %s BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`, write))
	must(r.t, err)
	return func() {
		_, err := db.ExecContext(r.t.Context(), `DROP TRIGGER full`)
		must(r.t, errors.Join(err, db.Close()))
	}
}

// A disk that is full when the account is written down leaves a link that can be paired as soon as
// there is room, in the same process, and says that it is the disk. Before, "an account is linked
// already" until a restart, with the state unlinked.
func TestPairingAfterAFullDisk(t *testing.T) {
	f := flows()[2] // its end is that of the others
	r := newRig(t)
	must(t, r.acc.RequirePasskey())
	r.run()
	for _, write := range []string{"INSERT ON whatsmeow_device", "INSERT ON whatsmeow_identity_keys"} {
		makeRoom := r.fillDisk(write)
		_, err := f.link(r)
		makeRoom()
		if api.CodeOf(err) != api.CodePairingUnavail || !strings.Contains(err.Error(), "whatsapp.db") || !strings.Contains(err.Error(), "pair again") {
			t.Errorf("%s refused: %v", write, err)
		}
		if link := r.Link(); link.Account != "" {
			t.Errorf("%s refused: the link is %+v", write, link)
		}
	}
	_, err := f.link(r)
	must(t, err)
}

// What a failed pairing left in whatsapp.db, where the full disk kept even its removal, is removed
// before the next one; until then pairing says what is wrong.
func TestRemainsOfAPairingThatCannotBeRemoved(t *testing.T) {
	r := newRig(t)
	r.run()
	identities := r.fillDisk("INSERT ON whatsmeow_identity_keys")
	db := r.openStore()
	defer db.Close()
	_, err := db.ExecContext(t.Context(), `CREATE TRIGGER kept BEFORE DELETE ON whatsmeow_device BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	must(t, err)
	qr := flows()[0]
	if _, err := qr.link(r); api.CodeOf(err) != api.CodePairingUnavail {
		t.Errorf("the first pairing ended with %v", err)
	}
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmDevice) })
	if _, err := qr.link(r); api.CodeOf(err) != api.CodePairingUnavail || !strings.Contains(err.Error(), "make room on its disk") {
		t.Errorf("the second pairing ended with %v", err)
	}
	identities()
	_, err = db.ExecContext(t.Context(), `DROP TRIGGER kept`)
	must(t, err)
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmDevice) })
	_, err = qr.link(r)
	must(t, err)
	var rows int
	must(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM whatsmeow_device`).Scan(&rows))
	if rows != 1 {
		t.Errorf("%d devices stored, want 1", rows)
	}
}

// An outbox that takes nothing keeps nobody from linking.
func TestPairingWithAFullOutbox(t *testing.T) {
	r := newRig(t)
	r.engine.Hook(func(op string) error {
		if op == "Append" {
			return outbox.ErrFull
		}
		return nil
	})
	r.run()
	_, err := flows()[0].link(r)
	must(t, err)
	r.engine.Hook(nil)
	r.waitState(api.LinkConnected)
}

package connection

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func TestEverybodySeesTheRunningPairing(t *testing.T) {
	r := newRig(t)
	r.run()
	ctx := bounded(t)
	first, err := r.PairNow(ctx, api.PairRequest{})
	must(t, err)
	second, err := r.PairNow(ctx, api.PairRequest{})
	must(t, err)
	if first.QR != second.QR || first.N != 1 {
		t.Errorf("two callers got %+v and %+v", first, second)
	}
	if r.Link().State != api.LinkPairing {
		t.Errorf("link %+v", r.Link())
	}
	left, leave := context.WithCancel(ctx)
	leave()
	if err := r.Pair(left, api.PairRequest{}, func(api.PairStep) error { return nil }); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("a caller that left got %v", err)
	}
	ends := make(chan error, 2)
	joined := make(chan struct{}, 2)
	for range 2 {
		go func() {
			ends <- r.Pair(ctx, api.PairRequest{}, func(s api.PairStep) error {
				if s.Step == api.StepQR {
					joined <- struct{}{}
				}
				return nil
			})
		}()
	}
	<-joined
	<-joined
	must(t, r.acc.ScanQR(ctx, first.QR))
	for range 2 {
		if err := <-ends; err != nil {
			t.Errorf("Pair: %v", err)
		}
	}
	if _, err := r.PairNow(ctx, api.PairRequest{}); api.CodeOf(err) != api.CodeAlreadyLinked {
		t.Errorf("QR of a linked account returned %v", err)
	}
}

// Pairing that is asked for before Run has looked at the device store learns that an account is
// linked.
func TestPairWhileStarting(t *testing.T) {
	r := linkedRig(t)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	ended := make(chan error, 1)
	go func() {
		ended <- r.Pair(context.Background(), api.PairRequest{}, func(api.PairStep) error { return nil })
	}()
	r.run()
	if err := <-ended; api.CodeOf(err) != api.CodeAlreadyLinked {
		t.Errorf("Pair returned %v", err)
	}
}

func TestCodesRunOut(t *testing.T) {
	r := newRig(t)
	r.timings.pairing.CodeShown = [2]time.Duration{30 * time.Millisecond, 5 * time.Millisecond}
	r.run()
	var n []int
	err := r.Pair(bounded(t), api.PairRequest{}, func(s api.PairStep) error {
		if s.Step == api.StepQR {
			n = append(n, s.N)
		}
		return nil
	})
	if api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("Pair returned %v", err)
	}
	if len(n) < 2 || n[0] != 1 {
		t.Errorf("codes shown: %v", n)
	}
	want := []string{"connecting", "qr_required", "qr_required", "qr_required", "qr_required", "qr_required", "qr_required", "pairing_required 408"}
	if got := r.statuses(); !slices.Equal(got, want) {
		t.Errorf("connection events %q, want %q", got, want)
	}
	r.waitState(api.LinkUnlinked)
	r.timings.pairing.CodeShown = defaultTimings().pairing.CodeShown // for the next one
	r.pair()
}

func TestStopWhilePairing(t *testing.T) {
	r := newRig(t)
	r.run()
	_, err := r.PairNow(bounded(t), api.PairRequest{})
	must(t, err)
	end := make(chan error, 1)
	waiting := make(chan struct{})
	go func() {
		end <- r.Pair(context.Background(), api.PairRequest{}, func(s api.PairStep) error {
			if s.Step == api.StepQR {
				close(waiting)
			}
			return nil
		})
	}()
	<-waiting
	r.stop()
	if err := <-end; api.CodeOf(err) != api.CodePairingUnavail {
		t.Errorf("Pair returned %v", err)
	}
	if err := r.Pair(context.Background(), api.PairRequest{}, nil); api.CodeOf(err) != api.CodePairingUnavail {
		t.Errorf("Pair after the stop returned %v", err)
	}
	if err := r.Run(context.Background()); err == nil {
		t.Error("Run ran twice")
	}
}

// forgetfulAppender stores what it is given, and the first time says that it did not: what a crash
// between the commit and the acknowledgement looks like to WhatsApp.
type forgetfulAppender struct {
	Appender
	mu   sync.Mutex
	seen map[string]bool
}

func (a *forgetfulAppender) Append(ctx context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	seqs, err := a.Appender.Append(ctx, evs...)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ev := range evs {
		if err == nil && !ev.Random && !a.seen[ev.Key] {
			a.seen[ev.Key] = true
			err = errors.New("stored, and the result was lost")
		}
	}
	return seqs, err
}

package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// faultyDispatcher fails the steps that are given an error.
type faultyDispatcher struct {
	Dispatcher
	sync, resume, backlog, purgeAll error
	purge                           func(n int) error // by the number of the call, from 1
	purges                          int
	replay                          func() // called before each Replay
}

func (d *faultyDispatcher) Sync(ctx context.Context, id outbox.SubID) error {
	return errors.Join(d.sync, d.Dispatcher.Sync(ctx, id))
}

func (d *faultyDispatcher) Resume(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) error {
	return errors.Join(d.resume, d.Dispatcher.Resume(ctx, id, audit...))
}

func (d *faultyDispatcher) DeadLetterBacklog(ctx context.Context, id outbox.SubID) (int, error) {
	if d.backlog != nil {
		return 0, d.backlog
	}
	return d.Dispatcher.DeadLetterBacklog(ctx, id)
}

func (d *faultyDispatcher) PurgeAll(ctx context.Context, id outbox.SubID, audit ...outbox.Audit) (int, error) {
	if d.purgeAll != nil {
		return 0, d.purgeAll
	}
	return d.Dispatcher.PurgeAll(ctx, id, audit...)
}

func (d *faultyDispatcher) Purge(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (int, []outbox.Seq, error) {
	d.purges++
	if d.purge != nil {
		if err := d.purge(d.purges); err != nil {
			return 0, nil, err
		}
	}
	return d.Dispatcher.Purge(ctx, id, seqs, audit...)
}

func (d *faultyDispatcher) Replay(ctx context.Context, id outbox.SubID, seqs []outbox.Seq, audit ...outbox.Audit) (int, []outbox.Seq, error) {
	if d.replay != nil {
		d.replay()
	}
	return d.Dispatcher.Replay(ctx, id, seqs, audit...)
}

// leavingCaller is an engine whose caller goes away as soon as a subscription was written.
type leavingCaller struct {
	Engine
	leave context.CancelFunc
}

func (e leavingCaller) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	defer e.leave()
	return e.Engine.PutSub(ctx, s, audit...)
}

// unconfirmed is an engine that does not confirm the first writes of a subscription.
type unconfirmed struct {
	Engine
	writes atomic.Int32
	lost   int32 // how many writes are not confirmed
	drop   bool  // and not done
	// called when a write was not confirmed
	then func()
}

func (e *unconfirmed) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	lost := e.writes.Add(1) <= e.lost
	if lost && e.drop {
		return outbox.Subscription{}, fmt.Errorf("put subscription: %w", outbox.ErrUnknown)
	}
	out, err := e.Engine.PutSub(ctx, s, audit...)
	if lost {
		if e.then != nil {
			e.then()
		}
		return outbox.Subscription{}, fmt.Errorf("put subscription: %w", outbox.ErrUnknown)
	}
	return out, err
}

// TestTheSecretIsNotLostAfterTheWrite: a step that fails after the webhook was stored is a warning.
// Before, the call printed "hand the webhook to its lane: the disk is slow", and the generated
// secret of the webhook that now existed was lost.
func TestTheSecretIsNotLostAfterTheWrite(t *testing.T) {
	for name, d := range map[string]*faultyDispatcher{
		"taking over": {sync: errors.New("the disk is slow")},
		"resuming":    {resume: errors.New("the disk is slow")},
	} {
		r := newRig(t)
		d.Dispatcher = r.disp
		r.o.Dispatcher = d
		res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
		if err != nil || res.Result != api.PutCreated || !strings.HasPrefix(res.Secret, "whsec_") || !res.Webhook.Signed {
			t.Errorf("%s failed: %+v, %v", name, res, err)
		}
		if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "the disk is slow") || !strings.Contains(res.Warnings[0], "webhook add "+res.Webhook.ID) {
			t.Errorf("%s failed: warnings %q", name, res.Warnings)
		}
	}
}

// TestCountsAfterTheWriteAreNoError: before, the call printed "read the webhook: statistics: page
// 38 cannot be read", and the secret was lost.
func TestCountsAfterTheWriteAreNoError(t *testing.T) {
	r := newRig(t)
	r.o.Engine = halfRead{r.o.Engine}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
	if err != nil || res.Secret == "" || !res.Webhook.CountsUnknown || !res.Webhook.Signed {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestAnUnconfirmedWriteIsRepeated: before, the call printed "register the webhook: the disk did
// not confirm the write; run it again", though the webhook may exist, and its secret was lost.
func TestAnUnconfirmedWriteIsRepeated(t *testing.T) {
	r := newRig(t)
	r.o.Engine = &unconfirmed{Engine: r.o.Engine, lost: 2}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
	if err != nil || res.Result != api.PutCreated || res.Secret == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	if subs, err := r.box.Subs(t.Context()); err != nil || len(subs) != 1 || string(subs[0].ID) != res.Webhook.ID {
		t.Errorf("%d subscriptions, %v", len(subs), err)
	}
	r.o.Engine = &unconfirmed{Engine: r.box, lost: 99, drop: true}
	_, err = r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/other"})
	wantError(t, err, api.CodeInternal, "did not confirm")
}

// TestAWriteThatIsNeverConfirmedIsWhatIsReadAfterwards: the webhook is stored though none of its
// writes was confirmed, so it is delivered to, or taken out. Before, the call printed "register the
// webhook: the disk did not confirm the write; run it again": the webhook had no lane until a
// restart ("no lane delivers to it") and its secret was lost; a removed one went on being served.
func TestAWriteThatIsNeverConfirmedIsWhatIsReadAfterwards(t *testing.T) {
	r := newRig(t)
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200})
	r.runDaemon()
	r.o.Engine = &unconfirmed{Engine: r.box, lost: 99}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
	if err != nil || res.Secret == "" || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "did not confirm") {
		t.Fatalf("%+v, %v", res, err)
	}
	id := outbox.SubID(res.Webhook.ID)
	r.arrive("message.received", 1)
	r.await("its event is delivered", func() bool { return r.sender.count(id) == 1 })
	gone, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: res.Webhook.ID})
	if err != nil || !gone.Removed || len(gone.Warnings) != 1 {
		t.Fatalf("%+v, %v", gone, err)
	}
	// its lane has ended; that it is gone is seen an instant later
	r.await("the removed webhook has no lane", func() bool { return r.disp.State(id).Status != dispatcher.StatusActive })
}

// unreadable is an engine whose subscriptions cannot be read for a while, as while its file is
// opened again.
type unreadable struct {
	Engine
	closed atomic.Bool
}

func (e *unreadable) Sub(ctx context.Context, id outbox.SubID) (outbox.Subscription, error) {
	if e.closed.Load() {
		return outbox.Subscription{}, outbox.ErrClosed
	}
	return e.Engine.Sub(ctx, id)
}

// TestAWriteWhoseOutcomeCannotBeReadGetsItsLaneLater: before, it printed "waited 20 s until its
// event is delivered".
func TestAWriteWhoseOutcomeCannotBeReadGetsItsLaneLater(t *testing.T) {
	r := newRig(t)
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200})
	e := &unreadable{Engine: r.box}
	r.disp = dispatcher.New(dispatcher.Options{Source: r.box, Subscriptions: e, Sender: r.sender})
	r.o.Dispatcher = r.disp
	r.runDaemon()
	r.o.Engine = &unconfirmed{Engine: e, lost: 99, then: func() { e.closed.Store(true) }}
	_, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook"})
	wantError(t, err, api.CodeInternal, "did not confirm")
	e.closed.Store(false)
	r.arrive("message.received", 1)
	r.await("its event is delivered", func() bool {
		subs, err := r.box.Subs(t.Context())
		return err == nil && len(subs) == 2 && r.sender.count(subs[0].ID)+r.sender.count(subs[1].ID) == 2
	})
}

// runDaemon lets the dispatcher run until the test ends, as in a daemon.
func (r *rig) runDaemon() {
	r.t.Helper()
	r.o.Daemon, r.o.Recent = &api.Daemon{PID: 1}, r.recent
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.disp.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
	w := r.put("http://localhost/first").Webhook
	r.await("the dispatcher runs", func() bool { return r.disp.State(outbox.SubID(w.ID)).Status == dispatcher.StatusActive })
}

// TestACallerWhoLeavesAfterTheWriteChangesNothing: the webhook is served, or taken out, all the
// same. Before, the first call printed "hand the webhook to its lane: not finished in time; run it
// again", the webhook was "active" with 3 pending and no lane until a restart; and a removed one
// went on being served and never had a dead letter.
//
// Mutation of service.go: what follows the write of a webhook ends with its caller.
func TestACallerWhoLeavesAfterTheWriteChangesNothing(t *testing.T) {
	r := newRig(t)
	r.sender.result = dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	r.runDaemon()

	ctx, leave := context.WithCancel(t.Context())
	r.o.Engine = leavingCaller{r.box, leave}
	res, err := r.PutWebhook(ctx, api.PutWebhook{URL: "http://localhost/hook", Events: &[]string{"message.received"}})
	if err != nil || len(res.Warnings) != 0 || res.Webhook.Status != api.WebhookActive {
		t.Errorf("added: %+v, %v", res, err)
	}
	r.arrive("message.received", 3)
	r.await("its events are delivered", func() bool { return r.sender.count(outbox.SubID(res.Webhook.ID)) == 3 })

	r.sender.set(dispatcher.Result{Class: outbox.ClassLocal, Message: "the network is down"})
	r.arrive("message.received", 5)
	ctx, leave = context.WithCancel(t.Context())
	r.o.Engine = leavingCaller{r.box, leave}
	removed, err := r.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: res.Webhook.ID})
	if err != nil || !removed.Removed || len(removed.Warnings) != 0 || removed.DeadLettered != 5 {
		t.Errorf("removed: %+v, %v", removed, err)
	}
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{Webhook: res.Webhook.ID}})
	if err != nil || page.Total != 5 {
		t.Errorf("dead letters: %+v, %v", page, err)
	}
}

// TestARemovalThatIsNotFinishedSaysSo: before, the call printed "turn the backlog into dead
// letters: the disk is slow" though the webhook was removed.
func TestARemovalThatIsNotFinishedSaysSo(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received").Webhook
	r.arrive("message.received", 3)
	d := &faultyDispatcher{Dispatcher: r.disp, backlog: errors.New("the disk is slow")}
	r.o.Dispatcher = d
	res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID, Purge: true})
	if err != nil || !res.Removed || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "the disk is slow") {
		t.Errorf("backlog: %+v, %v", res, err)
	}
	d.backlog, d.purgeAll = nil, errors.New("the disk is slow")
	res, err = r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID, Purge: true})
	if err != nil || res.Removed || res.DeadLettered != 3 || len(res.Warnings) != 1 {
		t.Errorf("dead letters: %+v, %v", res, err)
	}
	d.purgeAll = nil
	res, err = r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID, Purge: true})
	if err != nil || res.Purged != 3 || len(res.Warnings) != 0 {
		t.Errorf("run again: %+v, %v", res, err)
	}
}

// TestAPurgeThatStopsSaysHowFarItCame: before, the call printed "purge: the disk is slow" and
// nothing of the 256 letters that were gone for good.
//
// Mutation of audit.go: what came of a purge that stopped is nowhere.
func TestAPurgeThatStopsSaysHowFarItCame(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received").Webhook
	r.arrive("message.received", 300)
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	r.o.Dispatcher = &faultyDispatcher{Dispatcher: r.disp, purge: func(n int) error {
		if n == 2 {
			return errors.New("the disk is slow")
		}
		return nil
	}}
	f := api.DeadLetterFilter{Event: "message.received"}
	res, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: f})
	if err != nil || res.Purged != 256 || !strings.Contains(res.Note, "the disk is slow") {
		t.Errorf("stopped: %+v, %v", res, err)
	}
	if res, err = r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: f}); err != nil || res.Purged != 44 || res.Note != "" {
		t.Errorf("run again: %+v, %v", res, err)
	}
	// what was asked for, what came of it, and the rest
	var recorded []string
	for _, a := range r.audit()[2:] {
		recorded = append(recorded, a.Operation+": "+a.Result)
	}
	want := []string{"deadletter.purge: 300 dead letters", "deadletter.purge: 256 dead letters in all", "deadletter.purge: 44 dead letters"}
	if !slices.Equal(recorded, want) {
		t.Errorf("the audit trail has %q, want %q", recorded, want)
	}
}

// TestAWebhookWithoutALaneIsNotActive: in a daemon nothing delivers to it. Before, its status was
// "active", from the disk.
func TestAWebhookWithoutALaneIsNotActive(t *testing.T) {
	r := newRig(t)
	r.put("http://localhost/hook")
	r.o.Daemon = &api.Daemon{PID: 1}
	st := r.status()
	if len(st.Webhooks) != 1 || st.Webhooks[0].Status != api.WebhookHeld || st.Webhooks[0].Reason == "" || len(st.Alarms) != 1 || st.Alarms[0].Code != "webhook_held" {
		t.Errorf("webhooks %+v, alarms %+v", st.Webhooks, st.Alarms)
	}
}

// TestAReplayThatMeetsARemoval: the removal wins, nothing of the webhook is revived, and the
// sentence says how to go on. Before, it was an unknown failure that crossed the socket as an
// incident number.
func TestAReplayThatMeetsARemoval(t *testing.T) {
	r, w := withDeadLetters(t, 3)
	r.o.Dispatcher = &faultyDispatcher{Dispatcher: r.disp, replay: func() {
		if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
			t.Error(err)
		}
	}}
	res, err := r.Replay(t.Context(), api.ReplayRequest{All: true})
	wantError(t, err, api.CodeWebhookNotFound, "webhook add "+w.ID)
	if st := r.status(); res.Queued != 0 || st.Pending != 0 || st.Dead != 3 {
		t.Errorf("%+v, %d pending, %d dead", res, st.Pending, st.Dead)
	}
}

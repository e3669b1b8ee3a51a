package admin

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// TestACallCutDuringTheWriteMakesOneWebhook: its context ends while the disk syncs. The call
// returns with the verdict of the write, and the same call again finds the webhook. Before, the
// first returned "register the webhook: not finished in time", the second did not see it, and one
// URL had two ids: every event left twice.
func TestACallCutDuringTheWriteMakesOneWebhook(t *testing.T) {
	var slow atomic.Bool
	syncing, done := make(chan struct{}, 1), make(chan struct{})
	r := newRigOn(t, store.DBOptions{CommitHook: func(commit func() error) error {
		if slow.CompareAndSwap(true, false) {
			syncing <- struct{}{}
			<-done
		}
		return commit()
	}})
	ctx, leave := context.WithCancel(t.Context())
	slow.Store(true)
	type outcome struct {
		res api.PutWebhookResult
		err error
	}
	first := make(chan outcome, 1)
	go func() {
		res, err := r.PutWebhook(ctx, api.PutWebhook{URL: "http://localhost/hook", GenerateSecret: true})
		first <- outcome{res, err}
	}()
	<-syncing
	leave()
	second := make(chan outcome, 1)
	go func() {
		res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook"})
		second <- outcome{res, err}
	}()
	var one outcome
	early := false
	select {
	case one = <-first: // the old way: it did not wait for the verdict
		early = true
	case <-time.After(50 * time.Millisecond):
	}
	close(done)
	if !early {
		one = <-first
	}
	two := <-second
	if one.err != nil || one.res.Result != api.PutCreated || one.res.Secret == "" {
		t.Errorf("first: %+v, %v", one.res, one.err)
	}
	if two.err != nil || two.res.Result != api.PutUpdated || two.res.Webhook.ID != one.res.Webhook.ID {
		t.Errorf("second: %+v, %v", two.res, two.err)
	}
	if list, err := r.Webhooks(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d webhooks, %v", len(list), err)
	}
}

// TestACallThatWaitsForAnotherCanLeave: it is not kept until the other call has ended.
func TestACallThatWaitsForAnotherCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		unlock, err := s.lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.lock(ctx)
			ended <- err
		}()
		synctest.Wait() // it waits now
		leave()
		synctest.Wait()
		select {
		case err := <-ended:
			wantError(t, err, api.CodeTimeout, "not finished in time")
		default:
			t.Error("it still waits")
			unlock()
			return
		}
		unlock()
		if again, err := s.lock(t.Context()); err != nil {
			t.Errorf("after all have left: %v", err)
		} else {
			again()
		}
	})
}

// TestACallThatCameTooLateWritesNothing: its context has ended before its turn.
func TestACallThatCameTooLateWritesNothing(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := r.PutWebhook(ctx, api.PutWebhook{URL: "http://localhost/other"})
	wantError(t, err, api.CodeTimeout, "not finished in time")
	_, err = r.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: w.ID})
	wantError(t, err, api.CodeTimeout, "not finished in time")
	if list, err := r.Webhooks(t.Context()); err != nil || len(list) != 1 || list[0].ID != w.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

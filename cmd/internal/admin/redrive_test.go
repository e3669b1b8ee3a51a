package admin

import (
	"sync"
	"sync/atomic"
	"testing"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// TestARedriveIsShownAsAReplay while it runs and when it has ended, with its counts. Before,
// `deadletter replay --status` said that no replay runs.
func TestARedriveIsShownAsAReplay(t *testing.T) {
	r := newRig(t)
	r.serving()
	var up atomic.Bool
	release := make(chan struct{})
	releaseAll := sync.OnceFunc(func() { close(release) })
	t.Cleanup(releaseAll)
	r.sender.each = func(q dispatcher.Request) dispatcher.Result {
		ok := dispatcher.Result{Class: outbox.ClassOK, Status: 200}
		switch {
		case !up.Load():
			return dispatcher.Result{Class: outbox.ClassHTTP, Status: 503, Message: "503"}
		case q.Replay == 0:
			return ok
		}
		r.sender.mu.Unlock()
		<-release
		r.sender.mu.Lock()
		if q.Event.Seq == 2 {
			return dispatcher.Result{Class: outbox.ClassHTTP, Status: 404, Message: "404"}
		}
		return ok
	}
	hook := "http://localhost/hook"
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: hook, HoldAfter: new(3), Redrive: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	runs := func() []api.ReplayRun {
		t.Helper()
		runs, err := r.Replays(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	r.arrive("message.received", 3)
	r.await("three are dead", func() bool { return r.status().Dead == 3 })
	up.Store(true)
	r.arrive("message.received", 1)
	r.await("they are redriven", func() bool { return len(runs()) == 1 && runs()[0].Queued == 3 })
	run := runs()[0]
	if run.Kind != api.ReplayRedrive || run.State != api.ReplayRunning || run.Webhook != res.Webhook.ID || run.URL != hook || run.Total != 3 {
		t.Errorf("while it runs: %+v", run)
	}
	if st := r.status(); len(st.Replays) != 1 {
		t.Errorf("status shows %+v", st.Replays)
	}
	releaseAll()
	r.await("it has ended", func() bool { return runs()[0].State == api.ReplayDone })
	if run := runs()[0]; run.Delivered != 2 || run.Failed != 1 || run.Queued != 0 || run.EndedAt.IsZero() {
		t.Errorf("when it has ended: %+v", run)
	}
	if stopped, err := r.StopReplay(t.Context(), api.StopReplay{}); err != nil || len(stopped) != 0 {
		t.Errorf("stopping what has ended: %+v, %v", stopped, err)
	}
}

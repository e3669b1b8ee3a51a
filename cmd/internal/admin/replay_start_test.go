package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// serving makes the rig a service that delivers, until the test ends.
func (r *rig) serving() {
	r.t.Helper()
	r.o.Daemon = &api.Daemon{PID: 1}
	r.o.Caller = func(context.Context) api.Caller { return api.Caller{Kind: api.CallerCLI} }
	ctx, stop := context.WithCancel(r.t.Context())
	done := make(chan error, 2)
	go func() { done <- r.disp.Run(ctx) }()
	replays, stopReplays := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(replays) }()
	r.t.Cleanup(func() {
		stopReplays()
		<-ended
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) { // before it had begun
			r.t.Error(err)
		}
	})
}

// withLetters is a service with n dead letters of one webhook.
func withLetters(t *testing.T, n int) (*rig, api.Webhook) {
	t.Helper()
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	r.addDead(outbox.SubID(w.ID), n)
	return r, w
}

// delivers makes the endpoint accept everything.
func (r *rig) delivers() { r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200}) }

// start begins a replay of one webhook.
func (r *rig) start(in api.StartReplay) api.ReplayRun {
	r.t.Helper()
	if in.Rate == nil {
		in.Rate = new(0.0)
	}
	res, err := r.StartReplay(r.t.Context(), in)
	if err != nil || len(res.Runs) != 1 {
		r.t.Fatalf("start: %+v, %v", res, err)
	}
	return res.Runs[0]
}

// ended waits until the only replay ends.
func (r *rig) ended() (run api.ReplayRun) {
	r.t.Helper()
	r.await("the replay ended", func() bool {
		runs, err := r.Replays(r.t.Context())
		if err != nil || len(runs) != 1 {
			r.t.Fatalf("%+v, %v", runs, err)
		}
		run = runs[0]
		return run.State != api.ReplayRunning
	})
	return run
}

// wantCounts checks a run, and that its numbers add up.
func wantCounts(t *testing.T, run api.ReplayRun, state api.ReplayState, delivered, failed, left int64) {
	t.Helper()
	if run.State != state || run.Delivered != delivered || run.Failed != failed || run.Left != left {
		t.Errorf("%+v, want %s with %d delivered, %d failed, %d left", run, state, delivered, failed, left)
	}
	if sum := run.Delivered + run.Failed + run.Queued + run.Left + run.Missing + run.Unreplayable; sum != run.Total {
		t.Errorf("%+v: the numbers add up to %d, want %d", run, sum, run.Total)
	}
}

// sentOnce checks that every sequence from 1 to n was sent once, as attempt 1 of its first replay,
// and each chat's in order.
func (r *rig) sentOnce(n int) {
	r.t.Helper()
	r.sender.mu.Lock()
	defer r.sender.mu.Unlock()
	sent, last := map[outbox.Seq]int{}, map[string]outbox.Seq{}
	for _, req := range r.sender.got {
		sent[req.Event.Seq]++
		if req.Replay != 1 || req.Attempt != 1 {
			r.t.Fatalf("%d was sent as attempt %d of replay %d", req.Event.Seq, req.Attempt, req.Replay)
		}
		if last[req.Event.Chat] > req.Event.Seq {
			r.t.Fatalf("%d was sent after %d", req.Event.Seq, last[req.Event.Chat])
		}
		last[req.Event.Chat] = req.Event.Seq
	}
	for seq := outbox.Seq(1); seq <= outbox.Seq(n); seq++ {
		if sent[seq] != 1 {
			r.t.Fatalf("%d was sent %d times", seq, sent[seq])
		}
	}
}

func TestAReplayDeliversEveryLetterOnceInOrder(t *testing.T) {
	r, w := withLetters(t, 700)
	r.delivers()
	r.serving()
	began := r.start(api.StartReplay{All: true})
	if began.Webhook != w.ID || began.Total != 700 || began.StartedBy != "cli" || began.ID == "" {
		t.Errorf("%+v", began)
	}
	run := r.ended()
	wantCounts(t, run, api.ReplayDone, 700, 0, 0)
	if run.ID != began.ID || run.PerSecond <= 0 || run.EndedAt.Before(run.StartedAt) {
		t.Errorf("%+v", run)
	}
	r.sentOnce(700)
	r.await("nothing is dead or pending", func() bool { st := r.status(); return st.Dead == 0 && st.Pending == 0 })
}

// An endpoint that is still down touches ten letters; the rest is as it was.
func TestAReplayGivesUpAfterTenFailures(t *testing.T) {
	r, w := withLetters(t, 300)
	r.serving()
	r.start(api.StartReplay{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID}})
	run := r.ended()
	wantCounts(t, run, api.ReplayGaveUp, 0, 10, 290)
	if run.LastError == nil || run.LastError.Status != 500 || run.FailedInRow != 10 {
		t.Errorf("%+v", run)
	}
	// the file is read before the counts are
	r.await("all are counted again", func() bool { return r.status().Dead == 300 })
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 11})
	if err != nil || page.Total != 300 || page.Items[9].Replay != 1 || page.Items[10].Replay != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if d, err := r.DeadLetter(t.Context(), page.Items[0].ID); err != nil || d.Attempts != 4 || len(d.AttemptLog) != 4 {
		t.Errorf("%+v, %v", d, err)
	}
}

// What dies again while a replay goes on is not taken a second time, however long it goes on.
func TestAReplayThatKeepsGoingTakesEachLetterOnce(t *testing.T) {
	r, _ := withLetters(t, 60)
	r.serving()
	r.start(api.StartReplay{All: true, ReplayPace: api.ReplayPace{KeepGoing: true}})
	wantCounts(t, r.ended(), api.ReplayDone, 0, 60, 0)
	r.await("all are counted again", func() bool { return r.status().Dead == 60 })
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 256})
	if err != nil || page.Total != 60 {
		t.Fatalf("%d, %v", page.Total, err)
	}
	for _, l := range page.Items {
		if l.Replay != 1 {
			t.Fatalf("%s was replayed %d times", l.ID, l.Replay)
		}
	}
}

// One replay runs per webhook, whoever asks for another; anybody may stop it, nothing moves after
// that, and the same again goes on where it was.
func TestAReplayIsOneAndCanBeStopped(t *testing.T) {
	r, w := withLetters(t, 500)
	r.delivers()
	r.serving()
	r.start(api.StartReplay{All: true, ReplayPace: api.ReplayPace{Rate: new(200.0)}})
	_, err := r.StartReplay(t.Context(), api.StartReplay{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID}})
	wantError(t, err, api.CodeReplayRunning, "--stop")
	if res, err := r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID}}); api.CodeOf(err) != api.CodeReplayRunning {
		t.Errorf("%+v, %v", res, err)
	}
	r.await("some are delivered", func() bool { return r.sender.count(outbox.SubID(w.ID)) > 20 })
	stopped, err := r.StopReplay(t.Context(), api.StopReplay{Webhook: w.URL})
	if err != nil || len(stopped) != 1 || stopped[0].State != api.ReplayStopped || stopped[0].Ended != "stopped by cli" || stopped[0].Left == 0 {
		t.Fatalf("%+v, %v", stopped, err)
	}
	if none, err := r.StopReplay(t.Context(), api.StopReplay{}); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	r.await("what was queued is delivered", func() bool { return r.status().Pending == 0 })
	if dead := r.status().Dead; dead != stopped[0].Left {
		t.Errorf("%d are dead, %d were left", dead, stopped[0].Left)
	}
	again := r.start(api.StartReplay{All: true})
	if again.Total != stopped[0].Left {
		t.Errorf("%+v", again)
	}
	wantCounts(t, r.ended(), api.ReplayDone, stopped[0].Left, 0, 0)
	r.sentOnce(500)
}

// Letters that are purged before their turn are counted as missing, and never as delivered. Before,
// a letter that was nowhere any more counted as delivered.
func TestAReplayKnowsWhatWasPurgedMeanwhile(t *testing.T) {
	r, w := withLetters(t, 400)
	r.serving()
	hold := make(chan struct{})
	r.sender.mu.Lock()
	r.sender.each = func(dispatcher.Request) dispatcher.Result {
		<-hold
		return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	}
	r.sender.mu.Unlock()
	r.start(api.StartReplay{All: true})
	r.await("some are queued", func() bool { return r.status().Pending == 10 })
	if res, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID}}); err != nil || res.Purged != 390 {
		t.Fatalf("%+v, %v", res, err)
	}
	close(hold)
	run := r.ended()
	if wantCounts(t, run, api.ReplayDone, 10, 0, run.Left); run.Missing+run.Left != 390 {
		t.Errorf("%+v", run)
	}
}

// A webhook that is removed under its replay ends it; the letters stay.
func TestAReplayEndsWithItsWebhook(t *testing.T) {
	r, w := withLetters(t, 100)
	r.delivers()
	r.serving()
	r.start(api.StartReplay{All: true, ReplayPace: api.ReplayPace{Rate: new(50.0)}})
	r.await("some are delivered", func() bool { return r.sender.count(outbox.SubID(w.ID)) > 5 })
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	run := r.ended()
	if run.State != api.ReplayEnded || !strings.Contains(run.Ended, "removed") || run.Left == 0 {
		t.Errorf("%+v", run)
	}
	res, err := r.StartReplay(t.Context(), api.StartReplay{All: true})
	if err != nil || len(res.Runs) != 0 || res.Removed == 0 || fmt.Sprint(res.RemovedWebhooks) != "["+w.ID+"]" {
		t.Errorf("%+v, %v", res, err)
	}
	r.put(w.URL)
	r.start(api.StartReplay{All: true})
	if run := r.ended(); run.State != api.ReplayDone || run.Delivered != res.Removed {
		t.Errorf("%+v, want %d delivered", run, res.Removed)
	}
}

// A paused webhook's replay waits and says why; it goes on when the webhook is resumed.
func TestAReplayWaitsForAPausedWebhook(t *testing.T) {
	r, w := withLetters(t, 30)
	r.delivers()
	r.serving()
	if err := r.disp.Pause(t.Context(), outbox.SubID(w.ID), "by its user"); err != nil {
		t.Fatal(err)
	}
	r.start(api.StartReplay{All: true})
	r.await("it says why it waits", func() bool {
		runs, _ := r.Replays(t.Context())
		return runs[0].Queued == 10 && runs[0].Left == 20 && strings.Contains(runs[0].Waiting, "by its user")
	})
	if err := r.disp.Resume(t.Context(), outbox.SubID(w.ID)); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, r.ended(), api.ReplayDone, 30, 0, 0)
	r.sentOnce(30)
}

func TestAReplayIsRefusedWhereItWouldMeanNothing(t *testing.T) {
	r, w := withLetters(t, 3)
	_, err := r.StartReplay(t.Context(), api.StartReplay{All: true})
	wantError(t, err, api.CodeServiceUnavail, "start")
	dry, err := r.StartReplay(t.Context(), api.StartReplay{All: true, ReplayPace: api.ReplayPace{DryRun: true}})
	if err != nil || len(dry.Runs) != 1 || dry.Runs[0].Total != 3 || dry.Runs[0].Rate != api.DefaultReplayRate || r.status().Dead != 3 {
		t.Errorf("%+v, %v", dry, err)
	}
	r.serving()
	for _, rate := range []float64{-1, 1e9} {
		_, err := r.StartReplay(t.Context(), api.StartReplay{All: true, ReplayPace: api.ReplayPace{Rate: &rate}})
		wantError(t, err, api.CodeInvalidArguments, "rate")
	}
	_, err = r.StartReplay(t.Context(), api.StartReplay{})
	wantError(t, err, api.CodeInvalidArguments, "or all")
	_, err = r.StartReplay(t.Context(), api.StartReplay{All: true, DeadLetterFilter: api.DeadLetterFilter{IDs: []string{"dl_" + w.ID + "_1"}}})
	wantError(t, err, api.CodeInvalidArguments, "or all")
	_, err = r.StopReplay(t.Context(), api.StopReplay{Webhook: "wh_NONE"})
	wantError(t, err, api.CodeWebhookNotFound, "wh_NONE")
}

// TestAReplayKeepsItsRate: 40 deliveries at 40 a second take about a second, whatever the endpoint
// could take.
func TestAReplayKeepsItsRate(t *testing.T) {
	r, _ := withLetters(t, 44)
	r.delivers()
	r.serving()
	began := time.Now()
	r.start(api.StartReplay{All: true, ReplayPace: api.ReplayPace{Rate: new(40.0)}})
	run := r.ended()
	wantCounts(t, run, api.ReplayDone, 44, 0, 0)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("44 at 40 a second took %v", took)
	}
}

// What dies without an attempt while a replay runs says nothing about the endpoint: a replay whose
// webhook is removed ends because of that. It ended as gave_up, "59 deliveries in a row failed", or
// rightly, by chance.
func TestAReplayDoesNotGiveUpBecauseItsWebhookWasRemoved(t *testing.T) {
	r, w := withLetters(t, 400)
	r.serving()
	id := outbox.SubID(w.ID)
	r.sender.mu.Lock()
	r.sender.each = func(q dispatcher.Request) dispatcher.Result {
		if len(r.sender.got) == 30 {
			// the lane waits for this request
			go func() { _ = r.disp.Pause(context.Background(), id, "by its user") }()
		}
		return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	}
	r.sender.mu.Unlock()
	r.start(api.StartReplay{All: true, ReplayPace: api.ReplayPace{Rate: new(150.0)}})
	r.await("many wait behind the pause", func() bool {
		return r.disp.State(id).Status == dispatcher.StatusPaused && r.status().Pending > 50
	})
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	if run := r.ended(); run.State != api.ReplayEnded || !strings.Contains(run.Ended, "removed") || run.Left == 0 {
		t.Errorf("%+v", run)
	}
}

package recent

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

const hookID = outbox.SubID("wh_a")

// attempted tells r of an attempt that ends now.
func attempted(r *Recent, seq outbox.Seq, outcome string, res dispatcher.Result) {
	r.Attempted(dispatcher.AttemptEnd{
		Sub: hookID, Seq: seq, Event: "message.received", Attempt: 1, Result: res, Outcome: outcome,
		Start: time.Now().Add(-20 * time.Millisecond), Took: 20 * time.Millisecond,
	})
}

// died tells r of dead letters.
func died(r *Recent, e dispatcher.DeliveryEnd) {
	e.Sub, e.Dead, e.Count = hookID, true, max(1, e.Count)
	r.Ended(e)
}

func TestLastSuccessAndFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recent{}
		if got := r.Summary(hookID); got != (Summary{}) {
			t.Errorf("of a webhook nothing is known of: %+v", got)
		}
		attempted(r, 1, dispatcher.OutcomeDelivered, dispatcher.Result{Class: outbox.ClassOK, Status: 204})
		<-time.After(time.Minute)
		attempted(r, 2, dispatcher.OutcomeRetry, dispatcher.Result{Class: outbox.ClassHTTP, Status: 503, Message: "503 Service Unavailable"})
		attempted(r, 3, dispatcher.OutcomeThrottled, dispatcher.Result{Class: outbox.ClassHTTP, Status: 429, Message: "429"})
		attempted(r, 4, dispatcher.OutcomeNotAttempted, dispatcher.Result{Class: outbox.ClassLocal, Message: "no descriptors"})
		s := r.Summary(hookID)
		if s.Success.Seq != 1 || s.Success.Status != 204 || s.Success.Took != 20*time.Millisecond {
			t.Errorf("last success %+v", s.Success)
		}
		if s.Failure.Seq != 3 || s.Failure.Status != 429 || s.Failure.Message != "429" {
			t.Errorf("last failure %+v", s.Failure)
		}
		if s.Delivered != 1 || s.Failed != 2 {
			t.Errorf("%d delivered, %d failed", s.Delivered, s.Failed)
		}
	})
}

// TestTheHourByMinute: 60 minutes, the one that runs last, those before the first attempt empty;
// what is older than an hour counts no more, also when its place is not taken by a newer minute.
func TestTheHourByMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recent{}
		for i := range 70 {
			for range i + 1 {
				attempted(r, 1, dispatcher.OutcomeDelivered, dispatcher.Result{Class: outbox.ClassOK})
			}
			attempted(r, 1, dispatcher.OutcomeDead, dispatcher.Result{Class: outbox.ClassRefused})
			died(r, dispatcher.DeliveryEnd{Reason: "refused", Class: outbox.ClassRefused, Failing: true})
			r.Sample(map[outbox.SubID]int64{hookID: int64(i)})
			<-time.After(time.Minute)
		}
		got := r.Minutes(hookID)
		if len(got) != Minutes {
			t.Fatalf("%d minutes", len(got))
		}
		// the minute that runs has nothing; 59 before it are those of i = 11 … 69
		for i, m := range got[:Minutes-1] {
			want := int64(i + 11)
			if m.Delivered != want+1 || m.Failed != 1 || m.Dead != 1 || m.Waiting != want || !m.Known {
				t.Fatalf("minute %d: %+v", i, m)
			}
			if i > 0 && m.At.Sub(got[i-1].At) != time.Minute {
				t.Errorf("minute %d at %s, the one before at %s", i, m.At, got[i-1].At)
			}
		}
		if m := got[Minutes-1]; m.Delivered != 0 || m.Known || time.Since(m.At) > time.Minute {
			t.Errorf("the running minute: %+v", m)
		}
		if s := r.Summary(hookID); s.Failed != 59 {
			t.Errorf("%d failed in the hour", s.Failed)
		}
		<-time.After(30 * time.Minute)
		if s := r.Summary(hookID); s.Failed != 29 {
			t.Errorf("%d failed in the hour, 30 minutes later", s.Failed)
		}
		<-time.After(time.Hour)
		if s := r.Summary(hookID); s.Failed != 0 || s.Delivered != 0 || s.Success.At.IsZero() {
			t.Errorf("an hour later: %+v", s)
		}
	})
}

// TestAttemptsAreBounded: the last hundred, the newest first, with messages of a bounded length.
func TestAttemptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recent{}
		for n := range 3 {
			attempted(r, outbox.Seq(n), dispatcher.OutcomeDelivered, dispatcher.Result{Class: outbox.ClassOK})
		}
		if got := r.Attempts(hookID); len(got) != 3 || got[0].Seq != 2 || got[2].Seq != 0 {
			t.Errorf("attempts %+v", got)
		}
		long := strings.Repeat("ä", 4096)
		for n := range 1000 {
			attempted(r, outbox.Seq(n), dispatcher.OutcomeRetry, dispatcher.Result{Class: outbox.ClassHTTP, Status: 500, Message: long})
		}
		got := r.Attempts(hookID)
		if len(got) != MaxAttempts {
			t.Fatalf("%d attempts", len(got))
		}
		for i, a := range got {
			if a.Seq != outbox.Seq(999-i) || len(a.Message) > MaxMessage || !strings.HasPrefix(long, a.Message) {
				t.Fatalf("attempt %d: %+v", i, a)
			}
		}
	})
}

// TestResponsesAreBounded: what failed keeps the start of its response, in whole characters, what
// was delivered nothing.
func TestResponsesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			outcome    string
			body, want string
		}{
			"short":        {dispatcher.OutcomeRetry, "upstream is gone", "upstream is gone"},
			"throttled":    {dispatcher.OutcomeThrottled, "slower", "slower"},
			"long":         {dispatcher.OutcomeDead, "x" + strings.Repeat("ä", 4096), "x" + strings.Repeat("ä", (MaxExcerpt-1)/2)},
			"no text":      {dispatcher.OutcomeDead, strings.Repeat("\x80", 4096), ""},
			"none":         {dispatcher.OutcomeDead, "", ""},
			"delivered":    {dispatcher.OutcomeDelivered, "thank you", ""},
			"no full text": {dispatcher.OutcomeDead, "a\xffb", "ab"},
		} {
			r := &Recent{}
			attempted(r, 1, tc.outcome, dispatcher.Result{Class: outbox.ClassHTTP, Excerpt: []byte(tc.body)})
			if got := r.Attempts(hookID)[0].Excerpt; got != tc.want {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// TestDeadLettersRise: ten within an hour that nobody asked for; it ends by itself.
func TestDeadLettersRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recent{}
		rejected := dispatcher.DeliveryEnd{Reason: "400", Class: outbox.ClassHTTP}
		for range RisingAt - 1 {
			died(r, rejected)
			<-time.After(time.Minute)
		}
		if got := r.Summary(hookID).Rising; got.Count != RisingAt-1 || !got.Since.IsZero() {
			t.Errorf("one less: %+v", got)
		}
		// asked for, or dead already
		died(r, dispatcher.DeliveryEnd{Reason: dispatcher.ReasonSkipped, Count: 1000})
		died(r, dispatcher.DeliveryEnd{Reason: dispatcher.ReasonUnregistered, Count: 1000})
		died(r, dispatcher.DeliveryEnd{Reason: "400", Class: outbox.ClassHTTP, Replay: 1})
		r.Ended(dispatcher.DeliveryEnd{Sub: hookID, Count: 1})
		if got := r.Summary(hookID).Rising; got.Count != RisingAt-1 {
			t.Errorf("what does not count: %+v", got)
		}
		at := time.Now()
		died(r, rejected)
		<-time.After(20 * time.Minute)
		if got := r.Summary(hookID).Rising; got.Count != RisingAt || !got.Since.Equal(at) {
			t.Errorf("ten: %+v, want since %s", got, at)
		}
		<-time.After(time.Hour)
		if got := r.Summary(hookID).Rising; got != (Rising{}) {
			t.Errorf("an hour later: %+v", got)
		}
		for range RisingAt {
			died(r, dispatcher.DeliveryEnd{Reason: dispatcher.ReasonExpired})
		}
		if got := r.Summary(hookID).Rising; got.Count != RisingAt || !got.Since.Equal(time.Now()) {
			t.Errorf("anew: %+v, want since %s", got, time.Now())
		}
	})
}

// TestAnOutageDoesNotRise: the dead letters of a webhook that is failing are told of by that alarm,
// those before it included.
func TestAnOutageDoesNotRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recent{}
		for i := range 36 {
			died(r, dispatcher.DeliveryEnd{Reason: "refused", Class: outbox.ClassRefused, Failing: i >= 19})
			if rising := !r.Summary(hookID).Rising.Since.IsZero(); rising != (i >= 9 && i < 19) {
				t.Fatalf("after %d dead letters: rising %v", i+1, rising)
			}
		}
	})
}

// TestAClockThatIsSetBack counts what happens, and nothing that was to come.
func TestAClockThatIsSetBack(t *testing.T) {
	h := &hook{}
	now := time.Unix(1_800_000_000, 0)
	h.minute(now.Add(2 * time.Hour)).delivered = 7
	h.minute(now.Add(2 * time.Minute)).delivered = 5
	h.minute(now).delivered++
	h.minute(now.Add(-59*time.Minute)).delivered++
	h.minute(now.Add(-60*time.Minute)).delivered++ // the place of now
	h.minute(now).delivered++
	sum := int64(0)
	for i := range h.minutes {
		if h.minutes[i].within(now) {
			sum += h.minutes[i].delivered
		}
	}
	if sum != 2 {
		t.Errorf("%d within the hour, want 2", sum)
	}
}

// TestARemovedWebhookIsForgotten, and comes back empty.
func TestARemovedWebhookIsForgotten(t *testing.T) {
	r := &Recent{}
	for i := range 1000 {
		id := outbox.SubID(fmt.Sprintf("wh_%d", i))
		r.Attempted(dispatcher.AttemptEnd{Sub: id, Outcome: dispatcher.OutcomeDelivered, Start: time.Now()})
		r.LaneEnded(id)
	}
	if n := len(r.hooks); n != 0 {
		t.Errorf("%d webhooks are kept", n)
	}
	if len(r.Attempts("wh_1")) != 0 || r.Minutes("wh_1")[Minutes-1].Delivered != 0 || len(r.hooks) != 0 {
		t.Error("something is known of a webhook that is gone, or asking keeps it")
	}
}

// TestASampleForgetsWhatIsNotInUse, but not what has just begun to be.
func TestASampleForgetsWhatIsNotInUse(t *testing.T) {
	r := &Recent{}
	attempted(r, 1, dispatcher.OutcomeDelivered, dispatcher.Result{})
	r.Sample(nil)
	if len(r.Attempts(hookID)) != 1 {
		t.Error("forgotten at the first sample without it")
	}
	r.Sample(map[outbox.SubID]int64{hookID: 1})
	r.Sample(nil)
	if len(r.Attempts(hookID)) != 1 {
		t.Error("forgotten though it was in use meanwhile")
	}
	r.Sample(nil)
	if len(r.hooks) != 0 {
		t.Error("still kept")
	}
}

// BenchmarkObserve is what a delivery costs: one attempt and its end.
func BenchmarkObserve(b *testing.B) {
	r := &Recent{}
	a := dispatcher.AttemptEnd{Sub: hookID, Event: "message.received", Attempt: 1, Outcome: dispatcher.OutcomeDelivered, Result: dispatcher.Result{Class: outbox.ClassOK, Status: 200}}
	b.ReportAllocs()
	for b.Loop() {
		a.Start = time.Now()
		r.Attempted(a)
		r.Ended(dispatcher.DeliveryEnd{Sub: hookID, Count: 1})
	}
}

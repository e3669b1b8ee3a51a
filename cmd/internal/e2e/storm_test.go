package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"waoutbox/connection/wasim/fault"
	"waoutbox/dispatcher/receiver"
)

// factsVariable and killsVariable set how long the proofs of this file are; without them they are
// short, for every run of the tests.
const (
	factsVariable = "WAOUTBOX_STORM_FACTS"
	killsVariable = "WAOUTBOX_STORM_KILLS"
)

func fromEnvironment(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number above 0", name, v)
	}
	return n
}

// TestKillStorm: messages, receipts and group changes in several chats at mixed rates, the daemon
// killed at random moments, the connection cut, stanzas doubled and damaged, acknowledgements lost,
// one fact in ten sent again with another time, an endpoint that refuses every ninth POST. Every
// fact arrives, those of a chat in the order in which they happened, and twice only with the same
// event id and bytes.
//
// Mutation of dispatcher/scheduler/keys.go: chats are not known apart from events, so nothing
// waits; the whole path notices, because it compares what arrives with what was sent.
func TestKillStorm(t *testing.T) {
	t.Parallel()
	facts, kills := fromEnvironment(t, factsVariable, 240), fromEnvironment(t, killsVariable, 8)
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Latency: 2 * time.Millisecond, Script: failEveryNinth(3 * facts)})
	r.addWebhook(recv.URL(), secret, factEvents...)
	w := newWorld(r.phone, 8, 2)
	ctx := r.within(time.Minute + time.Duration(kills)*12*time.Second)

	tickets := make(chan struct{}, facts)
	var wg sync.WaitGroup
	for _, a := range w.actors {
		wg.Go(func() {
			for n := 0; ; n++ {
				if _, more := <-tickets; !more {
					return
				}
				if err := w.act(ctx, a, n, true); err != nil {
					t.Errorf("in %s: %v", a.chat, err)
					return
				}
			}
		})
	}
	trouble := []fault.Fault{
		{From: fault.Server, Tag: "message", Effect: fault.Twice},
		{From: fault.Server, Tag: "notification", Effect: fault.Twice},
		{From: fault.Server, Tag: "receipt", Effect: fault.Twice},
		{From: fault.Server, Tag: "message", Effect: fault.CutAfter},
		{From: fault.Server, Tag: "notification", Effect: fault.CutBefore},
		{From: fault.Companion, Tag: "receipt", Effect: fault.CutBefore},
		{From: fault.Companion, Tag: "receipt", Effect: fault.Lose},
		{From: fault.Companion, Tag: "ack", Effect: fault.Lose},
		{From: fault.Companion, Tag: "ack", Effect: fault.CutAfter},
		{From: fault.Companion, Tag: "iq", Effect: fault.CutBefore},
		{From: fault.Server, Tag: "success", Effect: fault.CutAfter},
		{From: fault.Server, Tag: "message", Effect: fault.Garble},
		{From: fault.Server, Tag: "notification", Effect: fault.Damage},
	}
	given := 0
	for k := range kills {
		for ; given < facts*(k+1)/kills; given++ {
			tickets <- struct{}{}
		}
		for range 2 {
			f := trouble[rand.IntN(len(trouble))]
			f.Skip = rand.IntN(20)
			if err := r.phone.Fault(f); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-time.After(time.Duration(rand.IntN(600)) * time.Millisecond):
		case <-ctx.Done():
		}
		r.kill()
		r.serve()
	}
	close(tickets)
	wg.Wait()
	r.phone.ClearFaults()
	w.settle(ctx, t, r, recv)
	c := recv.Counts()
	t.Logf("%d facts and %d copies, %d kills: %d POSTs, %d events, %d retried, %d repeats", w.total, w.extra, kills, c.Posts, c.Events, c.Retried, c.Duplicates)
}

// settle waits until WhatsApp holds nothing more and everything is delivered, and compares.
func (w *world) settle(ctx context.Context, t *testing.T, r *rig, recv *receiver.Receiver) {
	t.Helper()
	r.phone.Drop() // acknowledgements that were lost are only missed by another connection
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatalf("the simulator still holds %d stanzas: %v", len(r.phone.Pending()), err)
	}
	if err := recv.WaitFor(ctx, func(c receiver.Counts) bool { return c.Events >= w.total }); err != nil {
		t.Error(err)
	}
	r.until("nothing is pending", func() bool { return r.status().Pending == 0 })
	faults, _ := w.compare(recv.Deliveries())
	for _, f := range faults {
		t.Error(f)
	}
	for _, a := range r.phone.Acked() {
		if a.Error != "" {
			t.Errorf("%s %s was refused with %s", a.Class, a.ID, a.Error)
		}
	}
}

// TestOfflineForADay: messages, receipts and group changes of a day wait at WhatsApp, and are all
// delivered, in order per chat, with one gap event; when the daemon is killed meanwhile, with at
// most one more for each kill: a kill after the gap was told, while it still delivers, is an outage
// of its own.
func TestOfflineForADay(t *testing.T) {
	t.Parallel()
	for name, kills := range map[string]int{"undisturbed": 0, "killed while catching up": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := fromEnvironment(t, factsVariable, 240)
			r := newRig(t)
			r.serve()
			r.pair()
			recv := r.receiver(receiver.Options{Secret: secret})
			r.addWebhook(recv.URL(), secret, factEvents...)
			gaps := r.receiver(receiver.Options{Secret: secret})
			r.addWebhook(gaps.URL(), secret, "connection.update")
			w := newWorld(r.phone, 8, 2)
			ctx := r.within(2*time.Minute + time.Duration(facts)*20*time.Millisecond)
			r.kill()
			down := time.Now()
			for n := range facts {
				r.sim.SetClock(time.Duration(n)*24*time.Hour/time.Duration(facts) - 24*time.Hour)
				if err := w.act(ctx, w.actors[n%len(w.actors)], n/len(w.actors), false); err != nil {
					t.Fatal(err)
				}
			}
			r.sim.SetClock(0)
			r.serve()
			for k := range kills {
				r.until("a part has arrived", func() bool { return recv.Counts().Events > facts*(k+1)/(kills+2) })
				r.kill()
				r.serve()
			}
			w.settle(ctx, t, r, recv)
			r.until("the gap is told", func() bool { return countGaps(gaps) > 0 })
			if n := countGaps(gaps); n > kills+1 || kills == 0 && n != 1 {
				t.Errorf("%d gap events after %d kills", n, kills)
			}
			if from := firstGap(gaps); from.After(down) {
				t.Errorf("the gap is said to begin at %v, after the service was down at %v", from, down)
			}
			t.Logf("%d facts of a day, %d kills: %d gap events", w.total, kills, countGaps(gaps))
		})
	}
}

var gapIn = regexp.MustCompile(`"gap":\{"from":([0-9]+)`)

// firstGap is when the first gap that was told began.
func firstGap(recv *receiver.Receiver) (first time.Time) {
	for _, d := range recv.Deliveries() {
		m := gapIn.FindSubmatch(d.Body)
		if m == nil || !d.Accepted() {
			continue
		}
		ms, _ := strconv.ParseInt(string(m[1]), 10, 64)
		if from := time.UnixMilli(ms); first.IsZero() || from.Before(first) {
			first = from
		}
	}
	return first
}

// countGaps is how many events told of a gap.
func countGaps(recv *receiver.Receiver) int {
	told := make(map[string]bool)
	for _, d := range recv.Deliveries() {
		if d.Accepted() && gapIn.Match(d.Body) {
			told[d.EventID] = true
		}
	}
	return len(told)
}

// TestArrivalsAreComparedWithWhatWasDone: the comparison of the proofs sees what rising sequences
// do not show, a fact that was overtaken before it got its sequence.
func TestArrivalsAreComparedWithWhatWasDone(t *testing.T) {
	t.Parallel()
	post := func(id string, seq uint64) receiver.Delivery {
		body := []byte(`{"event":"message.received","data":{"messages":[{"key":{"remoteJid":"` + id[:1] + `","id":"` + id + `"}}]}}`)
		return receiver.Delivery{Status: http.StatusOK, Body: body, EventID: id, Seq: seq, Signature: receiver.SignatureValid}
	}
	refused := post("A1", 1)
	refused.Status = http.StatusServiceUnavailable
	changed := post("A1", 1)
	changed.Body = append(changed.Body, ' ')
	w := &world{chats: map[string][]string{"A": {"message A1", "message A2"}, "B": {"message B1"}}}
	for name, tt := range map[string]struct {
		posts  []receiver.Delivery
		faults int
	}{
		"as done, with a repeat and a retry": {[]receiver.Delivery{refused, post("B1", 3), post("A1", 1), post("A1", 1), post("A2", 2)}, 0},
		"overtaken, sequences rise":          {[]receiver.Delivery{post("A2", 1), post("A1", 2), post("B1", 3)}, 1},
		"overtaken, sequences fall":          {[]receiver.Delivery{post("A2", 2), post("A1", 1), post("B1", 3)}, 2},
		"lost":                               {[]receiver.Delivery{post("A1", 1), post("B1", 3)}, 1},
		"from nowhere":                       {[]receiver.Delivery{post("A1", 1), post("A2", 2), post("B1", 3), post("C1", 4)}, 1},
		"with other bytes":                   {[]receiver.Delivery{post("A1", 1), changed, post("A2", 2), post("B1", 3)}, 1},
	} {
		if faults, _ := w.compare(tt.posts); len(faults) != tt.faults {
			t.Errorf("%s: %q, want %d", name, faults, tt.faults)
		}
	}
}

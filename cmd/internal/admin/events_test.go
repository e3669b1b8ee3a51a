package admin

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// sequences returns the sequences of a page's events.
func sequences(page api.EventPage) (seqs []uint64) {
	for _, ev := range page.Items {
		seqs = append(seqs, ev.Sequence)
	}
	return seqs
}

// log appends events at given seconds, alternating two chats and two names.
func (r *rig) log(seconds ...int64) {
	r.t.Helper()
	for i, s := range seconds {
		r.n++
		ev := outbox.Event{
			Key: fmt.Sprintf("evt_%032x", r.n), Time: time.Unix(s, 0), Name: "message.received", Chat: "1@lid", ChatAlt: "491700000001@s.whatsapp.net",
			Account: "491515550100@s.whatsapp.net", Message: "3EB0", Body: fmt.Appendf(nil, `{"n":%d}`, r.n),
		}
		if i%2 == 1 {
			ev.Name, ev.Chat, ev.ChatAlt = "message.sent", "2@g.us", ""
		}
		if _, err := r.box.Append(r.t.Context(), ev); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestEventsAreFilteredInBothDirections(t *testing.T) {
	r := newRig(t)
	base := time.Now().Add(-30 * time.Hour).Unix()
	var at []int64
	for i := range int64(20) {
		at = append(at, base+i*3600)
	}
	r.log(at...)
	since := func(i int) time.Time { return time.Unix(at[i], 0) }
	for name, tc := range map[string]struct {
		q    api.EventQuery
		want []uint64
	}{
		"all":            {api.EventQuery{Limit: 3}, []uint64{1, 2, 3}},
		"newest":         {api.EventQuery{Limit: 3, Backward: true}, []uint64{20, 19, 18}},
		"event":          {api.EventQuery{EventFilter: api.EventFilter{Event: "message.sent"}, Limit: 2}, []uint64{2, 4}},
		"chat":           {api.EventQuery{EventFilter: api.EventFilter{Chat: "1@LID"}, Limit: 2, Backward: true}, []uint64{19, 17}},
		"other address":  {api.EventQuery{EventFilter: api.EventFilter{Chat: "+49 170 0000001"}, Limit: 2}, []uint64{1, 3}},
		"device":         {api.EventQuery{EventFilter: api.EventFilter{Chat: "491700000001:7@c.us"}, Limit: 1}, []uint64{1}},
		"since":          {api.EventQuery{EventFilter: api.EventFilter{Since: since(15)}}, []uint64{16, 17, 18, 19, 20}},
		"since backward": {api.EventQuery{EventFilter: api.EventFilter{Since: since(17)}, Backward: true}, []uint64{20, 19, 18}},
		"until":          {api.EventQuery{EventFilter: api.EventFilter{Until: since(2)}}, []uint64{1, 2}},
		"span":           {api.EventQuery{EventFilter: api.EventFilter{Since: since(4), Until: since(6)}, Backward: true}, []uint64{6, 5}},
		"from":           {api.EventQuery{From: 19}, []uint64{19, 20}},
	} {
		page, err := r.Events(t.Context(), tc.q)
		if got := sequences(page); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, tc.want)
		}
	}
	page, err := r.Events(t.Context(), api.EventQuery{Limit: 1})
	if ev := page.Items[0]; err != nil || ev.Body != "" || ev.ID == "" || ev.Chat != "1@lid" || ev.ChatAlt == "" || ev.Message != "3EB0" || ev.Account == "" || page.Last != 20 || page.Next != 2 || !page.More {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err = r.Events(t.Context(), api.EventQuery{Limit: 1, Bodies: true}); err != nil || page.Items[0].Body != `{"n":1}` || page.Items[0].Bytes != 7 {
		t.Errorf("%+v, %v", page, err)
	}
	for _, q := range []api.EventQuery{
		{EventFilter: api.EventFilter{Event: "message.sentt"}}, {EventFilter: api.EventFilter{Chat: "nobody"}}, {WaitSeconds: 31}, {WaitSeconds: 1, Backward: true},
		{EventFilter: api.EventFilter{Since: since(3), Until: since(3)}},
	} {
		if _, err := r.Events(t.Context(), q); api.CodeOf(err) != api.CodeInvalidArguments && api.CodeOf(err) != api.CodeInvalidEvents {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// A page that waits returns with what arrives, and only with what its filter wants.
func TestEventsWaitForWhatArrives(t *testing.T) {
	r := newRig(t)
	r.log(time.Now().Unix())
	got := make(chan api.EventPage, 1)
	go func() {
		page, err := r.Events(t.Context(), api.EventQuery{From: 2, EventFilter: api.EventFilter{Event: "message.sent"}, WaitSeconds: 20})
		if err != nil {
			t.Error(err)
		}
		got <- page
	}()
	now := time.Now().Unix()
	r.log(now, now) // the second one is a message.sent
	if page := <-got; !slices.Equal(sequences(page), []uint64{3}) || page.Next != 4 {
		t.Errorf("%+v", page)
	}
	if page, err := r.Events(t.Context(), api.EventQuery{From: 4, WaitSeconds: 1}); err != nil || len(page.Items) != 0 || page.Next != 4 || page.More {
		t.Errorf("%+v, %v", page, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Events(ctx, api.EventQuery{From: 4, WaitSeconds: 20}); err == nil {
		t.Error("a wait outlived its caller")
	}
}

// An event's place at each webhook: delivered, pending, dead, not owed, or unknown where the filter
// changed.
func TestWhereAnEventStands(t *testing.T) {
	r := newRig(t)
	all, sent := r.put("http://localhost/all").Webhook, r.put("http://localhost/sent", "message.sent").Webhook
	now := time.Now().Unix()
	r.log(now, now)
	r.sender.mu.Lock()
	r.sender.each = func(req dispatcher.Request) dispatcher.Result {
		if string(req.Sub) == all.ID {
			return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
		}
		return dispatcher.Result{Class: outbox.ClassHTTP, Status: 500, Message: "500"}
	}
	r.sender.mu.Unlock()
	r.deliver("both have ended", func() bool { st := r.status(); return st.Pending == 0 && st.Dead == 1 })
	late := r.put("http://localhost/late").Webhook
	r.log(now)
	states := func(ref string) map[string]api.EventDelivery {
		t.Helper()
		d, err := r.Event(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]api.EventDelivery{}
		for _, w := range d.Deliveries {
			out[w.Webhook] = w
		}
		return out
	}
	want := func(ref string, states map[string]api.EventDelivery, id string, state api.EventDeliveryState) {
		t.Helper()
		if states[id].State != state {
			t.Errorf("%s at %s: %+v, want %s", ref, id, states[id], state)
		}
	}
	first, second, third := states("1"), states("evt_00000000000000000000000000000002"), states("3")
	want("1", first, all.ID, api.EventDelivered)
	want("1", first, sent.ID, api.EventNotOwed)
	want("1", first, late.ID, api.EventNotOwed)
	want("2", second, all.ID, api.EventDelivered)
	want("2", second, sent.ID, api.EventDead)
	if d := second[sent.ID]; d.Attempts != 4 || d.LastError.Status != 500 || d.DeadLetter != "dl_"+sent.ID+"_2" {
		t.Errorf("%+v", d)
	}
	want("3", third, all.ID, api.EventPending)
	want("3", third, late.ID, api.EventPending)
	want("3", third, sent.ID, api.EventNotOwed)
	d, err := r.Event(t.Context(), "dl_"+sent.ID+"_2")
	if err != nil || d.Sequence != 2 || d.Body != `{"n":2}` {
		t.Errorf("%+v, %v", d, err)
	}
	for ref, code := range map[string]api.Code{"9": api.CodeNotFound, "evt_1": api.CodeNotFound, "x": api.CodeInvalidArguments, "0": api.CodeInvalidArguments, "": api.CodeInvalidArguments, "-1": api.CodeInvalidArguments} {
		_, err := r.Event(t.Context(), ref)
		wantError(t, err, code, "event list")
	}
}

// While an attempt is under way its delivery is in flight, and no other: neither the next of its
// chat, nor when the attempt has ended.
func TestWhatIsInFlight(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/slow").Webhook.ID
	r.log(1)
	r.log(2) // of the same chat
	asked, respond := make(chan outbox.Seq), make(chan struct{})
	r.sender.mu.Lock()
	r.sender.each = func(req dispatcher.Request) dispatcher.Result {
		asked <- req.Event.Seq
		<-respond
		return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	}
	r.sender.mu.Unlock()
	flights := func() (out []bool) {
		t.Helper()
		for _, ref := range []string{"1", "2"} {
			d, err := r.Event(t.Context(), ref)
			if err != nil || len(d.Deliveries) != 1 || d.Deliveries[0].Webhook != id {
				t.Fatalf("%+v, %v", d, err)
			}
			out = append(out, d.Deliveries[0].InFlight)
		}
		return out
	}
	if got := flights(); !slices.Equal(got, []bool{false, false}) {
		t.Errorf("nothing is delivered yet: %v", got)
	}
	r.deliver("both are delivered", func() bool {
		for i := range 2 {
			if seq := <-asked; seq != outbox.Seq(i+1) {
				t.Errorf("attempt %d is of %d", i, seq)
			}
			if got := flights(); !slices.Equal(got, []bool{i == 0, i == 1}) {
				t.Errorf("while %d is sent: %v", i+1, got)
			}
			respond <- struct{}{}
		}
		r.await("nothing waits", func() bool { return r.status().Pending == 0 })
		return true
	})
	if got := flights(); !slices.Equal(got, []bool{false, false}) {
		t.Errorf("after the end: %v", got)
	}
}

// Past events go to the webhook once more, under the filter in force now: what was delivered, what
// is dead, and what an older filter had left out.
func TestPastEventsAreReplayed(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received").Webhook
	now := time.Now()
	var at []int64
	for range 300 {
		at = append(at, now.Add(-time.Hour).Unix())
	}
	r.log(at...)
	r.delivers()
	r.deliver("what was owed is delivered", func() bool { return r.status().Pending == 0 && r.sender.count(outbox.SubID(w.ID)) == 150 })
	r.put(w.URL, "message.sent") // the others were never owed
	r.sender.mu.Lock()
	r.sender.got = nil
	r.sender.mu.Unlock()
	r.serving()
	since := api.EventFilter{Since: now.Add(-2 * time.Hour)}
	pace := api.ReplayPace{Rate: new(0.0)}
	dry, err := r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.URL, EventFilter: since, ReplayPace: api.ReplayPace{DryRun: true}})
	if err != nil || len(dry.Runs) != 1 || dry.Runs[0].Total != 150 || dry.Runs[0].Kind != api.ReplayPastEvents {
		t.Errorf("%+v, %v", dry, err)
	}
	res, err := r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.ID, EventFilter: since, ReplayPace: pace})
	if err != nil || len(res.Runs) != 1 || res.Runs[0].Total != 150 || res.NotYet {
		t.Fatalf("%+v, %v", res, err)
	}
	wantCounts(t, r.ended(), api.ReplayDone, 150, 0, 0)
	r.sender.mu.Lock()
	for i, req := range r.sender.got {
		if req.Event.Name != "message.sent" || req.Replay != 1 || req.Attempt != 1 || req.Event.Seq != outbox.Seq(2*i+2) {
			t.Fatalf("request %d: %d %s, replay %d, attempt %d", i, req.Event.Seq, req.Event.Name, req.Replay, req.Attempt)
		}
	}
	if len(r.sender.got) != 150 {
		t.Errorf("%d requests", len(r.sender.got))
	}
	r.sender.mu.Unlock()
	// by id: one that it wants, one that it does not, one that is not there, one that it gets
	// anyway
	r.log(now.Unix(), now.Unix())
	r.await("the new one is delivered", func() bool { return r.sender.count(outbox.SubID(w.ID)) == 151 })
	r.await("and settled", func() bool { return r.status().Pending == 0 })
	res, err = r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.ID, IDs: []string{"2", "evt_0000000000000000000000000000012e", "1", "999"}, ReplayPace: pace})
	if err != nil || len(res.Runs) != 1 || res.Runs[0].Total != 2 || fmt.Sprint(res.Missing) != "[1 999]" {
		t.Errorf("%+v, %v", res, err)
	}
	wantCounts(t, r.ended(), api.ReplayDone, 2, 0, 0)
	for _, in := range []api.ReplayEvents{{Webhook: w.ID}, {EventFilter: since}, {Webhook: w.ID, IDs: []string{"1"}, EventFilter: since}} {
		if _, err := r.ReplayEvents(t.Context(), in); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// Without a service the first 256 are queued and leave with its next start; what the webhook has
// not come to is left out.
func TestPastEventsAreQueuedWithoutAService(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received", "message.sent").Webhook
	now := time.Now()
	var at []int64
	for range 300 {
		at = append(at, now.Unix())
	}
	r.log(at...)
	r.delivers()
	r.deliver("all are delivered", func() bool { return r.status().Pending == 0 })
	r.log(now.Unix())
	in := api.ReplayEvents{Webhook: w.ID, EventFilter: api.EventFilter{Since: now.Add(-time.Hour)}}
	res, err := r.ReplayEvents(t.Context(), in)
	if err != nil || res.Queued != 256 || res.Runs[0].Total != 300 || !res.NotYet {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err = r.ReplayEvents(t.Context(), in); err != nil || res.Queued != 0 {
		t.Errorf("with 256 outstanding: %+v, %v", res, err)
	}
	r.deliver("all are delivered again", func() bool { return r.status().Pending == 0 })
	if n := r.sender.count(outbox.SubID(w.ID)); n != 300+256+1 {
		t.Errorf("%d requests", n)
	}
}

// What waits for a webhook already is no part of a replay. It was counted (2 by id, 3 by time, and
// not left out), and the progress went through it though nothing moved.
func TestWhatWaitsAlreadyIsNotReplayed(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received", "message.sent").Webhook
	now := time.Now()
	r.log(now.Unix(), now.Unix(), now.Unix())
	r.delivers()
	r.deliver("all are delivered", func() bool { return r.status().Pending == 0 })
	in := api.ReplayEvents{Webhook: w.ID, IDs: []string{"2"}}
	if res, err := r.ReplayEvents(t.Context(), in); err != nil || res.Queued != 1 || res.NotYet {
		t.Fatalf("%+v, %v", res, err)
	}
	dry := api.ReplayPace{DryRun: true}
	if res, err := r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.ID, IDs: []string{"2", "3"}, ReplayPace: dry}); err != nil || res.Runs[0].Total != 1 || !res.NotYet {
		t.Errorf("by id: %+v, %v", res, err)
	}
	since := api.EventFilter{Since: now.Add(-time.Hour)}
	if res, err := r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.ID, EventFilter: since, ReplayPace: dry}); err != nil || res.Runs[0].Total != 2 || !res.NotYet {
		t.Errorf("by time: %+v, %v", res, err)
	}
	since.Until = now.Add(time.Hour)
	if res, err := r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: w.ID, EventFilter: since}); err != nil || res.Queued != 2 || res.Runs[0].Total != 2 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestAnEventIsFoundWithoutAWalk: by the index of the ids that WhatsApp gave it, and one with a
// random id among the newest events. Before, whoever named an event walked the log.
func TestAnEventIsFoundWithoutAWalk(t *testing.T) {
	r := newRig(t)
	r.arrive("message.received", 300)
	if _, err := r.box.Append(t.Context(), outbox.Event{Key: "evt_random", Random: true, Name: "presence.update", Time: time.Now(), Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	log := &logCounting{Engine: r.o.Engine}
	r.o.Engine = log
	for id, want := range map[string]uint64{fmt.Sprintf("evt_%032d", 1): 1, fmt.Sprintf("evt_%032d", 299): 299} {
		if ev, err := r.Event(t.Context(), id); err != nil || ev.Sequence != want || log.pages != 0 {
			t.Errorf("%s: %d, %v; %d parts of the log were read", id, ev.Sequence, err, log.pages)
		}
	}
	if ev, err := r.Event(t.Context(), "evt_random"); err != nil || ev.Sequence != 301 {
		t.Errorf("with a random id: %+v, %v", ev, err)
	}
	_, err := r.Event(t.Context(), "evt_never")
	wantError(t, err, api.CodeNotFound, "evt_never")
}

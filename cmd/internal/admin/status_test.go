package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// fixedLink is a WhatsApp link in a fixed state.
type fixedLink struct {
	linkOps
	link   api.Link
	alarms []api.Alarm
}

func (s fixedLink) Link() api.Link      { return s.link }
func (s fixedLink) Alarms() []api.Alarm { return s.alarms }

// linkOps is the rest of a link; nothing here calls it.
type linkOps interface{ Link }

// Mutation of status.go: the alarm of a link that is down waits for the clock, which may have been
// set back.
func TestLinkAlarms(t *testing.T) {
	const after = 5 * time.Minute
	long := time.Now().Add(-2 * after)
	for name, tc := range map[string]struct {
		link     api.Link
		webhooks int
		want     string
	}{
		"connected":             {api.Link{State: api.LinkConnected, Since: long}, 1, ""},
		"unlinked, nothing":     {api.Link{State: api.LinkUnlinked, Since: long}, 0, ""},
		"unlinked, webhooks":    {api.Link{State: api.LinkUnlinked, Since: long}, 1, "not_linked"},
		"pairing":               {api.Link{State: api.LinkPairing, Since: long}, 1, ""},
		"connecting, a blink":   {api.Link{State: api.LinkConnecting, Since: time.Now()}, 1, ""},
		"connecting, a while":   {api.Link{State: api.LinkConnecting, Since: time.Now().Add(-after / 2)}, 1, ""},
		"connecting, set back":  {api.Link{State: api.LinkConnecting, Since: time.Now().Add(24 * time.Hour), For: 2 * after}, 0, "link_down"},
		"connecting, set ahead": {api.Link{State: api.LinkConnecting, Since: time.Now().Add(-24 * time.Hour), For: time.Second}, 0, ""},
		"connecting, long":      {api.Link{State: api.LinkConnecting, Since: long, Reason: "no route"}, 0, "link_down"},
	} {
		got := ""
		if a := (&Service{o: Options{LinkDownAfter: after}}).linkAlarms(tc.link, tc.webhooks); len(a) > 0 {
			got = a[0].Code
		}
		if got != tc.want {
			t.Errorf("%s: alarm %q, want %q", name, got, tc.want)
		}
	}
}

// The commands that the link's own alarms name are on this state. Before, they were on the usual
// one, where another account may be.
func TestTheLinksAlarmsNameTheState(t *testing.T) {
	r := newRig(t)
	r.o.Link = saidLink{fixedLink{link: api.Link{State: api.LinkUnlinked}, alarms: []api.Alarm{{Code: "logged_out", Message: "It is gone. Link it again: waoutbox pair"}}}, r.say}
	want := "It is gone. Link it again: " + term.Command(r.o.StateDir, "pair")
	for range 2 {
		if st := r.status(); len(st.Alarms) != 1 || st.Alarms[0].Message != want {
			t.Errorf("alarms %+v, want %s", st.Alarms, want)
		}
	}
}

func TestStatusShowsTheLinksOwnAlarms(t *testing.T) {
	r := newRig(t)
	r.o.Link = fixedLink{link: api.Link{State: api.LinkUnlinked}, alarms: []api.Alarm{{Code: "logged_out"}}}
	r.put("http://localhost/hook")
	if st := r.status(); len(st.Alarms) != 1 || st.Alarms[0].Code != "logged_out" {
		t.Errorf("alarms: %+v", st.Alarms)
	}
}

func TestStatusOfAPausedWebhook(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	if err := r.disp.Pause(context.Background(), "wh_unknown", "x"); err == nil {
		t.Error("an unknown webhook was paused")
	}
	if err := r.disp.Pause(t.Context(), outbox.SubID(w.ID), "the endpoint answered 410 Gone"); err != nil {
		t.Fatal(err)
	}
	st := r.status()
	if len(st.Webhooks) != 1 || st.Webhooks[0].Status != api.WebhookPaused || st.Webhooks[0].Reason == "" || len(st.Alarms) != 1 || st.Alarms[0].Code != "webhook_paused" {
		t.Errorf("status: %+v", st)
	}
	// registering again resumes
	if r.put(w.URL); r.status().Webhooks[0].Status != api.WebhookActive {
		t.Errorf("after registering again: %+v", r.status().Webhooks)
	}
}

// halfRead is an engine one page of whose file cannot be read: its counts fail, its subscriptions
// are in memory.
type halfRead struct{ Engine }

func (halfRead) Stats(context.Context) (outbox.Stats, error) {
	return outbox.Stats{}, errors.New("statistics: page 38 cannot be read")
}

func TestStatusOfADamagedFile(t *testing.T) {
	r := newRig(t)
	r.put("http://localhost/hook")
	r.o.Engine = halfRead{r.o.Engine}
	st := r.status()
	if !st.CountsUnknown || len(st.Webhooks) != 1 || len(st.Alarms) != 1 || st.Alarms[0].Code != "outbox_damaged" || !strings.Contains(st.Alarms[0].Message, "page 38") {
		t.Errorf("webhooks %+v, alarms %+v", st.Webhooks, st.Alarms)
	}
	// Before, this printed "read the webhooks: statistics: page 38 cannot be read".
	list, err := r.Webhooks(t.Context())
	if err != nil || len(list) != 1 || !list[0].CountsUnknown {
		t.Errorf("listed: %+v, %v, want one webhook whose counts are unknown, not 0", list, err)
	}
	if w, err := r.Webhook(t.Context(), list[0].ID); err != nil || !w.CountsUnknown {
		t.Errorf("shown: %+v, %v", w, err)
	}
	// Before, this printed "remove the webhook: statistics: page 38 cannot be read".
	r.arrive("message.received", 3)
	if res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: list[0].ID}); err != nil || !res.Removed || res.DeadLettered != 3 {
		t.Errorf("removed: %+v, %v", res, err)
	}
	if page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{}); err != nil || page.Total != 3 || len(page.Items) != 3 {
		t.Errorf("dead letters: %+v, %v", page, err)
	}
}

// faulty is an engine with some faults, which counts nothing meanwhile.
type faulty struct {
	Engine
	faults []outbox.Fault
}

func (e faulty) Stats(ctx context.Context) (outbox.Stats, error) {
	st, err := e.Engine.Stats(ctx)
	st.Faults, st.CountsUnknown = e.faults, true
	return st, err
}

// TestEveryFaultIsAnAlarmWithItsOwnSince: before, there was one fault, the last, and its "since"
// moved with every write.
func TestEveryFaultIsAnAlarmWithItsOwnSince(t *testing.T) {
	r := newRig(t)
	r.put("http://localhost/hook")
	full, commit := time.UnixMilli(1000), time.UnixMilli(2000)
	r.o.Engine = faulty{r.box, []outbox.Fault{{Cause: outbox.FaultDiskFull, Message: "full", Since: full}, {Cause: outbox.FaultCommit, Message: "unknown", Since: commit}}}
	st := r.status()
	if len(st.Alarms) != 2 || st.Alarms[0].Code != "outbox_disk_full" || !st.Alarms[0].Since.Equal(full) || st.Alarms[1].Code != "outbox_commit" || !st.Alarms[1].Since.Equal(commit) {
		t.Errorf("alarms: %+v", st.Alarms)
	}
	if len(st.Webhooks) != 1 || !st.Webhooks[0].CountsUnknown {
		t.Errorf("webhooks: %+v", st.Webhooks)
	}
}

// What to do about a damaged file stands beside the alarm, whoever noticed it.
func TestUnreadableFaultSaysWhatToDo(t *testing.T) {
	r := newRig(t)
	r.o.Engine = faulty{r.box, []outbox.Fault{{Cause: outbox.FaultUnreadable, Message: "page 38", Since: time.UnixMilli(1)}}}
	st := r.status()
	if len(st.Alarms) != 1 || st.Alarms[0].Code != "outbox_unreadable" || !strings.Contains(st.Alarms[0].Message, "page 38. ") || !strings.Contains(st.Alarms[0].Message, "restore a backup") {
		t.Errorf("alarms: %+v", st.Alarms)
	}
}

// stopped is an engine that a fault has ended: it lists nothing and says why.
type stopped struct{ Engine }

func (stopped) Subs(context.Context) ([]outbox.Subscription, error) { return nil, outbox.ErrClosed }

func (stopped) Stats(context.Context) (outbox.Stats, error) {
	return outbox.Stats{CountsUnknown: true, Faults: []outbox.Fault{{Cause: outbox.FaultStopped, Message: "restart it", Since: time.UnixMilli(1)}}}, nil
}

// TestStatusOfAStoppedOutboxSaysWhy: before, status printed "the outbox is closed: the service is
// stopping or met a fault; see waoutbox status".
func TestStatusOfAStoppedOutboxSaysWhy(t *testing.T) {
	r := newRig(t)
	r.o.Engine = stopped{r.box}
	if st := r.status(); !st.CountsUnknown || len(st.Alarms) != 1 || st.Alarms[0].Code != "outbox_stopped" {
		t.Errorf("status: %+v", st)
	}
	_, err := r.Webhooks(t.Context())
	wantError(t, err, api.CodeServiceUnavail, "is closed")
}

// TestAFullWebhookIsAnAlarm: it says how many deliveries are unfinished, and since when nothing
// more is read; the rest waits in the outbox.
//
// Mutation of status.go: nobody is told that it is not read on.
func TestAFullWebhookIsAnAlarm(t *testing.T) {
	r := newRig(t)
	r.disp = dispatcher.New(dispatcher.Options{
		Source: r.box, Subscriptions: r.box, Sender: r.sender, Schedule: dispatcher.Schedule{0, time.Hour}, MaxUnfinished: 8,
	})
	r.o.Dispatcher = r.disp
	id := r.put("http://localhost/hook").Webhook.ID
	r.arrive("message.received", 20)
	r.deliver("it is full", func() bool { return len(r.status().Alarms) > 0 })
	r.deliver("it is full after a restart too", func() bool {
		st := r.status()
		return len(st.Alarms) == 1 && st.Alarms[0].Code == "webhook_full" && time.Since(st.Alarms[0].Since) < time.Minute &&
			strings.Contains(st.Alarms[0].Message, id+" has 8 unfinished deliveries") && st.Webhooks[0].Pending == 20
	})
}

// TestAFailingWebhookIsAnAlarm: with the last error, since when, and how to end it; and a test that
// succeeds ends it at once.
//
// Mutation of status.go: nobody is told that a webhook is failing, and status --check finds
// nothing.
func TestAFailingWebhookIsAnAlarm(t *testing.T) {
	r := newRig(t)
	r.runDaemon()
	id := r.status().Webhooks[0].ID
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: id, HoldAfter: new(20)}); err != nil {
		t.Fatal(err)
	}
	r.arrive("message.received", 100)
	r.await("it is failing", func() bool { return r.status().Webhooks[0].Status == api.WebhookFailing })
	st := r.status()
	if w := st.Webhooks[0]; !strings.Contains(w.Reason, "500 Internal Server Error") || w.HoldAfter != 20 {
		t.Errorf("webhook %+v", w)
	}
	if len(st.Alarms) != 1 || st.Alarms[0].Code != "webhook_failing" || time.Since(st.Alarms[0].Since) > time.Minute ||
		!strings.Contains(st.Alarms[0].Message, "500 Internal Server Error") || !strings.Contains(st.Alarms[0].Message, "webhook test "+id) {
		t.Errorf("alarms %+v", st.Alarms)
	}
	if w := st.Webhooks[0]; w.Dead > 40 || w.Pending < 60 {
		t.Errorf("%d dead, %d pending of 100", w.Dead, w.Pending)
	}
	r.sender.set(dispatcher.Result{Class: outbox.ClassOK, Status: 200})
	if _, err := r.TestWebhook(t.Context(), api.TestWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	if st := r.status(); st.Webhooks[0].Status != api.WebhookActive {
		t.Errorf("after a test that succeeded: %+v", st.Webhooks[0])
	}
	r.await("all is delivered", func() bool { return r.status().Webhooks[0].Pending == 0 })
	if st := r.status(); len(st.Alarms) != 0 || st.Webhooks[0].Status != api.WebhookActive {
		t.Errorf("afterwards: %+v", st)
	}
}

// TestATestEndsAnOutageWithoutADaemonToo: by what lies on disk.
func TestATestEndsAnOutageWithoutADaemonToo(t *testing.T) {
	r := newRig(t)
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", HoldAfter: new(3)})
	if err != nil {
		t.Fatal(err)
	}
	r.arrive("message.received", 10)
	r.deliver("it is failing", func() bool { return r.status().Webhooks[0].Status == api.WebhookFailing })
	if st := r.status(); len(st.Alarms) != 1 || st.Alarms[0].Code != "webhook_failing" {
		t.Errorf("alarms without a daemon: %+v", st.Alarms)
	}
	for _, c := range []struct {
		res  dispatcher.Result
		want api.WebhookStatus
	}{
		{dispatcher.Result{Class: outbox.ClassHTTP, Status: 500}, api.WebhookFailing},
		{dispatcher.Result{Class: outbox.ClassOK, Status: 200}, api.WebhookActive},
	} {
		r.sender.set(c.res)
		if tested, err := r.TestWebhook(t.Context(), api.TestWebhook{Webhook: res.Webhook.ID}); err != nil || tested.Was != api.WebhookFailing {
			t.Fatalf("it was %q, %v", tested.Was, err)
		}
		if w := r.status().Webhooks[0]; w.Status != c.want {
			t.Errorf("after a test with %d: %+v", c.res.Status, w)
		}
	}
}

// TestHoldAfterIsCheckedAndKept: an update that leaves it out keeps it.
func TestHoldAfterIsCheckedAndKept(t *testing.T) {
	r := newRig(t)
	for _, n := range []int{-1, 10_001} {
		if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", HoldAfter: &n}); err == nil {
			t.Errorf("%d was accepted", n)
		}
	}
	for _, in := range []api.PutWebhook{{HoldAfter: new(7)}, {}, {Ordered: new(false)}} {
		in.URL = "http://localhost/hook"
		res, err := r.PutWebhook(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if w := res.Webhook; w.HoldAfter != 7 || r.stored(w.ID).HoldLimit() != 7 {
			t.Errorf("kept %d", w.HoldAfter)
		}
	}
}

// TestWhatCannotBeDecodedIsAnAlarm: before, a webhook whose settings could not be read just
// vanished from status and list, and no alarm told of records that could not be decoded.
func TestWhatCannotBeDecodedIsAnAlarm(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook").Webhook
	sub, err := r.box.Sub(t.Context(), outbox.SubID(w.ID))
	if err != nil {
		t.Fatal(err)
	}
	sub.Config = []byte("{{")
	if _, err := r.box.PutSub(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	st := r.status()
	if len(st.Alarms) != 1 || st.Alarms[0].Code != "webhook_unreadable" || !strings.Contains(st.Alarms[0].Message, w.ID) {
		t.Errorf("alarms: %+v", st.Alarms)
	}
}

// heldDispatcher says that every webhook is held.
type heldDispatcher struct{ Dispatcher }

func (heldDispatcher) State(outbox.SubID) dispatcher.LaneState {
	return dispatcher.LaneState{Status: dispatcher.StatusHeld, Reason: "no descriptors left", Since: time.Now()}
}

// TestAHeldWebhookNamesTheCommand that lets it go on at once, or that mends what holds it.
func TestAHeldWebhookNamesTheCommand(t *testing.T) {
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	signed, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/signed", GenerateSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	r.o.Daemon = &api.Daemon{PID: 1}
	r.o.Dispatcher = heldDispatcher{r.disp}
	unseal := r.o.Unseal
	r.o.Unseal = func(sealed []byte, context string) ([]byte, error) {
		if strings.HasSuffix(context, "/secret") {
			return nil, errors.New("the key is missing")
		}
		return unseal(sealed, context)
	}
	want := map[string]string{id: "webhook resume " + id, signed.Webhook.ID: "webhook add " + signed.Webhook.ID + " --secret-file FILE"}
	for _, a := range r.status().Alarms {
		if a.Code == "webhook_held" && strings.Contains(a.Message, want[a.Webhook]) {
			delete(want, a.Webhook)
		}
	}
	if len(want) > 0 {
		t.Errorf("no command %q in %+v", want, r.status().Alarms)
	}
}

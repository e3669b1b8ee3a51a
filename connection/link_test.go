package connection

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/outboxtest"
)

func TestPairReceiveAndRestart(t *testing.T) {
	r := newRig(t)
	r.run()
	if got := r.waitState(api.LinkUnlinked); got.Account != "" {
		t.Fatalf("before pairing: %+v", got)
	}
	begun := time.Now()
	steps := r.pair()
	if len(steps) != 2 || steps[0].Step != api.StepQR || steps[1].Step != api.StepLinked {
		t.Fatalf("pairing steps %+v", steps)
	}
	if s := steps[0]; s.N != 1 || s.Of != 6 || !strings.HasPrefix(s.QR, "https://wa.me/") || time.Until(s.ExpiresAt) > time.Minute || s.ExpiresAt.Sub(begun) < 30*time.Second {
		t.Errorf("first code is %+v", s)
	}
	if steps[1].Account != r.acc.PN() || r.Link().Account != r.acc.PN() {
		t.Errorf("linked as %q, link says %q, want %q", steps[1].Account, r.Link().Account, r.acc.PN())
	}

	ctx := bounded(t)
	bob, carol := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Carol", "15550100124")
	group := r.acc.NewGroup("Friends", bob, carol)
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "hello") }, func() (string, error) { return carol.SendGroupText(ctx, group, "in the group") })
	r.waitTexts("hello", "in the group")
	got := r.named(translate.MessageReceived)
	if got[0].Chat != bob.LID() || got[1].Chat != group.JID() || got[0].Account != r.acc.PN() {
		t.Errorf("chats %q, %q of account %q", got[0].Chat, got[1].Chat, got[0].Account)
	}
	must(t, r.acc.WaitDrained(ctx))
	want := []string{"connecting", "qr_required", "new login", "connected", "caught up"}
	if got := r.statuses(); !slices.Equal(got, want) {
		t.Errorf("connection events %q, want %q", got, want)
	}

	r.restart()
	r.waitState(api.LinkConnected)
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "again") })
	r.waitTexts("hello", "in the group", "again")
	if receipts := bob.Receipts(); len(receipts) == 0 || receipts[0].Type != "inactive" {
		t.Errorf("receipts %+v, want inactive ones: the account must not look online", receipts)
	}
}

func sendAll(t *testing.T, sends ...func() (string, error)) {
	t.Helper()
	for _, send := range sends {
		_, err := send()
		must(t, err)
	}
}

func TestReconnectsAfterALostConnection(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	for i, end := range []func(){r.acc.Drop, func() { r.acc.StreamError("503") }, func() { r.acc.StreamError("516") }} {
		before := len(r.statuses())
		end()
		text := fmt.Sprintf("after %d", i)
		sendAll(t, func() (string, error) { return bob.SendText(ctx, text) })
		eventually(t, text, func() bool { return slices.Contains(r.texts(), text) })
		must(t, r.acc.WaitDrained(ctx))
		r.waitState(api.LinkConnected)
		eventually(t, "catching up", func() bool { return len(r.statuses()) >= before+4 })
		code := []string{"disconnected 428", "disconnected 428", "disconnected 516"}[i]
		if got, want := r.statuses()[before:], []string{code, "connecting", "connected", "caught up"}; !slices.Equal(got, want) {
			t.Errorf("connection events %q, want %q", got, want)
		}
	}
}

// A refused append is not acknowledged; the connection is cycled and everything comes again in its
// order.
//
// Mutation of session.go: a message that was decrypted and not stored cannot be decrypted again.
// Mutation of ingest.go: after a refusal nobody has WhatsApp send again, which it does on a new
// connection only.
func TestRefusedAppendsComeAgainInOrder(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "0") }) // the session stands
	r.waitTexts("0")
	must(t, r.acc.WaitDrained(ctx))

	full := true
	var mu sync.Mutex
	refusals := 0
	r.engine.Hook(func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		if full && op == "Append" {
			refusals++
			return outbox.ErrFull
		}
		return nil
	})
	want := []string{"0"}
	for i := 1; i <= 5; i++ {
		text := fmt.Sprint(i)
		sendAll(t, func() (string, error) { return bob.SendText(ctx, text) })
		want = append(want, text)
	}
	eventually(t, "refusals over several connections", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return refusals >= 8
	})
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmRefused) })
	if n := len(r.acc.Pending()); n != 5 {
		t.Errorf("%d messages wait for an acknowledgement, want all 5", n)
	}
	mu.Lock()
	full = false
	mu.Unlock()
	r.waitTexts(want...)
	must(t, r.acc.WaitDrained(ctx))
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmRefused) })
	r.waitState(api.LinkConnected)
	if got := r.statuses(); !slices.Contains(got, "disconnected 428") {
		t.Errorf("connection events %q: those of the time without room are missing", got)
	}
}

func TestPanickingAppendComesAgain(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	var once sync.Once
	r.engine.Hook(func(op string) error {
		if op == "Append" {
			once.Do(func() { panic("the disk is on fire") })
		}
		return nil
	})
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "a") }, func() (string, error) { return bob.SendText(ctx, "b") })
	r.waitTexts("a", "b")
	must(t, r.acc.WaitDrained(ctx))
}

// What was stored but not acknowledged before a stop comes again after it, and is stored once.
func TestNothingIsLostOrDoubledOverRestarts(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	var want []string
	for round := range 3 {
		for i := range 10 {
			text := fmt.Sprintf("%d/%d", round, i)
			sendAll(t, func() (string, error) { return bob.SendText(ctx, text) })
			want = append(want, text)
		}
		r.restart() // in the middle of it
	}
	r.waitTexts(want...)
	must(t, r.acc.WaitDrained(ctx))
}

func TestUnreachableServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port nobody listens on
	must(t, err)
	addr := ln.Addr().String()
	must(t, ln.Close())
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "whatsapp.db"), engine: outboxtest.NewFake()}
	r.build("ws://"+addr+"/ws/chat", strings.Repeat("ab", 32))
	r.run()
	eventually(t, "a reason", func() bool { return strings.Contains(r.Link().Reason, "connection refused") })
	if got := r.Link(); got.State != api.LinkUnlinked {
		t.Errorf("link %+v", got)
	}
	if len(r.events()) != 0 {
		t.Errorf("a link nobody asked for filled the outbox: %q", r.statuses())
	}
	var steps []api.PairStep
	err = r.Pair(bounded(t), api.PairRequest{}, func(s api.PairStep) error { steps = append(steps, s); return nil })
	if api.CodeOf(err) != api.CodePairingUnavail || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("Pair returned %v", err)
	}
	if len(steps) != 1 || steps[0].Step != api.StepFailed || steps[0].Error == nil {
		t.Errorf("steps %+v", steps)
	}
	if _, err := r.PairNow(bounded(t), api.PairRequest{}); api.CodeOf(err) != api.CodePairingUnavail {
		t.Errorf("QR returned %v", err)
	}
	if _, err := r.Send(bounded(t), api.Send{To: "+1 555 010 0123", Text: "x"}); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("SendText returned %v", err)
	}
}

// A linked account whose server is gone stays, says why, and is back when the server is.
func TestServerThatComesBack(t *testing.T) {
	r := linkedRig(t)
	r.acc.Refuse(503)
	r.acc.Drop()
	eventually(t, "a reason", func() bool { l := r.Link(); return l.State == api.LinkConnecting && l.Reason != "" })
	if _, err := r.Send(bounded(t), api.Send{To: "+1 555 010 0123", Text: "x"}); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("SendText returned %v", err)
	}
	r.acc.Refuse(0)
	r.waitState(api.LinkConnected)
}

// Mutation of link.go: after a restart nobody is told that the phone logged the account out.
func TestLogoutAndPairAgain(t *testing.T) {
	for name, unlink := range map[string]func(*rig){
		"by the phone":            func(r *rig) { r.acc.Unlink() },
		"while it was not online": func(r *rig) { r.stop(); r.acc.Unlink(); r.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			r := linkedRig(t)
			unlink(r)
			link := r.waitState(api.LinkUnlinked)
			if link.Account != "" || link.Reason == "" || !r.hasAlarm(alarmLoggedOut) {
				t.Errorf("after the log-out: %+v, alarms %+v", link, r.Alarms())
			}
			if got := r.statuses(); !slices.Contains(got, "disconnected 401") {
				t.Errorf("connection events %q", got)
			}
			// Before, a restart knew of no account, and that one had been logged out was not told.
			eventually(t, "the device is forgotten", func() bool {
				_, since, err := r.dev.LoggedOut(t.Context())
				return err == nil && !since.IsZero()
			})
			r.stop()
			r.restart()
			eventually(t, "the alarm after a restart", func() bool { return r.hasAlarm(alarmLoggedOut) })
			if now := r.Link(); now.State != api.LinkUnlinked || now.Reason != link.Reason || !now.Since.Equal(link.Since) {
				t.Errorf("after a restart: %+v, before it %+v", now, link)
			}
			r.pair()
			if r.hasAlarm(alarmLoggedOut) {
				t.Error("the alarm outlives the new link")
			}
			r.stop()
			r.restart()
			if r.waitState(api.LinkConnected); r.hasAlarm(alarmLoggedOut) {
				t.Error("the alarm comes back with the next restart")
			}
			bob := r.acc.NewContact("Bob", "15550100123")
			sendAll(t, func() (string, error) { return bob.SendText(bounded(t), "hello again") })
			r.waitTexts("hello again")
		})
	}
}

func TestReplacedStaysDown(t *testing.T) {
	r := linkedRig(t)
	r.acc.Replace()
	link := r.waitState(api.LinkDisconnected)
	if !strings.Contains(link.Reason, "another program") || !r.hasAlarm(alarmReplaced) || link.Account == "" {
		t.Errorf("link %+v, alarms %+v", link, r.Alarms())
	}
	eventually(t, "the event", func() bool { return slices.Contains(r.statuses(), "disconnected 440") })
	if r.acc.Online() {
		t.Error("the client came back")
	}
	// Before: "try again later", which never helps here.
	if _, err := r.Send(bounded(t), api.Send{To: "+1 555 010 0123", Text: "x"}); err == nil || !strings.Contains(err.Error(), "What to do: waoutbox status") {
		t.Errorf("Send returned %v", err)
	}
	if err := r.Pair(bounded(t), api.PairRequest{}, func(api.PairStep) error { return nil }); api.CodeOf(err) != api.CodeAlreadyLinked || !strings.Contains(err.Error(), "(+"+strings.TrimSuffix(r.acc.PN(), "@s.whatsapp.net")+")") {
		t.Errorf("Pair returned %v", err)
	}
}

func TestRefusedLogins(t *testing.T) {
	for code, want := range map[int]string{402: alarmBanned, 405: alarmOutdated, 409: alarmRejected} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			r := linkedRig(t)
			r.acc.Refuse(code)
			r.acc.Drop()
			eventually(t, "alarm "+want, func() bool { return r.hasAlarm(want) })
			eventually(t, "the event", func() bool { return slices.Contains(r.statuses(), fmt.Sprintf("disconnected %d", code)) })
			if r.Link().Reason == "" || r.Link().Account == "" {
				t.Errorf("link %+v", r.Link())
			}
			if code == 402 {
				return // the simulator names no end of the ban: a minute at least
			}
			r.acc.Refuse(0)
			r.waitState(api.LinkConnected)
			if r.hasAlarm(want) {
				t.Errorf("alarm %s outlives the cause", want)
			}
		})
	}
}

// What WhatsApp sends again although it is stored is stored once, whatever kind it is.
//
// Mutation of connection/translate/message.go: a message has another id each time it comes.
func TestRedeliveredEventsAreStoredOnce(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	team := r.acc.NewGroup("Team", bob)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	lost := &forgetfulAppender{Appender: r.engine, seen: make(map[string]bool)}
	r.in.appender = lost
	r.run()
	r.waitState(api.LinkConnected)
	sendAll(t,
		func() (string, error) { return bob.SendText(ctx, "direct") },
		func() (string, error) { return bob.SendGroupText(ctx, team, "group") },
		func() (string, error) { return r.acc.PhoneSendText(ctx, bob, "own") },
		func() (string, error) { return "", bob.SendReceipt(ctx, "read", "3EB0A") },
		func() (string, error) { return "", team.SetSubject(ctx, bob, "Team 2") },
	)
	must(t, r.acc.WaitDrained(ctx))
	if len(lost.seen) != 5 {
		t.Errorf("%d events were sent again, want 5", len(lost.seen))
	}
	for name, want := range map[string]int{translate.MessageReceived: 2, translate.MessageSent: 1, translate.MessageUpdate: 1, translate.GroupUpdate: 1} {
		if got := len(r.named(name)); got != want {
			t.Errorf("%d %s events, want %d", got, name, want)
		}
	}
}

// A linked account is never shown as unlinked, not even before the first connection. Before: "link
// {State:unlinked Account:491515550100@s.whatsapp.net ...}" for the moment until Run connects.
func TestLinkedAccountIsNeverUnlinkedAtTheStart(t *testing.T) {
	r := linkedRig(t)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	t.Cleanup(func() { must(t, r.dev.Close()) })
	// The service asks before Run: it logged "no account is linked" at every start, the status of
	// that moment had the alarm not_linked, and `start` named pair as the next command.
	must(t, r.Look(t.Context()))
	if link := r.Link(); link.State != api.LinkConnecting || link.Account == "" {
		t.Errorf("before Run: link %+v", link)
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Send(now, api.Send{To: "+1 555 010 0123", Text: "x"}); err == nil || !strings.Contains(err.Error(), "is being started") {
		t.Errorf("before Run SendText returned %v", err)
	}
	dev, err := r.dev.Current(t.Context())
	must(t, err)
	r.openSession(t.Context(), dev)
	if link := r.Link(); link.State != api.LinkConnecting || link.Account == "" {
		t.Errorf("link %+v", link)
	}
}

// The first command after a start, which often started the service itself, waits for the link that
// comes a moment later. Before: every one of them was refused, "not connected to WhatsApp yet".
func TestFirstCommandsWaitForTheLink(t *testing.T) {
	r := linkedRig(t)
	r.acc.NewContact("Bob", "15550100123")
	for name, do := range map[string]func() error{
		"send":   func() error { _, err := r.Send(bounded(t), api.Send{To: "+1 555 010 0123", Text: "x"}); return err },
		"groups": func() error { _, err := r.Groups(bounded(t), api.ListGroups{}); return err },
		"find":   func() error { _, err := r.FindRecipients(bounded(t), api.FindRecipients{Query: "bob"}); return err },
		"media":  func() error { _, _, err := r.MediaServers().Hosts(bounded(t), false); return err },
		"typing": func() error {
			_, err := r.Typing(bounded(t), api.Typing{To: "+1 555 010 0123", State: api.TypingComposing})
			return err
		},
	} {
		must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "success", Effect: fault.Delay, For: 200 * time.Millisecond}))
		r.restart()
		if err := do(); err != nil {
			t.Errorf("%s right after the start: %v", name, err)
		}
	}
}

package connection

import (
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// A link that was closed on request stays down, over a restart too, says so in its state, its alarm
// and an event, and gets what came meanwhile once it is connected again.
//
// Mutation of closing.go: a link that was closed on purpose opens by itself after a restart.
func TestDisconnectAndConnect(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	told := len(r.statuses())
	link, err := r.Disconnect(ctx)
	must(t, err)
	wantClosed := func(link api.Link) {
		t.Helper()
		if link.State != api.LinkDisconnected || !link.Closed || !strings.Contains(link.Reason, "closed on request") || link.Account == "" || !r.hasAlarm(alarmClosed) {
			t.Errorf("link %+v, alarms %+v", link, r.Alarms())
		}
	}
	wantClosed(link)
	if got := r.statuses()[told:]; len(got) != 1 || got[0] != "disconnected 428" {
		t.Errorf("receivers were told %q", got)
	}
	if again, err := r.Disconnect(ctx); err != nil || again.Since != link.Since {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if _, err := r.Send(ctx, api.Send{To: bob.PN(), Text: "hi"}); api.CodeOf(err) != api.CodeNotConnected || !strings.Contains(err.Error(), "closed on request") {
		t.Errorf("sending: %v", err)
	}
	_, err = bob.SendText(ctx, "while it was closed")
	must(t, err)

	r.restart()
	eventually(t, "the alarm after a restart", func() bool { return r.hasAlarm(alarmClosed) })
	wantClosed(r.Link())
	if len(r.texts()) != 0 {
		t.Error("events arrived over a closed link")
	}
	link, err = r.Connect(ctx)
	must(t, err)
	if link.State != api.LinkConnected || link.Closed || link.Reason != "" || r.hasAlarm(alarmClosed) {
		t.Errorf("link %+v, alarms %+v", link, r.Alarms())
	}
	r.waitTexts("while it was closed")
	if again, err := r.Connect(ctx); err != nil || again.State != api.LinkConnected {
		t.Errorf("once more: %+v, %v", again, err)
	}
	r.restart()
	r.waitState(api.LinkConnected)
}

// Closing and opening follow each other in the order in which they were asked for.
func TestDisconnectAndConnectAtOnce(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	for range 5 {
		if link, err := r.Disconnect(ctx); err != nil || !link.Closed || link.State != api.LinkDisconnected {
			t.Fatalf("disconnect: %+v, %v", link, err)
		}
		if link, err := r.Connect(ctx); err != nil || link.State != api.LinkConnected {
			t.Fatalf("connect: %+v, %v", link, err)
		}
	}
	done := make(chan error, 8)
	for n := range 8 {
		go func() {
			op := r.Connect
			if n%2 == 0 {
				op = r.Disconnect
			}
			_, err := op(ctx)
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if link, err := r.Connect(ctx); err != nil || link.State != api.LinkConnected {
		t.Errorf("at the end: %+v, %v", link, err)
	}
}

// A session that another program took over is taken back when somebody asks for it.
func TestConnectAfterReplaced(t *testing.T) {
	r := linkedRig(t)
	r.acc.Replace()
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmReplaced) })
	link, err := r.Connect(bounded(t))
	must(t, err)
	if link.State != api.LinkConnected || r.hasAlarm(alarmReplaced) {
		t.Errorf("link %+v, alarms %+v", link, r.Alarms())
	}
	r.acc.Replace()
	eventually(t, "the alarm again", func() bool { return r.hasAlarm(alarmReplaced) })
	link, err = r.Disconnect(bounded(t))
	must(t, err)
	if !link.Closed || r.hasAlarm(alarmReplaced) || !r.hasAlarm(alarmClosed) {
		t.Errorf("closed then: %+v, alarms %+v", link, r.Alarms())
	}
}

// Connect says why the link does not come up, and cuts the wait for the next try short.
func TestConnectFails(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	r.acc.Refuse(503)
	_, err := r.Disconnect(ctx)
	must(t, err)
	if _, err := r.Connect(ctx); api.CodeOf(err) != api.CodeConnectFailed || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "tried again") {
		t.Errorf("refused: %v", err)
	}
	r.acc.Refuse(0)
	for api.CodeOf(err) != "" || r.Link().State != api.LinkConnected {
		if _, err = r.Connect(ctx); ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// Without an account there is nothing to connect or close.
func TestConnectWithoutAnAccount(t *testing.T) {
	r := newRig(t)
	r.run()
	ctx := bounded(t)
	if link, err := r.Connect(ctx); err != nil || link.State != api.LinkUnlinked {
		t.Errorf("connect: %+v, %v", link, err)
	}
	if link, err := r.Disconnect(ctx); err != nil || link.State != api.LinkUnlinked || link.Closed || len(r.Alarms()) != 0 {
		t.Errorf("disconnect: %+v, %v", link, err)
	}
	r.pair()
}

// A closed link is opened for its log-out, so that WhatsApp knows, and the account that is linked
// next is connected.
func TestUnpairClosed(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	_, err := r.Disconnect(ctx)
	must(t, err)
	got, err := r.Unpair(ctx)
	must(t, err)
	if !got.Told || r.acc.Linked() || r.Link().Closed || r.hasAlarm(alarmClosed) {
		t.Errorf("result %+v, link %+v, alarms %+v", got, r.Link(), r.Alarms())
	}
	r.acc = r.sim.NewAccount("491515550199", "Office")
	r.pair()
	r.restart()
	r.waitState(api.LinkConnected)
}

// Where whatsapp.db takes nothing, the link is neither closed nor opened, and the error says so.
func TestDisconnectOnAFullDisk(t *testing.T) {
	r := linkedRig(t)
	must(t, r.dev.SetClosed(t.Context(), time.Time{})) // makes the table
	makeRoom := r.fillDisk("INSERT ON waoutbox_closed")
	if _, err := r.Disconnect(bounded(t)); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "whatsapp.db") {
		t.Errorf("disconnect: %v", err)
	}
	if link := r.Link(); link.State != api.LinkConnected || link.Closed {
		t.Errorf("link %+v", link)
	}
	makeRoom()
	_, err := r.Disconnect(bounded(t))
	must(t, err)
}

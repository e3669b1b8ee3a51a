package connection

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// timelocks are the restrictions that stored events tell of.
func (r *rig) timelocks() (out []bool) {
	r.t.Helper()
	for _, ev := range r.named(translate.ConnectionUpdate) {
		var b struct {
			Data struct {
				ReachoutTimeLock *struct{ IsActive bool }
			}
		}
		must(r.t, json.Unmarshal(ev.Body, &b))
		if l := b.Data.ReachoutTimeLock; l != nil {
			out = append(out, l.IsActive)
		}
	}
	return out
}

func (r *rig) alarmText(code string) string {
	for _, a := range r.Alarms() {
		if a.Code == code {
			return a.Message
		}
	}
	return ""
}

func sendTo(t *testing.T, r *rig, to *wasim.Contact) error {
	t.Helper()
	_, err := r.Send(bounded(t), api.Send{To: to.PN(), Text: "x"})
	return err
}

// While WhatsApp forbids messages to strangers they are refused here, and nobody else is.
func TestAnAnnouncedRestriction(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob, eve := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Eve", "15550100124")
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "hello") })
	r.waitTexts("hello")

	until := time.Now().Add(6 * time.Hour)
	must(t, r.acc.Restrict(ctx, until))
	r.acc.RejectSends(0) // what is refused must be refused here
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmRestricted) })
	ends := "until " + until.Format("2006-01-02 15:04")
	if text := r.alarmText(alarmRestricted); !strings.Contains(text, ends) || !strings.Contains(strings.Join(r.Link().Notes, ""), ends) {
		t.Errorf("alarm %q, link %+v", text, r.Link())
	}
	if err := sendTo(t, r, eve); api.CodeOf(err) != api.CodeAccountRestricted || !strings.Contains(err.Error(), ends) {
		t.Errorf("to a stranger: %v", err)
	}
	if err := sendTo(t, r, bob); err != nil {
		t.Errorf("to somebody who wrote before: %v", err)
	}
	if len(eve.Received()) != 0 {
		t.Error("the stranger received something")
	}
	r.restart()
	r.waitState(api.LinkConnected)
	if err := sendTo(t, r, eve); api.CodeOf(err) != api.CodeAccountRestricted || !r.hasAlarm(alarmRestricted) {
		t.Errorf("to a stranger after a restart: %v", err)
	}

	must(t, r.acc.Restrict(ctx, time.Time{}))
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmRestricted) })
	if err := sendTo(t, r, eve); err != nil || len(r.Link().Notes) != 0 {
		t.Errorf("afterwards: %v, link %+v", err, r.Link())
	}
	if got := r.timelocks(); len(got) != 2 || !got[0] || got[1] {
		t.Errorf("events of restrictions %v", got)
	}
}

// A refusal with 463 is a restriction that WhatsApp did not announce: told once, and the next
// messages do not try it again.
//
// Mutation of session.go: who was refused as a stranger, and then writes, cannot be answered.
func TestARefusalShowsARestriction(t *testing.T) {
	r := linkedRig(t)
	eve := r.acc.NewContact("Eve", "15550100124")
	r.acc.RejectSends(463)
	if err := sendTo(t, r, eve); api.CodeOf(err) != api.CodeAccountRestricted || !strings.Contains(err.Error(), "463") {
		t.Errorf("the first: %v", err)
	}
	r.acc.RejectSends(0)
	if err := sendTo(t, r, eve); api.CodeOf(err) != api.CodeAccountRestricted || len(eve.Received()) != 0 {
		t.Errorf("the second: %v", err)
	}
	if text := r.alarmText(alarmRestricted); !strings.Contains(text, "does not name") {
		t.Errorf("alarm %q", text)
	}
	if got := r.timelocks(); len(got) != 1 || !got[0] {
		t.Errorf("events of restrictions %v", got)
	}

	// whoever writes is no stranger, and can be answered at once
	ctx := bounded(t)
	sendAll(t, func() (string, error) { return eve.SendText(ctx, "hello") })
	r.waitTexts("hello")
	if err := sendTo(t, r, eve); err != nil || len(eve.Received()) != 1 {
		t.Errorf("an answer: %v, received %v", err, eve.Received())
	}
	r.restricted.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if r.hasAlarm(alarmRestricted) {
		t.Error("the alarm outlives the restriction")
	}
}

// A ban is told with its end, and what would be sent is refused with it.
func TestABanIsToldWithItsEnd(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.acc.Ban(101, 2*time.Hour)
	now := time.Now()
	r.acc.Drop()
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmBanned) })
	link := r.waitState(api.LinkDisconnected)
	for _, text := range []string{r.alarmText(alarmBanned), link.Reason} {
		soon, late := now.Add(2*time.Hour).Format("until 2006-01-02 15:"), now.Add(2*time.Hour+limit).Format("until 2006-01-02 15:")
		if !strings.Contains(text, soon) && !strings.Contains(text, late) || !strings.Contains(text, "address books") {
			t.Errorf("told as %q", text)
		}
	}
	if err := sendTo(t, r, bob); api.CodeOf(err) != api.CodeNotConnected || !strings.Contains(err.Error(), "banned") {
		t.Errorf("a message: %v", err)
	}
}

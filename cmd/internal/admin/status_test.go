package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// standing is a WhatsApp link in a fixed state.
type standing struct {
	linkOps
	link   api.Link
	alarms []api.Alarm
}

func (s standing) Link() api.Link      { return s.link }
func (s standing) Alarms() []api.Alarm { return s.alarms }

// linkOps is the rest of a link; nothing here calls it.
type linkOps interface {
	Pair(ctx context.Context, step func(api.PairStep) error) error
	QR(ctx context.Context) (api.PairStep, error)
	SendText(ctx context.Context, in api.SendText) (api.SendResult, error)
}

func TestLinkAlarms(t *testing.T) {
	long := time.Now().Add(-2 * linkGrace)
	for name, tc := range map[string]struct {
		link     api.Link
		webhooks int
		want     string
	}{
		"connected":           {api.Link{State: api.LinkConnected, Since: long}, 1, ""},
		"unlinked, nothing":   {api.Link{State: api.LinkUnlinked, Since: long}, 0, ""},
		"unlinked, webhooks":  {api.Link{State: api.LinkUnlinked, Since: long}, 1, "not_linked"},
		"pairing":             {api.Link{State: api.LinkPairing, Since: long}, 1, ""},
		"connecting, a blink": {api.Link{State: api.LinkConnecting, Since: time.Now()}, 1, ""},
		"connecting, long":    {api.Link{State: api.LinkConnecting, Since: long, Reason: "no route"}, 0, "link_down"},
	} {
		got := ""
		if a := linkAlarms(tc.link, tc.webhooks); len(a) > 0 {
			got = a[0].Code
		}
		if got != tc.want {
			t.Errorf("%s: alarm %q, want %q", name, got, tc.want)
		}
	}
}

func TestStatusShowsTheLinksOwnAlarms(t *testing.T) {
	r := newRig(t)
	r.o.Link = standing{link: api.Link{State: api.LinkUnlinked}, alarms: []api.Alarm{{Code: "logged_out"}}}
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
	if r.put(w.URL); r.status().Webhooks[0].Status != api.WebhookActive { // registering again resumes
		t.Errorf("after registering again: %+v", r.status().Webhooks)
	}
}

// halfRead is an engine one page of whose file cannot be read: its counts fail, its subscriptions are in memory.
type halfRead struct{ Engine }

func (halfRead) Stats(context.Context) (outbox.Stats, error) {
	return outbox.Stats{}, errors.New("statistics: page 38 cannot be read")
}

func TestStatusOfADamagedFile(t *testing.T) {
	r := newRig(t)
	r.put("http://localhost/hook")
	r.o.Engine = halfRead{r.o.Engine}
	st := r.status()
	if len(st.Webhooks) != 1 || len(st.Alarms) != 1 || st.Alarms[0].Code != "outbox_damaged" || !strings.Contains(st.Alarms[0].Message, "page 38") {
		t.Errorf("webhooks %+v, alarms %+v", st.Webhooks, st.Alarms)
	}
	if _, err := r.Webhooks(t.Context()); err == nil {
		t.Error("counts that could not be read are listed as if they were 0")
	}
}

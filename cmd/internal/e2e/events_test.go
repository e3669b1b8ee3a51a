package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wajson/wajsontest"
	"waoutbox/dispatcher/receiver"
)

// TestEveryEventFamily: one subscription to everything gets messages in and out, receipts, group
// changes, presence and the link's own events, each under its name, signed, in a body that JSON
// gives back byte for byte.
func TestEveryEventFamily(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.until("an unlinked service says what it waits for", func() bool {
		return r.nextIs(r.output.since(0), "pair")
	})
	recv := r.receiver(receiver.Options{Secret: secret})
	r.addWebhook(recv.URL(), secret, "*")
	r.pair()
	ctx := r.within(time.Minute)
	bob, carol := r.phone.NewContact("Bob", "491515550111"), r.phone.NewContact("Carol", "491515550122")
	team := r.phone.NewGroup("Team", bob)
	must := func(_ string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(bob.SendText(ctx, "quotes \" \\ , <&>, \u2028 and 👋"))
	must(bob.SendGroupText(ctx, team, "in the group"))
	must(r.phone.PhoneSendText(ctx, bob, "from the phone"))
	bob.AutoReceipt("", "read")
	r.mustRun("send", "text", bob.PN(), "from the service")
	must("", team.SetSubject(ctx, bob, "Team <launch> & ops"))
	must("", team.Add(ctx, bob, carol))
	must("", bob.SetPresence(ctx, true, time.Time{}))
	must("", bob.Typing(ctx, "composing"))
	arrived := func(want map[string]int) func() bool {
		return func() bool {
			got := map[string]int{}
			for _, d := range recv.Deliveries() {
				got[d.Event]++
			}
			for name, n := range want {
				if got[name] < n {
					return false
				}
			}
			return true
		}
	}
	r.until("messages, receipts, group changes and presence arrived", arrived(map[string]int{
		"message.received": 2, "message.sent": 2, "message.update": 2, "group.update": 2, "presence.update": 2,
	}))
	r.phone.Drop() // close, connecting, open again; presence would not be sent again, so only now
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	r.until("the link's own events arrived", arrived(map[string]int{"connection.update": 6}))

	var bodies [][]byte
	statuses := []string{}
	for _, d := range recv.Deliveries() {
		bodies = append(bodies, d.Body)
		if d.Signature != receiver.SignatureValid || !strings.HasPrefix(d.EventID, "evt_") || d.Seq == 0 {
			t.Errorf("%s: signature %s, id %q, sequence %d", d.Event, d.Signature, d.EventID, d.Seq)
		}
		var b struct {
			Event     string
			Timestamp int64
			Data      json.RawMessage
		}
		if err := json.Unmarshal(d.Body, &b); err != nil || b.Event != d.Event || b.Timestamp == 0 || len(b.Data) == 0 {
			t.Errorf("body %s: %v", d.Body, err)
		}
		if d.Event == "connection.update" {
			var c struct{ Status string }
			_ = json.Unmarshal(b.Data, &c) // a body without it fails the check below
			statuses = append(statuses, c.Status)
		}
	}
	for _, status := range []string{"connecting", "qr_required", "connected", "disconnected"} {
		if !slices.Contains(statuses, status) {
			t.Errorf("no connection.update with status %s in %v", status, statuses)
		}
	}
	wajsontest.Node(t, bodies)
}

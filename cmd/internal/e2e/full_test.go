package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// TestAFullOutbox: when the outbox holds as much as it may, an alarm tells, WhatsApp keeps what
// cannot be taken, and the oldest that waits expires to make room. When there is room again
// everything else arrives, in the order in which it was sent: every message is delivered or counted
// as expired.
func TestAFullOutbox(t *testing.T) {
	t.Parallel()
	const n = 60
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("hang")})
	r.addWebhook(recv.URL(), secret, "message.received")
	r.stop()
	r.serve("--max-size", "768KiB", "--max-in-flight", "1")
	ctx := r.within(2 * time.Minute)
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	bob := r.phone.NewContact("Bob", "491515550111")
	var sent []string // message ids
	for i := range n {
		id, err := bob.SendText(ctx, fmt.Sprint("message ", i, " ", strings.Repeat("x", 30<<10)))
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	limited := func(st api.Status) bool {
		return slices.ContainsFunc(st.Alarms, func(a api.Alarm) bool {
			return (a.Code == "outbox_size_limit" || a.Code == "events_expired") && strings.Contains(a.Message, "max-size")
		})
	}
	// A refusal that the removal of delivered events mends is over within milliseconds; the alarm
	// stays once what is pending fills the file.
	r.until("the alarm is up, and status --check exits 1", func() bool {
		return limited(r.status()) && r.run("status", "--check").code == 1
	})
	stored := r.status().Pending
	if stored < 3 || stored >= n {
		t.Fatalf("%d of %d messages are stored", stored, n)
	}
	recv.SetScript(nil, false)
	// what waited has expired by now where room was needed, and is no longer delivered
	r.until("what is stored is delivered", func() bool { return r.status().Pending == 0 })

	r.stop()
	r.serve()
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	r.until("the rest is delivered", func() bool { st := r.status(); return st.Pending == 0 && !limited(st) })
	var got []string
	for _, d := range recv.Deliveries() {
		if id := messageIDs(t, d.Body)[0]; d.Accepted() && !slices.Contains(got, id) {
			got = append(got, id)
		}
	}
	expired := n - len(got)
	if dead := r.status().Dead; dead != int64(expired) {
		t.Errorf("delivered were %d of %d, and %d are dead letters", len(got), n, dead)
	}
	if expired == n || !inOrder(got, sent) {
		t.Errorf("delivered were %d of %d, in another order than sent:\n got %v\nwant %v", len(got), n, got, sent)
	}
}

// inOrder reports whether some are among all, in the same order.
func inOrder(some, all []string) bool {
	for _, id := range all {
		if len(some) > 0 && some[0] == id {
			some = some[1:]
		}
	}
	return len(some) == 0
}

package e2e

import (
	"slices"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// TestRemoveAndAddAgain: removing a webhook with a backlog makes the backlog dead letters, listed
// the same with the daemon and without; adding the URL again revives its id, and they can be
// replayed.
func TestRemoveAndAddAgain(t *testing.T) {
	t.Parallel()
	const n = 30
	r := newRig(t)
	r.serve("--max-in-flight", "1")
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("hang")})
	hook := r.addWebhook(recv.URL(), secret, "message.received")
	ctx := r.within(time.Minute)
	bob := r.phone.NewContact("Bob", "491515550111")
	sent := r.write(n, bob)
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	if got := r.status().Pending; got != n {
		t.Fatalf("%d pending before the removal, want %d", got, n)
	}
	if res := r.run("webhook", "remove", hook.ID); res.code != 2 {
		t.Errorf("removing a backlog without --yes off a terminal: exit %d, want 2: %s", res.code, res.stderr)
	}
	removed := one[api.RemoveWebhookResult](r, "webhook", "remove", hook.ID, "--yes")
	if !removed.Removed || removed.DeadLettered != n {
		t.Errorf("removal: %+v, want %d dead-lettered", removed, n)
	}
	listed := lines[api.DeadLetter](r, "deadletter", "list")
	if len(listed) != n {
		t.Fatalf("%d dead letters, want %d", len(listed), n)
	}
	withDaemon := r.mustRun("deadletter", "list", "--json") + r.mustRun("deadletter") + r.mustRun("deadletter", "show", listed[n-1].ID)
	r.stop()
	if without := r.mustRun("deadletter", "list", "--json") + r.mustRun("deadletter") + r.mustRun("deadletter", "show", listed[n-1].ID); without != withDaemon {
		t.Errorf("without the daemon the dead letters read differently:\n%s\nwith it:\n%s", without, withDaemon)
	}
	r.serve()
	recv.SetScript(nil, false)
	again := r.addWebhook(recv.URL(), secret, "message.received")
	if again.ID != hook.ID || again.Dead != n {
		t.Errorf("added again: %+v, want id %s with %d dead", again, hook.ID, n)
	}
	r.mustRun("deadletter", "replay", listed[7].ID) // out of the middle of the run
	r.until("the single one arrived", func() bool { return recv.Counts().Replayed == 1 })
	r.mustRun("deadletter", "replay", "--url", recv.URL(), "--rate", "1000")
	r.until("all arrived", func() bool { return recv.Counts().Replayed == n })
	if left := lines[api.DeadLetter](r, "deadletter", "list"); len(left) != 0 {
		t.Errorf("%d dead letters left", len(left))
	}
	var replayed []string
	for _, d := range recv.Deliveries() {
		if d.Replay > 0 {
			replayed = append(replayed, messageIDs(t, d.Body)[0])
		}
	}
	want := append([]string{sent[7]}, slices.Delete(slices.Clone(sent), 7, 8)...)
	if !slices.Equal(replayed, want) {
		t.Errorf("replayed in another order than sent\n got %v\nwant %v", replayed, want)
	}
}

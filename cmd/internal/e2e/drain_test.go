package e2e

import (
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
)

// TestDrainTimeout: a stop waits for a request under way as long as it is told to, and no longer;
// it is sent again under the same number.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve("--drain-timeout", "0")
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("hang")})
	r.addWebhook(recv.URL(), secret, "message.received")
	ctx := r.within(time.Minute)
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.phone.NewContact("Bob", "491515550111").SendText(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	r.until("the request is under way", func() bool { return recv.Counts().Posts > 0 })
	r.stop() // had it waited for the end of the request, the next attempt would be the second
	recv.SetScript(nil, false)
	r.serve()
	r.until("it is delivered", func() bool { return recv.Counts().Events == 1 })
	for _, d := range recv.Deliveries() {
		if n := d.Header.Get("X-Webhook-Attempt"); n != "1" {
			t.Errorf("attempt %s", n)
		}
	}
}

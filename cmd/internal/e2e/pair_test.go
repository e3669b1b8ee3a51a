package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// An account is linked by a code typed into the phone, with the passkey that WhatsApp asks for,
// logged out, and linked again, by the program's own commands and without a restart.
func TestPairByCodeAndUnpair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	if err := r.phone.RequirePasskey(); err != nil {
		t.Fatal(err)
	}
	user, _, _ := strings.Cut(r.phone.PN(), "@")
	if steps := r.pair("--phone", "+"+user); !slices.Equal(steps, []string{api.StepCode, api.StepPasskey, api.StepLinked}) {
		t.Errorf("steps %q", steps)
	}
	if res := r.run("unpair"); res.code != 2 || !strings.Contains(res.stderr, "--yes") {
		t.Errorf("unpair without --yes: %+v", res)
	}
	if got := one[api.UnpairResult](r, "unpair", "--yes"); got.Account != r.phone.PN() || !got.Told {
		t.Errorf("unpair: %+v", got)
	}
	if r.phone.Linked() || r.status().Link.State != api.LinkUnlinked {
		t.Errorf("still linked: %v, %+v", r.phone.Linked(), r.status().Link)
	}
	r.pair()
	r.stop()
	if st := r.status(); st.Link.State != api.LinkUnknown || st.Link.Account != r.phone.PN() || st.Link.Closed {
		t.Errorf("link without a daemon: %+v", st.Link)
	}
}

// TestDisconnectAndConnect: a link that was closed by hand stays closed over a restart of the
// service, says so everywhere, and gets what came meanwhile once it is connected again.
func TestDisconnectAndConnect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	bob := r.phone.NewContact("Bob", "491515550111")
	recv := r.receiver(receiver.Options{})
	r.addWebhook(recv.URL(), "", "message.received")

	if out := r.mustRun("disconnect"); !r.nextIs(out, "connect") {
		t.Errorf("disconnect printed %q", out)
	}
	closed := func() {
		t.Helper()
		if st := r.status(); st.Link.State != api.LinkDisconnected || !st.Link.Closed || r.phone.Online() {
			t.Errorf("link %+v", st.Link)
		}
		if res := r.run("status", "--check"); res.code != 1 || !strings.Contains(res.stdout, "link_closed") {
			t.Errorf("status --check: %+v", res)
		}
	}
	closed()
	if _, err := bob.SendText(r.within(30*time.Second), "meanwhile"); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if st := r.status(); st.Link.State != api.LinkUnknown || st.Link.Account != r.phone.PN() || !st.Link.Closed || st.Link.Since.IsZero() {
		t.Errorf("link without a daemon: %+v", st.Link)
	}
	if out := r.mustRun("status"); !strings.Contains(out, "closed on request since ") || !r.nextIs(out, "connect") {
		t.Errorf("status without a daemon printed %q", out)
	}
	r.serve()
	closed()
	if res := r.run("send", "text", bob.PN(), "hi"); res.code != 1 || !strings.Contains(res.stderr, "closed on request") {
		t.Errorf("send: %+v", res)
	}
	if link := one[api.Link](r, "connect"); link.State != api.LinkConnected || link.Closed {
		t.Errorf("connected: %+v", link)
	}
	if err := recv.Wait(r.within(30*time.Second), 1); err != nil || !strings.Contains(string(recv.Deliveries()[0].Body), "meanwhile") {
		t.Errorf("what came meanwhile: %v", err)
	}
	if res := r.run("webhook", "test", recv.URL(), "--event", "group.update"); res.code != 0 || !strings.Contains(res.stdout, "group.update") {
		t.Errorf("webhook test: %+v", res)
	}
	if res := r.run("webhook", "test", recv.URL(), "--event", "group.updat"); res.code != 2 || !strings.Contains(res.stderr, "Did you mean group.update?") {
		t.Errorf("webhook test of an unknown event: %+v", res)
	}
}

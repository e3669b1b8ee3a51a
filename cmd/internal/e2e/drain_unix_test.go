//go:build !windows

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
)

// A second signal ends the service at once, by that signal and not by a drain that is over: what
// was under way is sent again under the same number at the next start.
//
// Mutation of cmd/waoutbox/main.go: a second signal waits for them too.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve("--drain-timeout", "90s")
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("hang")})
	r.addWebhook(recv.URL(), secret, "message.received")
	if _, err := r.phone.NewContact("Bob", "491515550111").SendText(r.within(time.Minute), "hello"); err != nil {
		t.Fatal(err)
	}
	r.until("the request is under way", func() bool { return recv.Counts().Posts > 0 })
	from := r.output.len()
	kill(t, r.daemon.Process.Pid, syscall.SIGTERM)
	r.until("the first signal is taken", func() bool { return strings.Contains(r.output.since(from), "msg=stopping") })
	began, signals := time.Now(), 0
	// More than one where the process is so slow that it has not given its handler up yet.
	r.until("it ends", func() bool {
		select {
		case <-r.exited:
			return true
		default:
		}
		if r.daemon.Process.Signal(syscall.SIGTERM) == nil { // else it has ended
			signals++
		}
		return false
	})
	t.Logf("ended %v after the second signal, %d in all", time.Since(began), 1+signals)
	status, known := r.daemon.ProcessState.Sys().(syscall.WaitStatus)
	if !known || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", r.daemon.ProcessState)
	}
	r.daemon = nil
	recv.SetScript(nil, false)
	r.serve()
	r.until("it is delivered", func() bool { return recv.Counts().Events == 1 })
	got := recv.Deliveries()
	if len(got) != 2 {
		t.Errorf("%d requests, want the one that was cut off and its repetition", len(got))
	}
	for _, d := range got {
		if n, id := d.Header.Get("X-Webhook-Attempt"), d.Header.Get("X-Webhook-Id"); n != "1" || id != got[0].Header.Get("X-Webhook-Id") {
			t.Errorf("attempt %s of %s", n, id)
		}
	}
}

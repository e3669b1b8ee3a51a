package dispatcher

import (
	"testing"

	"waoutbox/outbox"
)

// Mutation of outcome.go: our own failure costs an attempt.
func TestClassify(t *testing.T) {
	for _, c := range []struct {
		r    Result
		want Outcome
		why  string
	}{
		{Result{Class: outbox.ClassOK, Status: 204}, Delivered, "204"},
		{Result{Class: outbox.ClassHTTP, Status: 404}, Retry, "404"},
		{Result{Class: outbox.ClassHTTP, Status: 503}, Retry, "503"},
		{Result{Class: outbox.ClassHTTP, Status: 410}, Reject, "410"},
		{Result{Class: outbox.ClassRedirect, Status: 301}, Retry, "301"},
		{Result{Class: outbox.ClassTimeout}, Retry, "timeout"},
		{Result{Class: outbox.ClassRefused}, Retry, "refused"},
		{Result{Class: outbox.ClassReset}, Retry, "reset"},
		{Result{Class: outbox.ClassDNS}, Retry, "dns"},
		{Result{Class: outbox.ClassTLS}, Retry, "tls"},
		{Result{Class: outbox.ClassNetwork}, Retry, "network"},
		{Result{Class: outbox.ClassInternal}, Retry, "internal"},
		{Result{Class: "of a later version"}, Retry, "of a later version"},
		{Result{Class: outbox.ClassAddress}, NotAttempted, "address"},
		{Result{Class: outbox.ClassLocal}, NotAttempted, "local"},
	} {
		if got := Classify(c.r); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
		if got := deadReason(c.r); got != c.why {
			t.Errorf("%+v: reason %q, want %q", c.r, got, c.why)
		}
	}
}

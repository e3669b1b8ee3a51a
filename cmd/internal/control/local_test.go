package control

import (
	"context"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"waoutbox/outbox/api"
)

// TestLocalKnowsEveryOperation: each operation is either one that changes something, and then has a
// method of local, or one of those that only read.
func TestLocalKnowsEveryOperation(t *testing.T) {
	src, err := os.ReadFile("local.go")
	if err != nil {
		t.Fatal(err)
	}
	reads := []string{
		"Audit", "VerifyAudit", "Status", "Webhooks", "Webhook", "WebhookActivity", "DeadLetterSummary", "DeadLetters", "DeadLetter", "Replays", "Events", "Event", "Occurrences", "StreamOccurrences", "SubscriptionOffer",
		"Pair", "PairNow", "ContinuePairing", "FindRecipients", "Groups", "Media",
	}
	known := slices.Clone(reads)
	for _, m := range regexp.MustCompile(`(?m)^func \(l local\) (\w+)\(`).FindAllStringSubmatch(string(src), -1) {
		known = append(known, m[1])
	}
	var all []string
	for i := range reflect.TypeFor[api.Service]().NumMethod() {
		all = append(all, reflect.TypeFor[api.Service]().Method(i).Name)
	}
	slices.Sort(known)
	slices.Sort(all)
	if !slices.Equal(known, all) {
		t.Errorf("local.go and its readers have\n%q, and the service\n%q", known, all)
	}
}

// TestLocalCallers: a caller that gives up ends what reads and not what changes something, and the
// caller's name arrives.
//
// Mutation of local.go: what an agent over HTTP has asked for is cut off when it hangs up.
func TestLocalCallers(t *testing.T) {
	f := &recordingService{block: true, enter: make(chan struct{}, 1), left: make(chan error, 1), release: make(chan struct{})}
	s := NewServer(ServerOptions{Service: f, Stop: func() {}, Log: discardLog()})
	svc := s.Local()
	ctx, cancel := context.WithCancel(WithAgent(t.Context(), Agent{Name: "an-agent"}))
	done := make(chan error, 1)
	go func() { _, err := svc.Send(ctx, api.Send{To: "1"}); done <- err }()
	<-f.enter
	cancel()
	close(f.release)
	if err := <-f.left; err != nil {
		t.Errorf("the send was told %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(f.calls) != 1 || f.calls[0].agent.Name != "an-agent" {
		t.Errorf("calls %+v", f.calls)
	}

	f.release = make(chan struct{})
	read, cancel := context.WithCancel(t.Context())
	go func() { _, err := svc.Webhooks(read); done <- err }()
	<-f.enter
	cancel()
	if err := <-f.left; err == nil {
		t.Error("the reading went on without its caller")
	}
	<-done

	f.block = false
	s.awaitCalls()
	if _, err := svc.Send(t.Context(), api.Send{To: "1"}); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("a send after the stop: %v", err)
	}
}

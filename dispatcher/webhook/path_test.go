package webhook

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

// path is the dispatcher over real HTTP to a scripted receiver; only the engine is in memory.
type path struct {
	fake *outboxtest.Fake
	recv *receiver.Receiver
	d    *dispatcher.Dispatcher
}

func newPath(t testing.TB, o receiver.Options, inFlight int) *path {
	t.Helper()
	p := &path{fake: outboxtest.NewFake(), recv: receiver.New(o)}
	if err := p.recv.Start(); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil }})
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: p.recv.URL(), Secret: []byte(o.Secret)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.fake.PutSub(t.Context(), outbox.Subscription{ID: "wh_1", Config: cfg,
		Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
		t.Fatal(err)
	}
	p.d = dispatcher.New(dispatcher.Options{Source: p.fake, Subscriptions: p.fake, Sender: s, MaxInFlight: inFlight,
		Schedule: dispatcher.Schedule{0, 5 * time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.recv.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *path) append(t testing.TB, chat string, body []byte) {
	t.Helper()
	if _, err := p.fake.Append(t.Context(), outbox.Event{Key: fmt.Sprintf("evt_%s_%d", chat, time.Now().UnixNano()), Random: true,
		Name: "message.received", Chat: chat, Time: time.Now(), Body: body}); err != nil {
		t.Fatal(err)
	}
}

func (p *path) wait(t testing.TB, ok func(receiver.Counts) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.recv.WaitFor(ctx, ok); err != nil {
		t.Fatal(err)
	}
}

// An endpoint that fails: four POSTs with the same body and id, then a dead letter; replayed once
// the endpoint works.
//
// Mutation of header.go: an id of its own for each attempt.
func TestFourPostsDeadLetterReplay(t *testing.T) {
	p := newPath(t, receiver.Options{Script: receiver.MustScript("500, reset, 302, 404"), Secret: "whsec_test"}, 4)
	p.append(t, "alice", []byte(`{"event":"message.received"}`))
	p.wait(t, func(c receiver.Counts) bool { return c.Posts == 4 })
	got := p.recv.Deliveries()
	for i, d := range got {
		if d.Attempt != i+1 || string(d.Body) != string(got[0].Body) || d.EventID != got[0].EventID || d.Signature != receiver.SignatureValid {
			t.Errorf("attempt %d: %+v", i+1, d)
		}
	}
	dead := p.dead(t)
	log, err := outbox.DecodeLog(dead.Log)
	if err != nil || len(log.Attempts) != 4 || log.Attempts[0].Status != 500 || log.Attempts[1].Class != outbox.ClassReset ||
		log.Attempts[2].Class != outbox.ClassRedirect || log.Attempts[3].Status != 404 {
		t.Errorf("log %+v, %v", log, err)
	}
	p.recv.SetScript(nil, false)
	queued, missing, err := p.d.Replay(t.Context(), "wh_1", []outbox.Seq{dead.Seq})
	if queued != 1 || len(missing) != 0 || err != nil {
		t.Fatalf("replay: %d, %v, %v", queued, missing, err)
	}
	p.wait(t, func(c receiver.Counts) bool { return c.Replayed == 1 && c.SignaturesValid == 5 })
}

// dead waits for the one dead letter.
func (p *path) dead(t *testing.T) outbox.Record {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		recs, err := p.fake.Dead(t.Context(), "wh_1", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 1 {
			return recs[0]
		}
		<-time.After(time.Millisecond)
	}
	t.Fatal("no dead letter appeared")
	return outbox.Record{}
}

func TestManyChatsOverHTTPInOrder(t *testing.T) {
	p := newPath(t, receiver.Options{Script: receiver.MustScript("500,200"), PerEvent: true, Secret: "s"}, 8)
	const n = 300
	for i := range n {
		chat := fmt.Sprintf("chat%d", i%20)
		p.append(t, chat, fmt.Appendf(nil, `{"data":{"id":%q}}`, chat))
	}
	p.wait(t, func(c receiver.Counts) bool { return c.Events == n })
	c := p.recv.Counts()
	if c.OutOfOrder != 0 || c.Duplicates != 0 || c.SignaturesInvalid != 0 || c.Retried == 0 {
		t.Errorf("counts %+v", c)
	}
}

// BenchmarkPath is the whole path over loopback HTTP, the engine in memory: 1 KiB bodies, 1,000
// chats, 64 in flight.
func BenchmarkPath(b *testing.B) {
	p := newPath(b, receiver.Options{Keep: -1, Secret: "s"}, 64)
	body := make([]byte, 1024)
	for i := range b.N {
		p.append(b, fmt.Sprintf("chat%d", i%1000), body)
	}
	p.wait(b, func(c receiver.Counts) bool { return c.Events == b.N })
}

// BenchmarkRawPost is the limit next to it: signed POSTs over 64 connections, nothing else.
func BenchmarkRawPost(b *testing.B) {
	recv := receiver.New(receiver.Options{Keep: -1, Secret: "s"})
	if err := recv.Start(); err != nil {
		b.Fatal(err)
	}
	s := New(Options{Unseal: func(b []byte, _ string) ([]byte, error) { return b, nil }})
	body := make([]byte, 1024)
	work := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range work {
				s.Send(b.Context(), dispatcher.Request{Sub: "wh_1", Attempt: 1, Webhook: outbox.Webhook{URL: recv.URL(), Secret: []byte("s")},
					Event: outbox.Event{Seq: outbox.Seq(i + 1), Key: fmt.Sprint("evt_", i), Name: "message.received", Body: body}})
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	wg.Wait()
	s.Close()
	if err := recv.Close(); err != nil {
		b.Error(err)
	}
}

package dispatcher_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/receiver"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

// service is a dispatcher over real HTTP, with a webhook for each endpoint.
type service struct {
	t    *testing.T
	fake *outboxtest.Fake
	d    *dispatcher.Dispatcher
}

// serve runs a dispatcher with webhooks at urls, by id, until the test ends.
func serve(t *testing.T, urls map[outbox.SubID]string, schedule ...time.Duration) *service {
	s := &service{t: t, fake: outboxtest.NewFake()}
	for id, url := range urls {
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: url, Schedule: schedule})
		if err != nil {
			t.Fatal(err)
		}
		everything := []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}
		if _, err := s.fake.PutSub(t.Context(), outbox.Subscription{ID: id, Config: cfg, Epochs: everything}); err != nil {
			t.Fatal(err)
		}
	}
	sender := webhook.New(webhook.Options{Unseal: func(sealed []byte, _ string) ([]byte, error) { return sealed, nil }})
	s.d = dispatcher.New(dispatcher.Options{Source: s.fake, Subscriptions: s.fake, Sender: sender})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		sender.Close()
	})
	return s
}

func (s *service) append(i, chats int) {
	s.t.Helper()
	_, err := s.fake.Append(s.t.Context(), outbox.Event{
		Key: fmt.Sprintf("evt_%d", i), Name: "message.received", Chat: fmt.Sprintf("chat %d", i%chats), Time: time.Now(), Body: []byte(`{"event":"message.received"}`),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) dead(id outbox.SubID) int {
	s.t.Helper()
	st, err := s.fake.Stats(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return int(st.Subs[id].Dead)
}

// limited is an endpoint that takes so many requests a second, and the receiver behind it.
func limited(t *testing.T, perSecond float64, burst int, retryAfter string) (*receiver.Receiver, string) {
	end := receiver.New(receiver.Options{})
	limit := rate.NewLimiter(rate.Limit(perSecond), burst)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if limit.Allow() {
			end.ServeHTTP(w, r)
			return
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	return end, server.URL
}

// TestAThrottledReceiverOverHTTP: 20 chats with 10 messages each at once, to receivers that take 40
// a second, with none or a second's worth in reserve. Nothing dies, and all of it is there in the
// time that it takes, 10 s to find the rate, and twice that for a busy machine. One a second, as it
// was for a receiver without a reserve, would take 200 s.
func TestAThrottledReceiverOverHTTP(t *testing.T) {
	t.Parallel()
	ends, urls := map[outbox.SubID]*receiver.Receiver{}, map[outbox.SubID]string{}
	ends["wh_1"], urls["wh_1"] = limited(t, 40, 1, "")
	ends["wh_2"], urls["wh_2"] = limited(t, 40, 1, "1")
	ends["wh_3"], urls["wh_3"] = limited(t, 40, 40, "")
	ends["wh_4"], urls["wh_4"] = limited(t, 40, 40, "1")
	s := serve(t, urls)
	for i := range 200 {
		s.append(i, 20)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	for id, end := range ends {
		if err := end.WaitFor(ctx, func(c receiver.Counts) bool { return c.Events == 200 }); err != nil {
			t.Fatalf("%s: %v; state %+v", id, err, s.d.State(id))
		}
		if n := s.dead(id); n != 0 || end.Counts().OutOfOrder != 0 || end.Counts().Duplicates != 0 {
			t.Errorf("%s: %d dead, %+v", id, n, end.Counts())
		}
	}
}

// TestAnOutageOverHTTP: an endpoint that is down for 3.2 s at 100 messages a second, with a
// schedule as much faster. At most 20 and what was in flight become dead letters; all others come,
// in order; and the state says since when it is failing, and with what.
func TestAnOutageOverHTTP(t *testing.T) {
	t.Parallel()
	end := receiver.New(receiver.Options{})
	var up atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		end.ServeHTTP(w, r)
	}))
	defer server.Close()
	begun := time.Now()
	const hooked = outbox.SubID("wh_http")
	s := serve(t, map[outbox.SubID]string{hooked: server.URL}, 0, 100*time.Millisecond, 300*time.Millisecond, time.Second)
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	const n = 320
	for i := range n {
		<-beat.C
		s.append(i, 50)
	}
	st := s.d.State(hooked)
	if st.Status != dispatcher.StatusFailing || st.Failure.LastError == "" || st.Failure.Since.Before(begun) || st.Failure.Since.After(time.Now()) {
		t.Errorf("state %+v", st)
	}
	up.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := end.WaitFor(ctx, func(c receiver.Counts) bool { return c.Events+s.dead(hooked) == n }); err != nil {
		t.Fatalf("%v; state %+v", err, s.d.State(hooked))
	}
	if dead := s.dead(hooked); dead > 20+16 || end.Counts().OutOfOrder != 0 || end.Counts().Duplicates != 0 {
		t.Errorf("%d dead, %+v", dead, end.Counts())
	}
}

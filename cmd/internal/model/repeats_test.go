package model

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

const (
	repeatsInFlight = 16
	postTime        = 2 * time.Millisecond
)

// takingEndpoint takes everything after postTime, and knows what a kill would send again.
type takingEndpoint struct {
	mu    sync.Mutex
	taken map[outbox.SubID]map[outbox.Seq]time.Time // and not settled yet
	count atomic.Int64
}

func (e *takingEndpoint) Send(_ context.Context, r dispatcher.Request) dispatcher.Result {
	<-time.After(postTime) // of the simulated clock
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.taken[r.Sub] == nil {
		e.taken[r.Sub] = map[outbox.Seq]time.Time{}
	}
	e.taken[r.Sub][r.Event.Seq] = time.Now()
	e.count.Add(1)
	return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
}

// unsettled returns how much of what sub has taken would be sent again after a kill, and for how
// long the oldest of it has been taken.
func (e *takingEndpoint) unsettled(t *testing.T, box *boltbox.Box, sub outbox.SubID) (n int, age time.Duration) {
	next, _, pending, err := box.Load(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	again := map[outbox.Seq]bool{}
	for _, r := range pending {
		again[r.Seq] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for seq, at := range e.taken[sub] {
		if seq < next && !again[seq] {
			delete(e.taken[sub], seq)
			continue
		}
		age = max(age, time.Since(at))
	}
	return len(e.taken[sub]), age
}

// What is delivered is on disk soon after, so that a kill sends little again: while a backlog is
// delivered and nothing else is written, and while events are appended all the time. Webhooks share
// their commits. Before lanes settled at common moments a drain printed "settled after 47ms".
// Before they waited for their settlements, appending printed "131 deliveries were not settled at
// one moment", and with a fast disk "settled after 7ms".
//
// Mutation of dispatcher/checkpoint.go: a checkpoint waits in the queue for others and learns of
// nothing that is delivered meanwhile, so that a kill sends more again.
// Mutation of dispatcher/checkpoint.go: each lane settles when it likes, and shares no commit.
// Mutation of dispatcher/checkpoint.go: while events are appended all the time, deliveries begin
// however many wait for their settlement.
// Mutation of dispatcher/checkpoint.go: while a backlog is delivered to a disk that is slow,
// deliveries begin however long the first of them waits for its settlement.
// Mutation of dispatcher/checkpoint.go: meanwhile a settlement waits for others, while the commit
// that it could share begins.
func TestWhatAKillSendsAgain(t *testing.T) {
	for _, c := range []struct {
		name     string
		webhooks int
		appends  bool
		commit   time.Duration // what one takes
		most     time.Duration // between a delivery and its settlement
		repeats  int           // of one webhook, with what is in flight
		commits  int           // in half a second, with those at its edges
	}{
		{name: "drain", webhooks: 1, commit: 4 * time.Millisecond, most: 32 * time.Millisecond, repeats: 210, commits: 33},
		{name: "drain of ten", webhooks: 10, commit: 4 * time.Millisecond, most: 32 * time.Millisecond, repeats: 210, commits: 33},
		{name: "drain to a slow disk", webhooks: 1, commit: 30 * time.Millisecond, most: 85 * time.Millisecond, repeats: 340, commits: 17},
		{name: "appending", webhooks: 1, appends: true, commit: 4 * time.Millisecond, most: 16 * time.Millisecond, repeats: 64, commits: 130},
		{name: "appending to a fast disk", webhooks: 1, appends: true, commit: time.Millisecond, most: 5 * time.Millisecond, repeats: 64, commits: 505},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var commits atomic.Int64
				hook := func(commit func() error) error {
					<-time.After(c.commit) // of the simulated clock
					commits.Add(1)
					return commit()
				}
				db, err := store.Open(filepath.Join(dir, store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MinFree: 1, CommitHook: hook})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				box, err := boltbox.Open(t.Context(), db, boltbox.Options{})
				if err != nil {
					t.Fatal(err)
				}
				cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/"})
				if err != nil {
					t.Fatal(err)
				}
				var subs []outbox.SubID
				for i := range c.webhooks {
					subs = append(subs, outbox.SubID(fmt.Sprint("wh_", i)))
					if _, err := box.PutSub(t.Context(), outbox.Subscription{ID: subs[i], Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}); err != nil {
						t.Fatal(err)
					}
				}
				n := 0
				feed := func(count int) {
					evs := make([]outbox.Event, count)
					for i := range evs {
						n++
						evs[i] = outbox.Event{Key: fmt.Sprint("evt_", n), Stamp: uint32(time.Now().Unix()), Time: time.Now(), Name: "message.received", Chat: fmt.Sprintf("%d@lid", n), Body: []byte("{}")}
					}
					if _, err := box.Append(t.Context(), evs...); err != nil {
						t.Error(err)
					}
				}
				for n < 10_000 {
					feed(outbox.MaxBatch)
				}
				pass(time.Second)
				end := &takingEndpoint{taken: map[outbox.SubID]map[outbox.Seq]time.Time{}}
				d := dispatcher.New(dispatcher.Options{Source: box, Subscriptions: box, Sender: end, MaxInFlight: repeatsInFlight})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ran := make(chan error, 1)
				go func() { ran <- d.Run(ctx) }()
				var appending sync.WaitGroup
				if c.appends {
					appending.Go(func() {
						for ctx.Err() == nil {
							feed(16)
						}
					})
				}
				pass(100 * time.Millisecond)
				var repeats int
				var oldest time.Duration
				commits.Store(0)
				for range 500 {
					pass(time.Millisecond)
					for _, sub := range subs {
						again, age := end.unsettled(t, box, sub)
						repeats, oldest = max(repeats, again), max(oldest, age)
					}
				}
				made := int(commits.Load())
				t.Logf("at most %d deliveries unsettled, the oldest for %v; %d commits and %d deliveries a second", repeats, oldest, 2*made, end.count.Load()*10/6)
				if oldest > c.most {
					t.Errorf("a delivery was settled after %v, want at most %v", oldest, c.most)
				}
				if repeats > c.repeats {
					t.Errorf("%d deliveries were not settled at one moment, want at most %d", repeats, c.repeats)
				}
				if made > c.commits {
					t.Errorf("%d commits in half a second, want at most %d", made, c.commits)
				}
				cancel()
				appending.Wait()
				if err := <-ran; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

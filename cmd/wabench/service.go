package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"waoutbox/cmd/internal/garbage"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// drainTime is short: what hangs at the end of a measurement is of no interest.
const drainTime = 50 * time.Millisecond

// service is the product without WhatsApp and the socket, put together as `waoutbox serve` does it:
// real file, real committer, real dispatcher, real sender. It logs like the product at its default
// level, into nothing.
type service struct {
	dir    string
	state  *store.State
	db     *store.DB
	box    *boltbox.Box
	key    *store.Key
	sender *webhook.Sender
	disp   *dispatcher.Dispatcher
	log    *slog.Logger

	unbound func() // lets garbage grow as the collector would have it
	stop    context.CancelFunc
	ran     chan error // nil until run
}

// openService opens or creates the outbox in dir. Nothing is delivered before run.
func openService(ctx context.Context, dir string, maxInFlight int) (*service, error) {
	return openServiceWith(ctx, dir, maxInFlight, around{})
}

// around is what a measurement puts around parts of the service; nil: nothing.
type around struct {
	sender func(dispatcher.Sender) dispatcher.Sender
	commit func(commit func() error) error
}

func openServiceWith(ctx context.Context, dir string, maxInFlight int, with around) (_ *service, err error) {
	// Formatting costs what it costs the product; slog.DiscardHandler would skip it.
	log := slog.New(slog.NewTextHandler(io.Discard, nil)) //nolint:sloglint // see above
	s := &service{dir: dir, log: log, unbound: garbage.Bound(os.Getenv)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.state, err = store.OpenState(ctx, dir, store.Options{Version: "wabench"}); err != nil {
		return nil, err
	}
	if s.db, err = store.Open(s.state.Path(store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MinFree: store.DefaultMinFree, Log: log, CommitHook: with.commit}); err != nil {
		return nil, err
	}
	if s.box, err = boltbox.Open(ctx, s.db, boltbox.Options{Log: log}); err != nil {
		return nil, err
	}
	if s.key, err = store.OpenKey(s.state.Path(store.KeyFile), false); err != nil {
		return nil, err
	}
	s.sender = webhook.New(webhook.Options{Unseal: s.key.Open, UserAgent: "waoutbox/wabench", Log: log})
	sender := dispatcher.Sender(s.sender)
	if with.sender != nil {
		sender = with.sender(sender)
	}
	s.disp = dispatcher.New(dispatcher.Options{
		Source: s.box, Subscriptions: s.box, Sender: sender, Log: log,
		MaxInFlight: maxInFlight, Drain: drainTime,
	})
	return s, nil
}

// subscribe registers a signed webhook for every event and each URL.
func (s *service) subscribe(ctx context.Context, urls ...string) error {
	for i, url := range urls {
		if err := s.subscribeAs(ctx, subID(i), outbox.Webhook{URL: url}); err != nil {
			return err
		}
	}
	return nil
}

// subscribeAs registers a webhook with these settings, signed, for every event.
func (s *service) subscribeAs(ctx context.Context, id outbox.SubID, hook outbox.Webhook) (err error) {
	if hook.Secret, err = s.key.Seal([]byte(secret), outbox.SecretContext(id)); err != nil {
		return fmt.Errorf("seal a secret: %w", err)
	}
	hook.CreatedAt, hook.UpdatedAt = time.Now(), time.Now()
	cfg, err := outbox.EncodeWebhook(hook)
	if err != nil {
		return err
	}
	_, err = s.box.PutSub(ctx, outbox.Subscription{ID: id, Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
	return err
}

// subID is the id of the ith webhook that subscribe makes.
func subID(i int) outbox.SubID { return outbox.SubID(fmt.Sprintf("wh_%03d", i)) }

// run starts the dispatcher; halt or close ends it.
func (s *service) run(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.ran = make(chan error, 1)
	go func() { s.ran <- s.disp.Run(ctx) }()
}

// loaded returns when the lane of each of ids has read its state from the disk.
func (s *service) loaded(ctx context.Context, ids ...outbox.SubID) error {
	for _, id := range ids {
		if err := poll(ctx, 50*time.Microsecond, func() (bool, error) { return s.disp.State(id).Status != "", nil }); err != nil {
			return fmt.Errorf("wait for the lane of %s: %w", id, err)
		}
	}
	return nil
}

// settled returns when no delivery is pending any more.
func (s *service) settled(ctx context.Context) error {
	err := poll(ctx, 10*time.Millisecond, func() (bool, error) {
		stats, err := s.box.Stats(ctx)
		for _, sub := range stats.Subs {
			if sub.Pending > 0 {
				return false, err
			}
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("wait until everything is settled: %w", err)
	}
	return nil
}

// poll calls done every step until it reports true or fails.
func poll(ctx context.Context, step time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// halt ends the dispatcher and waits for it. The outbox stays open.
func (s *service) halt() error {
	if s.ran == nil {
		return nil
	}
	s.stop()
	err := <-s.ran
	s.ran = nil
	return err
}

// close gives everything back. Safe on a partly opened service, and when halted before.
func (s *service) close() error {
	s.unbound()
	errs := []error{s.halt()}
	if s.sender != nil {
		s.sender.Close()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}

// discard closes the service and removes its files.
func (s *service) discard() error { return errors.Join(s.close(), os.RemoveAll(s.dir)) }

// appendAll appends n events as fast as batches of the largest size go: to make a backlog, not to
// measure appends.
func (s *service) appendAll(ctx context.Context, n, chats int) error {
	for i := 0; i < n; {
		var evs []outbox.Event
		for ; i < n && len(evs) < outbox.MaxBatch; i++ {
			evs = append(evs, event(i, chats))
		}
		if _, err := s.box.Append(ctx, evs...); err != nil {
			return err
		}
	}
	return nil
}

// appendPaced appends n events, one every 1/rate seconds, on the beat: a slow append does not hold
// up the next one. Every event carries the moment before its append. It returns when the last is on
// disk.
func (s *service) appendPaced(ctx context.Context, rate, n, chats int) error {
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	err := paced(ctx, rate, n, func(i int) {
		wg.Go(func() {
			if _, err := s.box.Append(ctx, event(i, chats)); err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	})
	wg.Wait()
	return errors.Join(err, failed)
}

// paced calls do n times, rate times a second, on the beat of the start.
func paced(ctx context.Context, rate, n int, do func(i int)) error {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		timer.Reset(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		select {
		case <-timer.C:
			do(i)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

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

	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// drainTime is short: what hangs at the end of a measurement is of no interest.
const drainTime = 50 * time.Millisecond

// service is the product without WhatsApp and the socket, put together as `waoutbox serve` does it: real file, real committer,
// real dispatcher, real sender. It logs like the product at its default level, into nothing.
type service struct {
	dir    string
	state  *store.State
	db     *store.DB
	box    *boltbox.Box
	key    *store.Key
	sender *webhook.Sender
	disp   *dispatcher.Dispatcher

	stop context.CancelFunc
	ran  chan error // nil until run
}

// openService opens or creates the outbox in dir. Nothing is delivered before run.
func openService(ctx context.Context, dir string, maxInFlight int) (*service, error) {
	return openServiceWith(ctx, dir, maxInFlight, func(real dispatcher.Sender) dispatcher.Sender { return real })
}

// openServiceWith lets around stand between the dispatcher and the real sender.
func openServiceWith(ctx context.Context, dir string, maxInFlight int, around func(dispatcher.Sender) dispatcher.Sender) (_ *service, err error) {
	s := &service{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if s.state, err = store.OpenState(ctx, dir, store.Options{Version: "wabench"}); err != nil {
		return nil, err
	}
	if s.db, err = store.Open(s.state.Path(store.OutboxFile), store.DBOptions{Log: log}); err != nil {
		return nil, err
	}
	if s.box, err = boltbox.Open(ctx, s.db, boltbox.Options{Log: log}); err != nil {
		return nil, err
	}
	if s.key, err = store.OpenKey(s.state.Path(store.KeyFile), false); err != nil {
		return nil, err
	}
	s.sender = webhook.New(webhook.Options{Unseal: s.key.Open, UserAgent: "waoutbox/wabench", Log: log})
	s.disp = dispatcher.New(dispatcher.Options{
		Source: s.box, Subscriptions: s.box, Sender: around(s.sender), Log: log,
		MaxInFlight: maxInFlight, Drain: drainTime,
	})
	return s, nil
}

// subscribe registers a signed webhook for every event and each URL.
func (s *service) subscribe(ctx context.Context, urls ...string) error {
	for i, url := range urls {
		id := outbox.SubID(fmt.Sprintf("wh_%03d", i))
		sealed, err := s.key.Seal([]byte(secret), string(id)+"/secret")
		if err != nil {
			return fmt.Errorf("seal a secret: %w", err)
		}
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: url, Secret: sealed, CreatedAt: time.Now(), UpdatedAt: time.Now()})
		if err != nil {
			return err
		}
		sub := outbox.Subscription{ID: id, Config: cfg, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}
		if _, err := s.box.PutSub(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// run starts the dispatcher; halt or close ends it.
func (s *service) run(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.ran = make(chan error, 1)
	go func() { s.ran <- s.disp.Run(ctx) }()
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

// appendAll appends n events as fast as batches of the largest size go: to make a backlog, not to measure appends.
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

// appendPaced appends n events, one every 1/rate seconds, on the beat: a slow append does not hold up the next one. Every event
// carries the moment before its append. It returns when the last is on disk.
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

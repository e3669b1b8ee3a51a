package model

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store"
)

// How the receiver of a lease responds.
const (
	leaseFine      = iota // 204
	leaseDown             // 503
	leaseEarly            // 425
	leaseThrottles        // 429 with Retry-After, every other time
	leaseHangs            // nothing, until the attempt's time is over
	leaseBad              // 400
	leaseGone             // 410
	leaseTooLarge         // 413
	leaseRedirects        // 307
	leaseRebinds          // its name resolves to a private address
	leaseMoody            // fails by the event and the attempt
	leasePoison           // every fifth event gets 500, whatever the attempt
	leaseMoods
)

// leaseLife is how long a lease is granted for.
const leaseLife = time.Hour

// leaseWorld is a real file with its engine, a real dispatcher, and a client with its receiver, in
// simulated time.
type leaseWorld struct {
	*leaseModel
	path string
	slow bool
	db   *store.DB
	eng  outboxtest.Engine
	disp *dispatcher.Dispatcher
	halt func()
	n    int
	ends time.Time // of the lease that lives
	gen  uint64
}

func newLeaseWorld(dir string, slow bool) *leaseWorld {
	w := &leaseWorld{leaseModel: newLeaseModel(), path: filepath.Join(dir, store.OutboxFile), slow: slow}
	w.unsure = slow
	w.open()
	return w
}

func (w *leaseWorld) open() {
	var err error
	if w.db, err = store.Open(w.path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1}); err != nil {
		panic(err)
	}
	box, err := boltbox.Open(context.Background(), w.db, boltbox.Options{RingBytes: 2000})
	if err != nil {
		panic(err)
	}
	w.eng = box
	if w.slow {
		w.eng = outboxtest.NewSlow(box, outboxtest.SlowOptions{Every: 9, First: w.n})
	}
	w.disp = dispatcher.New(dispatcher.Options{Source: w.eng, Subscriptions: w.eng, Sender: w, Schedule: schedule(), MaxInFlight: 4, MaxUnfinished: 12, Drain: 2 * time.Second})
}

func (w *leaseWorld) start() {
	if w.halt != nil {
		return
	}
	w.mu.Lock()
	w.run++
	// whatever the clock says, a lease goes on for a moment after a start
	w.mayUntil = later(w.mayUntil, time.Now().Add(outbox.LeaseGrace))
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	d := w.disp
	go func() { done <- d.Run(ctx) }()
	w.halt = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			panic(err)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *leaseWorld) restart() {
	w.halt()
	w.halt = nil
	if w.slow {
		pass(time.Second) // for what lands late
	}
	if err := w.db.Close(); err != nil {
		panic(err)
	}
	w.open()
	w.start()
}

// persist repeats a write of unknown outcome, as everybody does.
func (w *leaseWorld) persist(call func(context.Context) error) {
	for {
		err := call(context.Background())
		switch {
		case err == nil:
			return
		case !errors.Is(err, outbox.ErrUnknown):
			w.say("%v", err)
			return
		}
	}
}

// append appends up to five events, some of chats that the lease does not want.
func (w *leaseWorld) append(count, chat int) {
	var evs []outbox.Event
	for i := range 1 + count%5 {
		w.n++
		at := chats()[(chat+i)%len(chats())]
		evs = append(evs, outbox.Event{Key: fmt.Sprint("evt_", w.n), Stamp: uint32(time.Now().Unix()), Time: time.Now().Truncate(time.Millisecond),
			Name: "message.received", Chat: at[0], ChatAlt: at[1], Body: fmt.Appendf(nil, `{"n":%d}`, w.n)})
	}
	var seqs []outbox.Seq
	w.mu.Lock()
	w.appending = true
	w.mu.Unlock()
	w.persist(func(ctx context.Context) (err error) {
		seqs, err = w.eng.Append(ctx, evs...)
		return err
	})
	for i, seq := range seqs {
		if evs[i].Chat != leaseUnwanted {
			w.appended(evs[i].Chat, seq)
		}
	}
	w.mu.Lock()
	w.appending = false
	w.mu.Unlock()
}

// leaseUnwanted is a chat that the lease leaves out.
const leaseUnwanted = "4-5@g.us"

// Send is the receiver.
func (w *leaseWorld) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	w.arrive(r)
	w.mu.Lock()
	mood := w.mood
	w.mu.Unlock()
	seq := uint64(r.Event.Seq)
	took := time.Duration(1+(seq*7+uint64(r.Attempt)*13)%90) * time.Millisecond
	if mood == leaseHangs {
		took = time.Hour
	}
	res := dispatcher.Result{Class: outbox.ClassTimeout}
	select {
	case <-time.After(took):
		res = respondTo(mood, seq, uint64(r.Attempt))
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			res = dispatcher.Result{Class: outbox.ClassLocal, Message: "cut off"}
		}
	}
	w.ended(r, res)
	return res
}

func respondTo(mood int, seq, attempt uint64) dispatcher.Result {
	http := func(code int) dispatcher.Result { return dispatcher.Result{Class: outbox.ClassHTTP, Status: code} }
	odd := (seq+attempt)%2 == 1
	switch {
	case mood == leaseDown, mood == leaseMoody && (seq+attempt)%3 == 0:
		return http(503)
	case mood == leaseEarly:
		return http(425)
	case mood == leaseThrottles && odd:
		return dispatcher.Result{Class: outbox.ClassHTTP, Status: 429, RetryAfter: 2 * time.Second}
	case mood == leaseBad, mood == leaseMoody && (seq+attempt)%3 == 1:
		return http(400)
	case mood == leaseGone:
		return http(410)
	case mood == leaseTooLarge:
		return http(413)
	case mood == leaseRedirects:
		return dispatcher.Result{Class: outbox.ClassRedirect, Status: 307}
	case mood == leaseRebinds:
		return dispatcher.Result{Class: outbox.ClassAddress}
	case mood == leasePoison && seq%5 == 0:
		return http(500)
	}
	return dispatcher.Result{Class: outbox.ClassOK, Status: 204}
}

// Gap is the receiver's view of a gap envelope: it takes it, does not know it, or is not there.
func (w *leaseWorld) Gap(_ context.Context, r dispatcher.Request) dispatcher.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Sub != w.id {
		w.faults = append(w.faults, fmt.Sprintf("a gap is told of %s, which has ended", r.Sub))
	}
	w.seen.gaps++
	switch w.gapMood % 3 {
	case 0:
		w.told(r.Watermark)
		return dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	case 1:
		return dispatcher.Result{Class: outbox.ClassHTTP, Status: 400}
	}
	return dispatcher.Result{Class: outbox.ClassRefused}
}

// config is the lease as it is stored.
func (w *leaseWorld) config(asked outbox.Seq) []byte {
	w.ends = time.Now().Add(leaseLife)
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/", Lease: &outbox.Lease{
		ID: "mcps_1", Principal: "local", Name: "message.received", Ends: w.ends, Generation: w.gen, Asked: asked,
	}})
	if err != nil {
		panic(err)
	}
	return cfg
}

// subscribe begins a life at a sequence, 0 for from now on, as the client's cursor says.
func (w *leaseWorld) subscribe(from outbox.Seq) {
	w.gen++
	id := outbox.SubID(fmt.Sprintf("wh_%d", w.gen))
	w.mu.Lock()
	w.id = id
	w.mu.Unlock()
	s := outbox.Subscription{ID: id, Config: w.config(from), Epochs: []outbox.Epoch{{From: from, Filter: outbox.Filter{Events: []string{outbox.Any}, NotChats: []string{leaseUnwanted}}}}}
	var stored outbox.Subscription
	w.persist(func(ctx context.Context) (err error) {
		stored, err = w.eng.PutSub(ctx, s)
		return err
	})
	at := stored.Epochs[0].From
	w.begins(at, from > 0 && at > from)
	w.mu.Lock()
	w.mayUntil = w.ends
	w.mu.Unlock()
	if w.halt != nil {
		_ = w.disp.Sync(context.Background(), id)
	}
}

// refresh stores the living lease anew, with another secret or not.
func (w *leaseWorld) refresh(secret bool) {
	if w.disp.Lease(w.id).Ended {
		return // its client finds that out
	}
	if secret {
		w.gen++
	}
	s, err := w.eng.Sub(context.Background(), w.id)
	if err != nil {
		return
	}
	was, err := outbox.DecodeWebhook(s.Config)
	if err != nil {
		panic(err)
	}
	s.Config = w.config(was.Lease.Asked)
	w.mu.Lock()
	w.mayUntil = later(w.mayUntil, w.ends)
	w.mu.Unlock()
	w.persist(func(ctx context.Context) error { _, err := w.eng.PutSub(ctx, s); return err })
	w.telling(w.lostBelow()) // the lane goes on before this is told
	truncated, err := w.disp.Refreshed(context.Background(), w.id)
	w.refreshed(truncated, err, w.lostBelow())
}

// lostBelow is one above the highest event of the life that is which has expired.
func (w *leaseWorld) lostBelow() (below outbox.Seq) {
	records, err := w.eng.Dead(context.Background(), w.id, 0, outbox.MaxBatch)
	if err != nil {
		w.say("%v", err)
	}
	for _, r := range records {
		if r.Expired() {
			below = max(below, r.KeySeq()+1)
		}
	}
	return below
}

// lapse lets the lease end, and has the client subscribe again with the cursor it has.
func (w *leaseWorld) lapse() {
	for minutes := 0; !w.disp.Lease(w.id).Ended; minutes++ {
		if minutes == 600 {
			w.say("%s never ends", w.id)
			return
		}
		pass(time.Minute)
	}
	w.endLease(outbox.ReasonLeaseExpired)
	w.mu.Lock()
	cursor := w.cursor
	w.mu.Unlock()
	w.subscribe(cursor)
}

// unsubscribe ends the lease by its client's word, which subscribes again with its cursor.
func (w *leaseWorld) unsubscribe() {
	w.endLease("")
	w.mu.Lock()
	cursor := w.cursor
	w.mu.Unlock()
	w.subscribe(cursor)
}

func (w *leaseWorld) endLease(reason string) {
	ctx, id := context.Background(), w.id
	s, err := w.eng.Sub(ctx, id)
	if err != nil {
		return
	}
	cfg, err := outbox.DecodeWebhook(s.Config)
	if err != nil {
		panic(err)
	}
	if s, cfg, err = outbox.EndLease(s, cfg, reason); err == nil {
		s.Config, err = outbox.EncodeWebhook(cfg)
	}
	if err != nil {
		panic(err)
	}
	w.persist(func(ctx context.Context) error { _, err := w.eng.PutSub(ctx, s); return err })
	for tries := 0; ; tries++ {
		if _, err := w.disp.DeadLetterBacklog(ctx, id); err == nil {
			break
		} else if tries == 100 {
			w.say("the backlog of %s: %v", id, err)
			break
		}
		pass(time.Minute)
	}
	w.checkDead(id, reason)
}

// checkDead looks at what the end of a lease left: nothing pending, and the backlog with its
// reason.
func (w *leaseWorld) checkDead(id outbox.SubID, reason string) {
	ctx := context.Background()
	if reason == "" {
		reason = dispatcher.ReasonUnregistered
	}
	_, _, pending, err := w.eng.Load(ctx, id)
	if err != nil || len(pending) > 0 {
		w.say("%s has ended with %d pending, %v", id, len(pending), err)
	}
	reasons, err := w.eng.DeadReasons(ctx, id)
	if err != nil {
		w.say("%v", err)
	}
	for r := range reasons {
		if !slices.Contains([]string{reason, outbox.ReasonExpired, "400", "410", "413", "307"}, r) {
			w.say("dead letters of %s with the reason %q", id, r)
		}
	}
}

// expire lets what the lease is owed go: below a sequence, or what was created before a while.
func (w *leaseWorld) expire(back int, age time.Duration) {
	ctx := context.Background()
	newest, err := w.eng.Newest(ctx)
	if err != nil {
		return
	}
	before, below := time.Now().Add(-age), outbox.Seq(0)
	if back%2 == 0 && newest.Seq > outbox.Seq(back) {
		before, below = time.Time{}, newest.Seq-outbox.Seq(back)
	}
	w.mu.Lock()
	w.expiring = true
	w.mu.Unlock()
	n, _, err := w.disp.Expire(ctx, w.id, before, below)
	w.expired(n > 0, err)
}

// trim removes what nobody is owed any more.
func (w *leaseWorld) trim(age time.Duration) {
	_, _, _ = w.eng.Trim(context.Background(), time.Now().Add(-age), 8)
}

// end lets everything work again, and compares.
func (w *leaseWorld) end() {
	w.mu.Lock()
	w.mood, w.gapMood = leaseFine, 0
	w.mu.Unlock()
	ctx := context.Background()
	w.refresh(false)
	if w.disp.Lease(w.id).Ended {
		w.lapse()
	}
	for minutes := 0; ; minutes++ {
		st, err := w.eng.Stats(ctx)
		if err == nil && st.Subs[w.id].Pending == 0 {
			break
		}
		if minutes == 50 {
			w.say("after %d minutes %d deliveries are pending, %v", minutes, st.Subs[w.id].Pending, err)
			break
		}
		pass(time.Minute)
	}
	w.refresh(false)
	w.restart()
	w.checkRefused()
	w.halt()
	if err := w.db.Close(); err != nil {
		panic(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish()
}

// checkRefused looks at what is dead of the lease that lives: its receiver has refused it, or it
// has expired.
func (w *leaseWorld) checkRefused() {
	records, err := w.eng.Dead(context.Background(), w.id, 0, outbox.MaxBatch)
	if err != nil {
		w.say("%v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range records {
		if e := w.events[r.Seq]; r.Reason != outbox.ReasonExpired && e != nil && !e.refused {
			w.faults = append(w.faults, fmt.Sprintf("%d is dead (%s), and nobody has refused it: %+v", r.Seq, r.Reason, *e))
		}
	}
}

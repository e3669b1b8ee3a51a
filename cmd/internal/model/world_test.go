package model

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store"
)

// How an endpoint responds.
const (
	fine       = iota // 200
	broken            // 503
	hanging           // nothing, until the attempt's time is over
	throttling        // 429, every other time
	ours              // we fail, not the endpoint
	leaving           // 410
	moody             // fails by the event and the attempt
	moods
)

// world is a real file with its engine, a real dispatcher, and endpoints that respond as told, in
// simulated time. Steps that fail because of what the history did before are no faults.
type world struct {
	*model
	path  string
	slow  bool // every call takes a while, and some writes are of unknown outcome
	db    *store.DB
	eng   outboxtest.Engine
	disp  *dispatcher.Dispatcher
	halt  func()
	clock time.Duration // by how much the time of new events is off
	// by how much everybody's is; and when it was set first, by the true time
	machine machineClock
	wrong   time.Time
	low     int64 // the most that it was behind, and ahead
	high    int64
	sends   []sent
	n       int
	calls   sync.WaitGroup

	mood [3]int // of each webhook
	// what each webhook was changed to last
	wish               [3]int
	unordered, redrive [3]bool
}

func hookID(i int) outbox.SubID { return outbox.SubID(fmt.Sprintf("wh_%d", i)) }

// open opens the file and makes the parts; nothing runs yet.
func (w *world) open() {
	var err error
	if w.db, err = store.Open(w.path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1}); err != nil {
		w.fault("open: %v", err)
		return
	}
	box, err := boltbox.Open(context.Background(), w.db, boltbox.Options{RingBytes: 2000, Now: w.machine.now})
	if err != nil {
		w.fault("open: %v", err)
		return
	}
	w.eng = box
	if w.slow {
		w.eng = &unreliable{Slow: outboxtest.NewSlow(box, outboxtest.SlowOptions{Every: 9, First: w.n}), every: 5}
	}
	w.disp = dispatcher.New(dispatcher.Options{Source: w.eng, Subscriptions: w.eng, Sender: w, Schedule: schedule(), MaxInFlight: 4, MaxUnfinished: 12, Drain: 2 * time.Second, Now: w.machine.now})
}

// unreliable is an engine of which some loads fail.
type unreliable struct {
	*outboxtest.Slow
	every int64
	loads atomic.Int64
}

func (u *unreliable) Load(ctx context.Context, sub outbox.SubID) (outbox.Seq, []byte, []outbox.Record, error) {
	if u.loads.Add(1)%u.every == 0 {
		return 0, nil, nil, outbox.ErrClosed
	}
	return u.Slow.Load(ctx, sub)
}

func (w *world) start() {
	if w.halt != nil {
		return
	}
	w.mu.Lock()
	w.run++
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	d := w.disp
	go func() { done <- d.Run(ctx) }()
	removes, stop := context.WithCancel(context.Background())
	removed := make(chan error, 1)
	keep := w.retention() // before anything is appended
	go func() { removed <- keep.Run(removes) }()
	w.halt = func() {
		stop()
		err := <-removed
		cancel()
		if err = errors.Join(err, <-done); err != nil && !errors.Is(err, context.Canceled) {
			w.fault("run: %v", err)
		}
	}
}

func (w *world) stop() {
	if w.halt != nil {
		w.halt()
		w.halt = nil
	}
}

// restart closes everything and opens it again.
func (w *world) restart() {
	w.stop()
	w.calls.Wait()
	if w.slow {
		pass(time.Second) // for what lands late
	}
	if err := w.db.Close(); err != nil {
		w.fault("close: %v", err)
	}
	w.open()
}

func pass(d time.Duration) { <-time.After(d) }

// Send is the endpoint of a webhook.
func (w *world) Send(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	w.arrive(r.Sub, r.Event, r.Attempt, r.Replay)
	res := w.respond(ctx, r)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) && res.Status == 0 {
		res = dispatcher.Result{Class: outbox.ClassLocal, Message: "cut off"}
	}
	// what was throttled costs nothing when other requests were in flight: it may or may not
	free := res.Class == outbox.ClassLocal || res.Status == 429
	w.answered(r.Sub, r.Event, res.Class == outbox.ClassOK, res.Status == 410, free)
	return res
}

func (w *world) respond(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	w.mu.Lock()
	mood := w.mood[strings.Index("012", string(r.Sub[3:]))]
	w.mu.Unlock()
	took := time.Duration(1+(uint64(r.Event.Seq)*7+uint64(r.Attempt)*13)%90) * time.Millisecond
	if mood == hanging {
		took = time.Hour
	}
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return dispatcher.Result{Class: outbox.ClassTimeout, Message: "no response"}
	}
	ok := dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	failed := dispatcher.Result{Class: outbox.ClassHTTP, Status: 503, Message: "503"}
	odd := (uint64(r.Event.Seq)+uint64(r.Attempt)+uint64(r.Replay))%2 == 1
	switch {
	case mood == broken, mood == moody && uint64(r.Event.Seq)%5 == 0 && r.Replay == 0, mood == moody && odd:
		return failed
	case mood == throttling && odd:
		return dispatcher.Result{Class: outbox.ClassHTTP, Status: 429, Message: "429", RetryAfter: 2 * time.Second}
	case mood == ours && odd:
		return dispatcher.Result{Class: outbox.ClassLocal, Message: "no descriptors left"}
	case mood == leaving:
		return dispatcher.Result{Class: outbox.ClassHTTP, Status: 410, Message: "410"}
	}
	return ok
}

// append appends up to five events; some have been appended before, and their times are anything.
func (w *world) append(count, chat, repeat int) {
	var evs []outbox.Event
	var ours []modelEvent
	for i := range 1 + count%5 {
		w.n++
		n := w.n
		if repeat%4 == 0 && n > 3 {
			n -= 1 + repeat%3
		}
		at := chats()[(chat+i*repeat)%len(chats())]
		e := modelEvent{key: fmt.Sprint("evt_", n), name: []string{"message.received", "presence.update"}[n%2], chat: at[0], alt: at[1], body: fmt.Sprintf(`{"n":%d}`, n)}
		ours = append(ours, e)
		evs = append(evs, outbox.Event{Key: e.key, Stamp: uint32(time.Now().Unix()), Time: w.machine.now().Add(w.clock).Truncate(time.Millisecond), Name: e.name, Chat: e.chat, ChatAlt: e.alt, Body: []byte(e.body)})
	}
	var seqs []outbox.Seq
	w.persist(func(ctx context.Context) (err error) {
		seqs, err = w.eng.Append(ctx, evs...)
		return err
	})
	w.appended(ours, seqs)
}

// persist repeats a write of unknown outcome, as everybody does.
func (w *world) persist(call func(context.Context) error) {
	for {
		err := call(context.Background())
		if err == nil {
			return
		}
		if !errors.Is(err, outbox.ErrUnknown) {
			w.mu.Lock()
			w.fault("%v", err)
			w.mu.Unlock()
			return
		}
	}
}

// put creates or changes a webhook; the wish for nothing removes it.
func (w *world) put(i, wanted int, unordered bool, patience time.Duration) {
	id := hookID(i)
	cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/" + string(id), Unordered: unordered, HoldAfter: new(3), Redrive: w.redrive[i]})
	if err != nil {
		panic(err)
	}
	s := outbox.Subscription{ID: id}
	if old, err := w.eng.Sub(context.Background(), id); err == nil {
		s = old
	} else if wanted == nothing {
		return
	}
	wasRemoved := s.Removed
	if wasRemoved && wanted == nothing {
		return
	}
	s.Config, s.Removed = cfg, wanted == nothing
	s.Epochs = append(slices.Clone(s.Epochs), outbox.Epoch{Filter: wishes()[wanted].filter})
	if wasRemoved && !w.finishRemoval(id) {
		return // the administration finishes a removal first
	}
	w.changing(id, wanted, unordered)
	w.wish[i], w.unordered[i] = wanted, unordered
	if w.redrive[i] {
		w.mayRedrive(id)
	}
	change := w.changesOf(id)
	var stored outbox.Subscription
	w.persist(func(ctx context.Context) (err error) {
		stored, err = w.eng.PutSub(ctx, s)
		return err
	})
	w.model.put(id, stored.Epochs[len(stored.Epochs)-1].From)
	d := w.disp
	w.calls.Go(func() { // the steps that follow, by a caller who may leave at any moment
		ctx, leave := context.WithTimeout(context.Background(), patience)
		defer leave()
		if s.Removed {
			_, _ = d.DeadLetterBacklog(ctx, id)
			return
		}
		synced := d.Sync(ctx, id) == nil
		_ = d.Resume(ctx, id)
		if synced && !unordered {
			pass(time.Second) // for what was begun before
			w.ordered(id, change)
		}
	})
}

// finishRemoval finishes a removal.
func (w *world) finishRemoval(id outbox.SubID) bool {
	_, err := w.disp.DeadLetterBacklog(context.Background(), id)
	return err == nil
}

// deadOf returns the dead letters of a webhook.
func (w *world) deadOf(id outbox.SubID) (out remains) {
	ctx := context.Background()
	records, err := w.eng.Dead(ctx, id, 0, outbox.MaxBatch)
	if err != nil {
		return out
	}
	for _, r := range records {
		if r.Reason == "expired" {
			out.expired = append(out.expired, [2]outbox.Seq{r.Seq, r.KeySeq()})
			continue
		}
		if !r.IsRun() {
			out.dead = append(out.dead, r.Seq)
			continue
		}
		for from := r.Seq; from <= r.Last; {
			evs, next, err := w.eng.Owed(ctx, id, from, r.Last, outbox.MaxBatch)
			if err != nil || next <= from {
				break
			}
			for _, ev := range evs {
				out.dead = append(out.dead, ev.Seq)
			}
			from = next
		}
	}
	return out
}

// expire lets what is unfinished go: below a sequence, or what was created before a while; and
// dead letters.
func (w *world) expire(i int, back outbox.Seq, age time.Duration, dead bool) {
	id, ctx := hookID(i), context.Background()
	newest, err := w.eng.Newest(ctx)
	if err != nil {
		return
	}
	switch {
	case dead:
		_, _, _ = w.disp.ExpireDead(ctx, id, 0, int(back)+1)
	case back%2 == 0 && newest.Seq > back:
		w.model.expire(id, newest.Seq-back)
		_, _, _ = w.disp.Expire(ctx, id, time.Time{}, newest.Seq-back)
	default:
		w.model.expire(id, newest.Seq+1)
		_, _, _ = w.disp.Expire(ctx, id, w.machine.now().Add(-age), 0)
	}
}

// ask replays or purges some dead letters, or all, by a caller who stays for a while.
func (w *world) ask(i, count int, purge bool, patience time.Duration) {
	id, all := hookID(i), purge && count > 8
	seqs := w.deadOf(id).dead
	if !all {
		seqs = seqs[:min(len(seqs), 1+count)]
	}
	if s, err := w.eng.Sub(context.Background(), id); err != nil || len(seqs) == 0 || s.Removed && !purge {
		return
	}
	if all { // what dies meanwhile too
		seqs = w.known()
	}
	w.mayReplay(id, seqs, purge)
	d := w.disp
	w.calls.Go(func() {
		ctx, leave := context.WithTimeout(context.Background(), patience)
		defer leave()
		switch {
		case all:
			_, _ = d.PurgeAll(ctx, id)
			pass(time.Minute) // for a step that was begun
			w.mayReplay(id, w.known(), true)
		case purge:
			_, _, _ = d.Purge(ctx, id, seqs)
		default:
			_, _, _ = d.Replay(ctx, id, seqs)
		}
	})
}

// redeliver asks for events again, whatever became of them.
func (w *world) redeliver(i, count, from int, patience time.Duration) {
	id, seqs := hookID(i), w.known()
	slices.Sort(seqs)
	seqs = seqs[min(len(seqs), from):]
	seqs = seqs[:min(len(seqs), 1+count)]
	if s, err := w.eng.Sub(context.Background(), id); err != nil || len(seqs) == 0 || s.Removed {
		return
	}
	w.mayRedeliver(id, seqs)
	d := w.disp
	w.calls.Go(func() {
		ctx, leave := context.WithTimeout(context.Background(), patience)
		defer leave()
		_, _, _ = d.Redeliver(ctx, id, seqs)
	})
}

// skip goes on with what comes from now on; nothing is appended meanwhile.
func (w *world) skip(i int) {
	id, ctx := hookID(i), context.Background()
	newest, err := w.eng.Newest(ctx)
	if s, subErr := w.eng.Sub(ctx, id); err != nil || subErr != nil || s.Removed {
		return
	}
	w.model.expire(id, newest.Seq+1)
	for range 20 { // after an error it goes on where it was
		if _, err = w.disp.SkipToNow(ctx, id); err == nil {
			return
		}
		pass(time.Second)
	}
}

// outage lets an endpoint be down while events come, and come back.
func (w *world) outage(i, count, chat int) {
	set := func(mood int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.mood[i] = mood
	}
	set(broken)
	w.append(4, chat, 1)
	w.append(count, chat+1, 2)
	pass(40 * time.Second)
	set(fine)
	w.append(0, chat, 1)
	pass(time.Duration(count*count) * 500 * time.Millisecond)
}

// redriving reports whether a lane makes dead letters of an outage pending.
func (w *world) redriving() bool {
	for _, r := range w.disp.Redrives() {
		if r.Ended.IsZero() {
			return true
		}
	}
	return false
}

// end lets everything work again and compares.
func (w *world) end() []string {
	w.calls.Wait()
	w.mu.Lock()
	clear(w.mood[:])
	w.mu.Unlock()
	w.start()
	pass(dispatcher.AttemptTimeout + time.Second) // for what was begun before: a 410 pauses
	ctx := context.Background()
	for i := range w.mood {
		if s, err := w.eng.Sub(ctx, hookID(i)); err == nil && s.Removed {
			for !w.finishRemoval(hookID(i)) {
				pass(time.Minute)
			}
		} else if err == nil {
			for w.disp.Resume(ctx, hookID(i)) != nil {
				pass(time.Minute)
			}
		}
	}
	for minutes := 0; ; minutes++ {
		st, err := w.eng.Stats(ctx)
		pending := int64(0)
		for _, s := range st.Subs {
			pending += s.Pending
		}
		if err == nil && pending == 0 && !w.redriving() {
			break
		}
		if minutes == 120 {
			w.fault("after two hours %d deliveries are pending, %v", pending, err)
			break
		}
		pass(time.Minute)
	}
	w.keptSends()
	if !w.wrong.IsZero() && time.Since(w.wrong) >= 24*time.Hour { // the clock is believed
		w.forgive()
	}
	w.restart()
	dead := map[outbox.SubID]remains{}
	for i := range w.mood {
		dead[hookID(i)] = w.deadOf(hookID(i))
	}
	if err := w.db.Close(); err != nil {
		w.fault("close: %v", err)
	}
	return w.ended(dead)
}

func newWorld(t *testing.T, dir string, slow bool) *world {
	t.Helper()
	w := &world{model: newModel(), path: filepath.Join(dir, store.OutboxFile), slow: slow}
	w.unsure = slow
	w.open()
	return w
}

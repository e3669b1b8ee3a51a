package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"waoutbox/cmd/internal/admin"
	"waoutbox/dispatcher"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// childEnv makes the test binary the process that is killed; its value is a life as JSON.
const childEnv = "WAOUTBOX_CRASH_CHILD"

// What a life does.
const (
	lifeBusy   = "busy"   // everything at once
	lifeFill   = "fill"   // appends only: nothing is delivered
	lifeDrain  = "drain"  // delivers only
	lifeFinish = "finish" // delivers until nothing is pending, and ends by itself
	lifeOpen   = "open"   // opens the state, and ends by itself
)

// life is what one process is told.
type life struct {
	Number int
	Kind   string
	State  string // directory
	Base   string // URL of the receiver
	// file of bursts to append again, as WhatsApp redelivers: what was not acknowledged before the
	// kill, and some of what was
	Again string
	// what each subscriber goes on with
	Cursors map[string]string
}

// hooks are the webhooks by their path at the receiver. Every one wants messages.
func hooks() []string { return []string{"ok", "flaky", "gone", "unordered"} }

// child is one life. What it prints, a line each, is what the parent may rely on.
func child(text string) int {
	var l life
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the parent is gone
	}()
	p := &process{life: l, out: os.Stdout, rnd: rand.New(rand.NewPCG(uint64(l.Number), uint64(time.Now().UnixNano())))}
	if err := p.live(context.Background()); err != nil {
		p.say("error %v", err)
		return 1
	}
	return 0
}

type process struct {
	life
	out io.Writer  // a line at a time
	mu  sync.Mutex // of rnd and of out
	rnd *rand.Rand

	db    *store.DB
	box   box
	disp  *dispatcher.Dispatcher
	admin *admin.Service
	ids   map[string]outbox.SubID // by path
	// how often the lease was begun again
	subscribed int
}

func (p *process) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *process) intn(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rnd.IntN(n)
}

// wait takes up to that many milliseconds.
func (p *process) wait(ms int) { <-time.After(time.Duration(p.intn(ms*1000)) * time.Microsecond) }

func (p *process) live(ctx context.Context) (err error) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	state, err := store.OpenState(ctx, p.State, store.Options{Version: "crash"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	db, err := store.Open(state.Path(store.OutboxFile), store.DBOptions{Schema: boltbox.Schema(), MinFree: 1, Log: log, StepHook: compacting})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	opened, err := boltbox.Open(ctx, db, boltbox.Options{Log: log})
	if err != nil {
		return err
	}
	p.box, p.db = box{opened}, db
	if p.Kind == lifeOpen {
		p.say("finished")
		return nil
	}
	key, err := store.OpenKey(state.Path(store.KeyFile), false)
	if err != nil {
		return err
	}
	body, cursor := p.bodies()
	send := sender{webhook.New(webhook.Options{Unseal: key.Open, UserAgent: fmt.Sprintf("crash/%d", p.Number), Occurrence: body, Cursor: cursor, Log: log})}
	defer send.Close()
	p.disp = dispatcher.New(dispatcher.Options{Source: p.box, Subscriptions: p.box, Sender: send, Log: log, MaxInFlight: inFlight})
	p.admin = admin.New(admin.Options{
		Engine: p.box, Dispatcher: p.disp, Sender: send, StateDir: p.State, EventNames: []string{message, noise}, Thin: thin, Seal: key.Seal, Unseal: key.Open,
		CheckURL: webhook.CheckURL, Resolve: webhook.Resolve, TestBody: func(string, time.Time) []byte { return []byte("{}") }, Log: log,
		Caller: callerOf, Hosts: allowed{}, Receivers: send, Subscriptions: admin.SubscriptionRules{LoopbackHTTP: true}, Public: webhook.Public,
	})
	if err := p.subscribe(ctx); err != nil {
		return err
	}
	if err := p.lease(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	if p.Kind == lifeFill {
		ran <- nil
	} else {
		go func() { ran <- p.disp.Run(ctx) }()
	}
	if err := p.again(ctx); err != nil {
		return err
	}
	p.say("ready")
	follow, followed := errgroup.WithContext(ctx)
	if p.Kind != lifeFinish {
		for _, name := range subscribers() {
			if name != seldom || p.Number%9 == 1 {
				follow.Go(func() error { return p.follow(followed, name, 0) })
			}
		}
	}
	switch p.Kind {
	case lifeBusy:
		err = p.everything(ctx)
	case lifeFill:
		err = p.write(ctx, "fill", 32, 1)
	case lifeDrain:
		err = follow.Wait() // until it is killed
	case lifeFinish:
		err = errors.Join(p.drained(ctx), p.catchUp(ctx))
	}
	cancel()
	if err = errors.Join(err, <-ran, follow.Wait()); err == nil {
		p.say("finished")
	}
	return err
}

// subscribe makes the webhooks that are absent, and says of each how it is stored.
func (p *process) subscribe(ctx context.Context) error {
	p.ids = map[string]outbox.SubID{}
	subs, err := p.box.Subs(ctx)
	if err != nil {
		return err
	}
	removed, err := p.box.Removed(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, s := range append(subs, removed...) {
		cfg, err := outbox.DecodeWebhook(s.Config)
		if err != nil {
			return err
		}
		p.ids[strings.TrimPrefix(cfg.URL, p.Base+"/")] = s.ID
	}
	for _, path := range hooks() {
		if _, ok := p.ids[path]; !ok {
			if err := p.put(ctx, path); err != nil {
				return err
			}
		}
		if err := p.sayHook(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) put(ctx context.Context, path string) error {
	secret := secret
	res, err := p.admin.PutWebhook(ctx, api.PutWebhook{
		URL: p.Base + "/" + path, Events: &[]string{message}, Secret: &secret, Ordered: new(path != "unordered"), HoldAfter: new(0),
		Schedule: &[]string{"0s", "20ms", "40ms", "60ms"},
	})
	p.ids[path] = outbox.SubID(res.Webhook.ID)
	return err
}

// sayHook says from which sequence on a webhook is owed messages, or nothing.
func (p *process) sayHook(ctx context.Context, path string) error {
	s, err := p.box.Sub(ctx, p.ids[path])
	if err == nil {
		p.say("hook %s %s %d %v", path, s.ID, s.Epochs[len(s.Epochs)-1].From, !s.Removed)
	}
	return err
}

// again appends what an earlier life did, or perhaps did.
func (p *process) again(ctx context.Context) error {
	f, err := os.Open(p.Again)
	if err != nil {
		return err
	}
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		var b burst
		if _, err := fmt.Sscan(scan.Text(), &b.base, &b.n); err != nil {
			return err
		}
		if err := p.append(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) append(ctx context.Context, b burst) error {
	p.say("begin %s %d", b.base, b.n)
	seqs, err := p.box.Append(ctx, b.events()...)
	if err != nil {
		return err
	}
	text := make([]string, len(seqs))
	for i, seq := range seqs {
		text[i] = fmt.Sprint(seq)
	}
	p.say("ack %s %s", b.base, strings.Join(text, ","))
	return nil
}

// write appends bursts of at most size events, pausing for at most that many milliseconds.
func (p *process) write(ctx context.Context, name string, size, pause int) error {
	for i := 0; ; i++ {
		if err := p.append(ctx, burst{fmt.Sprintf("%s-%d-%d", name, p.Number, i), 1 + p.intn(size)}); err != nil {
			return err
		}
		p.wait(pause)
	}
}

// everything happens at once, until the process is killed or ctx ends.
func (p *process) everything(ctx context.Context) error {
	prefix := ""
	if p.Number%10 == 3 {
		prefix = old
	}
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return p.write(working, prefix+"a", 6, 20) })
	g.Go(func() error { return p.write(working, prefix+"b", 2, 10) })
	g.Go(func() error { return p.write(working, prefix+noise, outbox.MaxBatch, 10) })
	g.Go(func() error { return p.trim(working) })
	g.Go(func() error { return p.compact(working) })
	g.Go(func() error { return p.administer(working) })
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

func (p *process) trim(ctx context.Context) error {
	for {
		if _, _, err := p.box.Trim(ctx, time.Now().Add(-200*time.Millisecond), outbox.MaxBatch); err != nil {
			return err
		}
		p.wait(20)
	}
}

// compact compacts whether it is worth it or not.
func (p *process) compact(ctx context.Context) error {
	for {
		p.wait(200)
		if err := p.db.Compact(ctx); err != nil && !errors.Is(err, store.Busy) {
			return err
		}
	}
}

// administer removes and revives, replays and purges.
func (p *process) administer(ctx context.Context) error {
	steps := []func(context.Context) error{p.removeOrRevive, p.removeOrRevive, p.replay, p.replay, p.replay, p.purge, p.expire, p.expire, p.leaseAgain, p.lease}
	for {
		if err := steps[p.intn(len(steps))](ctx); err != nil {
			return err
		}
		p.wait(40)
	}
}

func (p *process) removeOrRevive(ctx context.Context) error {
	s, err := p.box.Sub(ctx, p.ids["gone"])
	if err != nil {
		return err
	}
	if s.Removed {
		err = p.put(ctx, "gone")
	} else {
		_, err = p.admin.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: string(s.ID)})
	}
	return errors.Join(err, p.sayHook(ctx, "gone"))
}

func (p *process) replay(ctx context.Context) error {
	id := p.ids[[]string{"flaky", "gone"}[p.intn(2)]]
	if s, err := p.box.Sub(ctx, id); err != nil || s.Removed {
		return err
	}
	seqs, err := p.deadOf(ctx, id, 20)
	if err == nil && len(seqs) > 0 {
		_, _, err = p.disp.Replay(ctx, id, seqs)
	}
	return err
}

// expire lets go of what is unfinished, by where it lies or by its age, and of some dead letters,
// those of a removed webhook's run too; the parent knows before it happens.
func (p *process) expire(ctx context.Context) error {
	path := []string{"flaky", "gone", leasePath}[p.intn(3)]
	id, err := p.ids[path], error(nil)
	if path == leasePath {
		id, err = p.leaseID(ctx)
	}
	if err != nil {
		return err
	}
	newest, err := p.box.Newest(ctx)
	if err != nil || newest.Seq < 100 {
		return nil
	}
	below, age := newest.Seq-outbox.Seq(p.intn(100)), time.Time{}
	if p.intn(6) == 0 { // as retention does: an event that is older may lie above
		at, err := p.box.Event(ctx, below)
		if err != nil {
			return nil // trimmed
		}
		below, age = newest.Seq+1, at.Time
	}
	p.say("expire %s %d", path, below)
	if !age.IsZero() {
		below = 0
	}
	if _, _, err := p.disp.Expire(ctx, id, age, below); err != nil {
		return err
	}
	for next := outbox.Seq(0); ; { // step by step, into runs too
		if _, next, err = p.disp.ExpireDead(ctx, id, next, 1+p.intn(4)); err != nil || next == 0 || p.intn(3) == 0 {
			return err
		}
	}
}

// purge discards one dead letter; the parent knows before it happens.
func (p *process) purge(ctx context.Context) error {
	seqs, err := p.deadOf(ctx, p.ids["flaky"], 1)
	if err != nil || len(seqs) == 0 {
		return err
	}
	p.say("purge flaky %d", seqs[0])
	_, _, err = p.disp.Purge(ctx, p.ids["flaky"], seqs)
	return err
}

// deadOf returns some dead letters, of runs too.
func (p *process) deadOf(ctx context.Context, id outbox.SubID, n int) ([]outbox.Seq, error) {
	records, err := p.box.Dead(ctx, id, 0, n)
	if err != nil {
		return nil, err
	}
	var seqs []outbox.Seq
	for _, r := range records {
		if r.Reason == expiredIs {
			continue
		}
		if !r.IsRun() {
			seqs = append(seqs, r.Seq)
			continue
		}
		evs, _, err := p.box.Owed(ctx, id, r.Seq, r.Last, n)
		if err != nil {
			return nil, err
		}
		for _, ev := range evs {
			seqs = append(seqs, ev.Seq)
		}
	}
	return seqs[:min(len(seqs), n)], nil
}

// drained returns when nothing is pending any more.
func (p *process) drained(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		st, err := p.box.Stats(ctx)
		if err != nil {
			return err
		}
		pending := int64(0)
		for _, s := range st.Subs {
			pending += s.Pending
		}
		if pending == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d deliveries are still pending", pending)
		}
	}
}

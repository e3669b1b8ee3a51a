package dispatcher

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

const subA = outbox.SubID("wh_a")

// sent is one attempt as the fake endpoint saw it.
type sent struct {
	Sub     outbox.SubID
	Seq     outbox.Seq
	Chat    string
	Attempt int
	Replay  int
	At      time.Duration // since the endpoint was made
	Body    string
}

// endpoint is a Sender in memory: real sockets do not advance fake time.
type endpoint struct {
	start time.Time
	reply func(ctx context.Context, r Request) Result

	mu       sync.Mutex
	got      []sent
	inFlight map[string]int // sub/chat → running attempts
	overlap  bool           // two attempts of one chat ran at once
	forgot   []outbox.SubID
}

func newEndpoint(reply func(ctx context.Context, r Request) Result) *endpoint {
	return &endpoint{start: time.Now(), reply: reply, inFlight: map[string]int{}}
}

func (e *endpoint) Send(ctx context.Context, r Request) Result {
	key := string(r.Sub) + "/" + r.Event.Chat
	e.mu.Lock()
	e.got = append(e.got, sent{r.Sub, r.Event.Seq, r.Event.Chat, r.Attempt, r.Replay, time.Since(e.start), string(r.Event.Body)})
	e.inFlight[key]++
	e.overlap = e.overlap || e.inFlight[key] > 1
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.inFlight[key]--
		e.mu.Unlock()
	}()
	return e.reply(ctx, r)
}

func (e *endpoint) Forget(id outbox.SubID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgot = append(e.forgot, id)
}

func (e *endpoint) all() []sent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]sent(nil), e.got...)
}

// of returns the sequences sent for one chat.
func (e *endpoint) of(chat string) (out []outbox.Seq) {
	for _, s := range e.all() {
		if s.Chat == chat {
			out = append(out, s.Seq)
		}
	}
	return out
}

func (e *endpoint) seqs() (out []outbox.Seq) {
	for _, s := range e.all() {
		out = append(out, s.Seq)
	}
	return out
}

func ok(context.Context, Request) Result { return Result{Class: outbox.ClassOK, Status: 200} }
func status(code int) Result             { return Result{Class: outbox.ClassHTTP, Status: code, Message: "no"} }
func fails(context.Context, Request) Result {
	return status(500)
}

// after waits like a slow endpoint, or until the attempt is cut off.
func after(d time.Duration, then func(context.Context, Request) Result) func(context.Context, Request) Result {
	return func(ctx context.Context, r Request) Result {
		select {
		case <-time.After(d):
			return then(ctx, r)
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return Result{Class: outbox.ClassTimeout, Message: "no response in time"}
			}
			return Result{Class: outbox.ClassLocal, Message: "cut off"}
		}
	}
}

// rig is an engine in memory, an endpoint and a dispatcher between them. Make it inside a synctest
// bubble.
type rig struct {
	t    *testing.T
	fake *outboxtest.Fake
	// delay is what each call of the dispatcher's engine takes: 0, or, far away, callTime. What the
	// rig itself asks of the fake takes no time.
	delay time.Duration
	end   *endpoint
	d     *Dispatcher
	opt   Options
	stop  func()
}

// callTime is what every call takes of an engine that is far away.
const callTime = 50 * time.Millisecond

// everywhere runs a test of the lanes twice, each time in a bubble of its own: with an engine
// beside it, and with one far away, where every call takes 50 ms and one write in 50 is of unknown
// outcome and lands late, or never.
func everywhere(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if why := nearOnly(t); why != "" {
		t.Log("not far away: " + why)
		synctest.Test(t, test)
		return
	}
	for _, where := range []string{"near", "far"} {
		t.Run(where, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// nearOnly says why a test of the lanes cannot hold far away, "" when it can.
// TestEverythingHoldsFarAway is not among them: it is far away itself.
func nearOnly(t *testing.T) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return map[string]string{
		"TestALaneReadsAheadWhileItSends": "it measures how long nothing is sent, with reads of its own of 50 ms; a lane begins nothing while the outcome of a write is unknown",
		"TestALaneWorksWhileItReads":      "its own engine returns at once, so that a read of an hour is under way when it looks",
		"TestAPurgeDoesNotSlowItsLane":    "it measures by the millisecond, with an engine of its own that takes 20 ms for each write, what a purge costs the events beside it",
	}[name]
}

// isFar tells newRig where it is.
func isFar(t *testing.T) bool { return strings.HasPrefix(path.Base(t.Name()), "far") }

func newRig(t *testing.T, reply func(context.Context, Request) Result, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, fake: outboxtest.NewFake(), end: newEndpoint(reply)}
	r.opt = Options{Source: r.fake, Subscriptions: r.fake, Sender: r.end}
	if isFar(t) {
		r.delay = callTime
		farAway(50)(&r.opt)
	}
	for _, c := range change {
		c(&r.opt)
	}
	r.d = New(r.opt)
	r.subscribe(subA)
	return r
}

func (r *rig) subscribe(id outbox.SubID) {
	r.t.Helper()
	r.put(outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}})
}

func (r *rig) put(s outbox.Subscription) outbox.Subscription {
	r.t.Helper()
	if s.Config == nil {
		cfg, err := outbox.EncodeWebhook(outbox.Webhook{URL: "http://127.0.0.1/"})
		r.must(err)
		s.Config = cfg
	}
	s, err := r.fake.PutSub(context.Background(), s)
	r.must(err)
	return s
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// append adds one event per chat given and returns their sequences.
func (r *rig) append(chats ...string) []outbox.Seq {
	r.t.Helper()
	var out []outbox.Seq
	for i, c := range chats {
		s, err := r.fake.Append(context.Background(), outbox.Event{
			Key: fmt.Sprintf("evt_%d_%d_%d", time.Now().UnixNano(), i, len(chats)), Random: true, Name: "message.received", Chat: c, Time: time.Now(), Body: []byte(c),
		})
		r.must(err)
		out = append(out, s[0])
	}
	return out
}

// run starts the dispatcher; it ends with stop, or with the test.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.d.Run(ctx) }()
	stopped := false
	r.stop = func() {
		r.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		r.must(<-done)
	}
	r.t.Cleanup(r.stop)
	r.idle(5 * r.delay) // until the lanes have loaded
}

// at reports whether got is the moment, or the time, that is wanted: exactly, with an engine beside
// it, and no more than twenty of its calls later with one far away.
func (r *rig) at(got, want time.Duration) bool { return want <= got && got <= want+20*r.delay }

// times reports whether attempts were made at these times, each of them at most six calls of the
// engine later than it had to be after the one before.
func (r *rig) times(got, want []time.Duration) bool { return r.late(got, want, 6) }

// late is times with so many calls before each.
func (r *rig) late(got, want []time.Duration, calls int) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if late := got[i] - want[i]; late < 0 || late > time.Duration(8+calls*(i+1))*r.delay {
			return false
		}
	}
	return true
}

// restart stops and starts anew, as a process would.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.d = New(r.opt)
	r.run()
}

// idle lets fake time pass, then waits until nothing moves.
func (r *rig) idle(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *rig) dead() []outbox.Record {
	r.t.Helper()
	var out []outbox.Record
	for after := outbox.Seq(0); ; {
		recs, err := r.fake.Dead(context.Background(), subA, after, 256)
		r.must(err)
		if out = append(out, recs...); len(recs) == 0 {
			return out
		}
		after = recs[len(recs)-1].KeySeq()
	}
}

func (r *rig) pending() []outbox.Record {
	r.t.Helper()
	_, _, recs, err := r.fake.Load(context.Background(), subA)
	r.must(err)
	for i, rec := range recs { // with their logs
		recs[i], err = r.fake.RecordAt(context.Background(), subA, rec.Seq)
		r.must(err)
	}
	return recs
}

func (r *rig) next() outbox.Seq {
	r.t.Helper()
	next, _, _, err := r.fake.Load(context.Background(), subA)
	r.must(err)
	return next
}

// crash ends the dispatcher as SIGKILL would: nothing it still wants to write reaches the engine.
func (r *rig) crash() {
	r.t.Helper()
	r.fake.Hook(func(op string) error {
		if op == "Commit" {
			return outbox.ErrClosed
		}
		return nil
	})
	r.stop()
	r.fake.Hook(nil)
	r.d = New(r.opt)
}

// remove marks the subscription as removed, as the administration does: one write that fixes the
// cut.
func (r *rig) remove() {
	r.t.Helper()
	s, err := r.fake.Sub(context.Background(), subA)
	r.must(err)
	s.Removed = true
	s.Epochs = append(s.Epochs, outbox.Epoch{})
	r.put(s)
}

// revive adds the URL again: the same id, events from now on.
func (r *rig) revive() {
	r.t.Helper()
	s, err := r.fake.Sub(context.Background(), subA)
	r.must(err)
	s.Removed = false
	s.Epochs = append(s.Epochs, outbox.Epoch{Filter: outbox.Filter{Events: []string{outbox.Any}}})
	r.put(s)
}

// letters counts dead letters, runs by what they stand for.
func (r *rig) letters() (n int) {
	for _, d := range r.dead() {
		n += max(1, d.Count)
	}
	return n
}

// hasLane reports whether a lane of the subscription runs once all has come to rest: a removed one
// replies as soon as its backlog is dead, and its goroutine ends after that.
func (r *rig) hasLane(id outbox.SubID) bool {
	synctest.Wait()
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	return r.d.supervisors[id] != nil
}

// logInto has the dispatcher log everything as JSON.
func logInto(w io.Writer) func(*Options) {
	return func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

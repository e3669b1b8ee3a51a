package replay

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

const (
	// tick is how often outcomes are looked up; fastTick while a full window is what holds a replay
	// back.
	tick     = 100 * time.Millisecond
	fastTick = 20 * time.Millisecond
	// maxFailures in a row end a replay. Until something was delivered, and after a failure, no
	// more are outstanding than may still fail: an endpoint that is still down touches so many
	// deliveries and no others.
	maxFailures = 10
	// Window is how many replayed deliveries of a webhook are outstanding at most.
	Window = outbox.MaxBatch
	// maxTries bounds how often one delivery is asked to be moved: one that stays dead although no
	// move failed is somebody else's.
	maxTries = 5
	// recheck is how often outstanding deliveries are looked up on disk.
	recheck = time.Second
	// recount is how often the outstanding deliveries of others are counted anew.
	recount = 2 * time.Second
	// firstPause and longestPause are the waits after an error that may pass.
	firstPause, longestPause = time.Second, 30 * time.Second
)

// run is one replay. The fields below mu are read by everybody, the others belong to the goroutine
// in follow.
type run struct {
	job   Job
	log   *slog.Logger
	limit *rate.Limiter

	todo    []Item // read from the selection, not moved yet
	read    bool   // the selection is read to its end
	moved   []Item // outstanding, in order
	inRow   int    // failures in a row
	window  bool   // only the window held the last step back
	others  int    // outstanding deliveries that somebody else moved
	counted time.Time
	checked time.Time // when all that is outstanding was looked up on disk last
	pause   time.Duration

	stopping chan struct{} // closed by stop
	done     chan struct{} // closed at the end

	mu    sync.Mutex
	now   api.ReplayRun
	speed speed
	by    string // who stopped it
}

func newRun(j Job, log *slog.Logger) *run {
	limit, burst := rate.Limit(j.Rate), max(1, int(math.Ceil(j.Rate*tick.Seconds())))
	if j.Rate == 0 {
		limit = rate.Inf
	}
	began := time.Now()
	r := &run{job: j, log: log, limit: rate.NewLimiter(limit, burst), stopping: make(chan struct{}), done: make(chan struct{})}
	r.now = api.ReplayRun{
		ID: fmt.Sprintf("rp_%s_%d", j.Webhook, began.UnixMilli()), Webhook: string(j.Webhook), URL: j.URL, Kind: j.Kind, State: api.ReplayRunning,
		Total: j.Total, Left: j.Total, Rate: j.Rate, KeepGoing: j.KeepGoing, StartedBy: j.StartedBy, StartedAt: began.UTC(),
	}
	return r
}

// stop makes the replay end after the step in hand.
func (r *run) stop(by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.stopping:
	default:
		r.by = by
		close(r.stopping)
	}
}

func (r *run) stopped() bool {
	select {
	case <-r.stopping:
		return true
	default:
		return false
	}
}

// state returns how the replay stands now.
func (r *run) state() api.ReplayRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.now
	ended := s.Delivered + s.Failed
	if s.State != api.ReplayRunning {
		if took := s.EndedAt.Sub(s.StartedAt).Seconds(); took > 0 {
			s.PerSecond = float64(ended) / took
		}
		return s
	}
	s.PerSecond = r.speed.perSecond(time.Now(), ended)
	if s.Waiting == "" {
		s.SecondsLeft = secondsLeft(s, r.job.Rate)
	}
	return s
}

// secondsLeft estimates how long the rest takes, by what was seen and before that by the rate.
func secondsLeft(s api.ReplayRun, bound float64) int64 {
	per := s.PerSecond
	if per == 0 {
		per = bound
	}
	if per <= 0 {
		return 0
	}
	return int64(math.Ceil(float64(s.Left+s.Queued) / per))
}

// follow does the replay until it ends, is stopped, or ctx ends.
func (r *run) follow(ctx context.Context) {
	defer close(r.done)
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("a replay panicked", "subscription", r.job.Webhook, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			r.end(api.ReplayEnded, "something went wrong inside waoutbox; the log has more")
		}
	}()
	r.log.Info("replay started", "subscription", r.job.Webhook, "kind", r.job.Kind, "deliveries", r.job.Total, "rate", r.job.Rate, "caller", r.job.StartedBy)
	for {
		state, why, err := r.step(ctx)
		switch {
		case ctx.Err() != nil:
			r.end(api.ReplayInterrupted, "the service stopped")
			return
		case err != nil:
			text, over := r.job.Judge(err)
			if over {
				r.end(api.ReplayEnded, text)
				return
			}
			r.fault(err, text)
		case state != "":
			r.end(state, why)
			return
		default:
			r.pause = 0
			r.setWaiting(r.job.Blocked())
		}
		d := tick
		switch {
		case r.pause > 0:
			d = r.pause
		case r.window:
			d = fastTick
		}
		wait(ctx, d, r.stopping)
	}
}

// step looks up what has ended and moves what may be moved. A state that is not "" ends the replay.
func (r *run) step(ctx context.Context) (end api.ReplayState, why string, err error) {
	if err := r.lookUp(ctx); err != nil {
		return "", "", err
	}
	switch {
	case r.inRow >= maxFailures && !r.job.KeepGoing:
		return api.ReplayGaveUp, fmt.Sprintf("%d deliveries in a row failed", r.inRow), nil
	case r.stopped():
		r.mu.Lock()
		defer r.mu.Unlock()
		return api.ReplayStopped, r.by, nil
	}
	if err := r.move(ctx); err != nil {
		return "", "", err
	}
	if r.read && len(r.todo) == 0 && len(r.moved) == 0 {
		return api.ReplayDone, "", nil
	}
	return "", "", nil
}

// lookUp takes the outcomes of what was moved.
func (r *run) lookUp(ctx context.Context) error {
	still := r.moved[:0:0]
	var back []Item
	var delivered, failed, missing int64
	var last api.LastError
	defer func() { r.took(still, back, delivered, failed, missing, last) }()
	onDisk := time.Since(r.checked) >= recheck
	if onDisk {
		r.checked = time.Now()
	}
	for i, item := range r.moved {
		fate, why, err := r.job.Fate(ctx, item, onDisk || !item.moved)
		if err != nil {
			still = append(still, r.moved[i:]...)
			return err
		}
		switch fate {
		case Pending:
			item.moved = true
			still = append(still, item)
		case Gone:
			missing++
		case Untouched: // the move did not reach it
			if item.tries >= maxTries {
				missing++
				continue
			}
			back = append(back, item)
		case Delivered:
			delivered++
			r.inRow = 0
		case Dead:
			failed++
			if wasAttempted(why) {
				r.inRow++
			}
			last = why
		}
	}
	return nil
}

// wasAttempted reports whether a delivery died of what its endpoint did: what was skipped, or whose
// webhook was removed, says nothing about that.
func wasAttempted(why api.LastError) bool {
	switch why.Class {
	case dispatcher.ReasonUnregistered, dispatcher.ReasonSkipped, dispatcher.ReasonExpired, dispatcher.ReasonCorrupt:
		return false
	}
	return true
}

// took stores what lookUp found.
func (r *run) took(still, back []Item, delivered, failed, missing int64, last api.LastError) {
	r.moved, r.todo = still, append(back, r.todo...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Delivered += delivered
	r.now.Failed += failed
	r.now.Missing += missing
	r.now.FailedInRow = r.inRow
	if failed > 0 {
		r.now.LastError = &last
	}
	r.speed.note(time.Now(), r.now.Delivered+r.now.Failed)
	r.count()
}

// count brings queued and left up to date, with mu held.
func (r *run) count() {
	r.now.Queued = int64(len(r.moved))
	r.now.Left = max(0, r.now.Total-r.now.Delivered-r.now.Failed-r.now.Queued-r.now.Missing-r.now.Unreplayable)
}

// room is how many more may be outstanding now.
func (r *run) room(ctx context.Context) (int, error) {
	if r.counted.IsZero() || r.others > 0 && time.Since(r.counted) >= recount {
		all, err := r.job.Outstanding(ctx)
		if err != nil {
			return 0, err
		}
		r.others, r.counted = max(0, all-len(r.moved)), time.Now()
	}
	r.mu.Lock()
	delivered := r.now.Delivered
	r.mu.Unlock()
	window := Window - r.others
	if !r.job.KeepGoing && (delivered == 0 || r.inRow > 0) {
		window = min(window, maxFailures-r.inRow)
	}
	return window - len(r.moved), nil
}

// move moves as many deliveries as the window and the rate allow now. Where moving is slow it ends
// after a tick, since what was moved before has ended meanwhile: an endpoint that is down again
// must be noticed.
func (r *run) move(ctx context.Context) error {
	r.window = false
	for began := time.Now(); !r.stopped() && time.Since(began) < tick; {
		room, err := r.room(ctx)
		if err != nil {
			return err
		}
		if room <= 0 {
			r.window = len(r.moved)+r.others >= Window && r.others < Window
			return nil
		}
		if err := r.readOn(ctx); err != nil {
			return err
		}
		n := 0
		for n < min(room, len(r.todo), outbox.MaxBatch) && r.limit.Allow() {
			n++
		}
		if n == 0 {
			return nil
		}
		batch := r.todo[:n:n]
		r.todo = r.todo[n:]
		seqs := make([]outbox.Seq, n)
		for i, item := range batch {
			seqs[i] = item.Seq
		}
		missing, err := r.job.Move(ctx, seqs)
		gone := make(map[outbox.Seq]bool, len(missing))
		for _, seq := range missing {
			gone[seq] = true
		}
		for _, item := range batch {
			if !gone[item.Seq] { // after an error the next look-up tells which of them were moved
				if item.moved = err == nil; item.moved {
					item.tries++
				}
				r.moved = append(r.moved, item)
			}
		}
		r.mu.Lock()
		r.now.Missing += int64(len(missing))
		r.count()
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// readOn reads on in the selection, until there is something to do or it is read.
func (r *run) readOn(ctx context.Context) error {
	for len(r.todo) == 0 && !r.read {
		items, skipped, err := r.job.Next(ctx)
		r.mu.Lock()
		r.now.Unreplayable += skipped
		r.count()
		r.mu.Unlock()
		r.todo = items
		if err != nil {
			return err
		}
		r.read = len(items) == 0
	}
	return nil
}

// fault notes an error that may pass; the same step is tried again after a pause.
func (r *run) fault(err error, why string) {
	r.pause = min(max(2*r.pause, firstPause), longestPause)
	r.log.Warn("a replay waits", "subscription", r.job.Webhook, "error", err, "for", r.pause)
	r.setWaiting(why)
}

func (r *run) setWaiting(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Waiting = why
}

func (r *run) end(state api.ReplayState, why string) {
	r.job.Ended() // before another replay of the webhook may begin
	r.mu.Lock()
	r.now.State, r.now.Ended, r.now.Waiting, r.now.EndedAt = state, why, "", time.Now().UTC()
	s := r.now
	r.mu.Unlock()
	r.log.Info("replay ended", "subscription", r.job.Webhook, "state", state, "why", why, "delivered", s.Delivered, "failed", s.Failed,
		"queued", s.Queued, "left", s.Left)
}

package replay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Runs holds the replays that run, and the last one of each webhook that ended. Use New. Safe for
// concurrent use.
type Runs struct {
	log *slog.Logger
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	last   map[outbox.SubID]*run // of each webhook the one that runs, or the last one
}

// ErrRunning: a replay runs for that webhook.
var ErrRunning = errors.New("a replay of this webhook runs already")

// ErrClosed: the service stops.
var ErrClosed = errors.New("the service is stopping")

// maxEnded bounds the replays that are remembered after their end.
const maxEnded = 64

// New makes Runs without any.
func New(log *slog.Logger) *Runs {
	r := &Runs{log: log, last: map[outbox.SubID]*run{}}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

// Start begins a replay and returns how it stands; ErrRunning, with how the other one stands, when
// one runs for that webhook.
func (r *Runs) Start(j Job) (api.ReplayRun, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return api.ReplayRun{}, ErrClosed
	}
	if other := r.last[j.Webhook]; other != nil {
		if now := other.state(); now.State == api.ReplayRunning {
			return now, ErrRunning
		}
	}
	n := newRun(j, r.log)
	r.last[j.Webhook] = n
	r.forgetOldest()
	r.wg.Go(func() { n.follow(r.ctx) })
	return n.state(), nil
}

// forgetOldest keeps the number of ended replays bounded, with mu held.
func (r *Runs) forgetOldest() {
	if len(r.last) <= maxEnded {
		return
	}
	var ended []api.ReplayRun
	for _, n := range r.last {
		if s := n.state(); s.State != api.ReplayRunning {
			ended = append(ended, s)
		}
	}
	slices.SortFunc(ended, func(a, b api.ReplayRun) int { return a.EndedAt.Compare(b.EndedAt) })
	for _, s := range ended[:min(len(ended), len(r.last)-maxEnded)] {
		delete(r.last, outbox.SubID(s.Webhook))
	}
}

// List returns how the replays stand: those that run first, each group by webhook.
func (r *Runs) List() []api.ReplayRun {
	r.mu.Lock()
	out := make([]api.ReplayRun, 0, len(r.last))
	for _, n := range r.last {
		out = append(out, n.state())
	}
	r.mu.Unlock()
	slices.SortFunc(out, func(a, b api.ReplayRun) int {
		if ra, rb := a.State == api.ReplayRunning, b.State == api.ReplayRunning; ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Webhook, b.Webhook)
	})
	return out
}

// Stop ends the replay of a webhook, or with "" of all, and returns how those that it ended stand.
// What was moved is the lane's; nothing more is moved once Stop has returned.
func (r *Runs) Stop(id outbox.SubID, by string) []api.ReplayRun {
	r.mu.Lock()
	var stopped []*run
	for sub, n := range r.last {
		if (id == "" || sub == id) && n.state().State == api.ReplayRunning {
			stopped = append(stopped, n)
		}
	}
	r.mu.Unlock()
	out := []api.ReplayRun{}
	for _, n := range stopped {
		n.stop(by)
		<-n.done
		out = append(out, n.state())
	}
	slices.SortFunc(out, func(a, b api.ReplayRun) int { return cmp.Compare(a.Webhook, b.Webhook) })
	return out
}

// Close ends every replay, waits for them, and lets none begin any more.
func (r *Runs) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.wg.Wait()
}

// wait is a pause that ends early with ctx or stop.
func wait(ctx context.Context, d time.Duration, stop <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stop:
	case <-ctx.Done():
	}
}

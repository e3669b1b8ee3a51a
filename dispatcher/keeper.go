package dispatcher

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"waoutbox/outbox"
)

// keeper keeps one lane running: it starts it again, 1 s doubling to 60 s, when it fails or panics, and carries requests to it.
type keeper struct {
	deps
	requests chan request
	done     chan struct{} // closed when the lane has ended for good

	id    outbox.SubID
	mu    sync.Mutex
	state LaneState
}

func newKeeper(d deps, id outbox.SubID) *keeper {
	return &keeper{deps: d, id: id, requests: make(chan request), done: make(chan struct{})}
}

// run blocks until ctx ends and the lane is drained, or the subscription was removed and buried. first is served after loading.
func (k *keeper) run(ctx context.Context, first *request) {
	defer close(k.done)
	wait := newHold()
	for {
		started := time.Now()
		ended, err := k.once(ctx, first)
		first = nil
		if ended || ctx.Err() != nil {
			return
		}
		if time.Since(started) > maxHold {
			wait.Reset()
		}
		pause := wait.NextBackOff()
		k.log.Error("lane failed, its deliveries wait until it is started again", "subscription", k.id, "error", err, "restart_in", pause)
		k.show(LaneState{Status: StatusHeld, Reason: err.Error(), Since: time.Now(), Until: time.Now().Add(pause)})
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case req := <-k.requests: // whoever asks may have mended it
			first = &req
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			refuse(first, errStopping)
			return
		}
	}
}

// once runs the lane until it ends in any way; a panic becomes an error, and touches no other lane.
func (k *keeper) once(ctx context.Context, first *request) (ended bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			ended, err = false, fmt.Errorf("lane panicked: %v", p)
			k.log.Error("lane panicked", "subscription", k.id, "panic", p, "stack", string(debug.Stack()))
			refuse(first, err)
		}
	}()
	sub, err := k.find(ctx, k.id)
	if err != nil {
		refuse(first, err)
		return false, err
	}
	if sub.Removed {
		n, err := bury(ctx, k.src, sub)
		if first != nil {
			first.done <- answer{n: n, err: err}
		}
		return err == nil, err
	}
	return runLane(ctx, k.deps, sub, k.show, k.requests, first)
}

func (k *keeper) show(s LaneState) {
	k.mu.Lock()
	k.state = s
	k.mu.Unlock()
}

// State answers what the lane last showed.
func (k *keeper) State() LaneState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// ask hands a request to the lane and waits for its answer. taken is false when the lane has ended.
func (k *keeper) ask(ctx context.Context, req request) (a answer, taken bool) {
	select {
	case k.requests <- req:
		return req.wait(ctx), true
	case <-k.done:
		return answer{}, false
	case <-ctx.Done():
		return answer{err: ctx.Err()}, true
	}
}

// wait blocks until a request that was handed over is answered, or ctx ends; the work may still be done then.
func (r request) wait(ctx context.Context) answer {
	select {
	case a := <-r.done:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

// refuse answers a request that was not served, if there is one. One that was answered already is left alone.
func refuse(r *request, err error) {
	if r == nil {
		return
	}
	select {
	case r.done <- answer{err: err}:
	default:
	}
}

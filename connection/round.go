package connection

import (
	"sync"
	"time"

	"waoutbox/outbox/api"
)

// round is one pairing attempt as everybody who waits for it sees it. Safe for concurrent use.
type round struct {
	mu      sync.Mutex
	step    api.PairStep
	n       int           // how many steps there were
	changed chan struct{} // closed at the next step
	scanned bool          // the phone has scanned a code: what is left is the login
	over    bool
	timer   *time.Timer // reports a linked account whose login takes long
}

func newRound() *round { return &round{changed: make(chan struct{})} }

// publish shows a step to everybody. After an end nothing follows.
func (r *round) publish(step api.PairStep) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	r.step, r.n = step, r.n+1
	if r.over = step.Step != api.StepQR; r.over && r.timer != nil {
		r.timer.Stop()
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *round) fail(err *api.Error) { r.publish(api.PairStep{Step: api.StepFailed, Error: err}) }

// latest answers the present step, its number (0: none yet) and what is closed at the next.
func (r *round) latest() (api.PairStep, int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step, r.n, r.changed
}

func (r *round) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// scan notes that the phone has scanned, and has done called when the login takes longer than limit.
func (r *round) scan(limit time.Duration, done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scanned = true
	if !r.over {
		r.timer = time.AfterFunc(limit, done)
	}
}

func (r *round) wasScanned() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.scanned
}

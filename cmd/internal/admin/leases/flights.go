package leases

import "sync"

// Flights are the requests for subscriptions whose endpoints are being asked. One that is ended
// meanwhile is not stored. The zero value is ready. Safe for concurrent use.
type Flights struct {
	mu   sync.Mutex
	open map[*Flight]string // by the id of the subscription
}

// Flight is one of them.
type Flight struct {
	all     *Flights
	stopped bool // under all.mu
}

// Begin notes a request for the subscription of an id. Its End must be called.
func (f *Flights) Begin(id string) *Flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[*Flight]string{}
	}
	one := &Flight{all: f}
	f.open[one] = id
	return one
}

// Stop stops every request for the subscription of an id, and reports whether there was one.
func (f *Flights) Stop(id string) (some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for one, of := range f.open {
		if of == id {
			one.stopped, some = true, true
		}
	}
	return some
}

// Stopped reports whether it was stopped.
func (one *Flight) Stopped() bool {
	one.all.mu.Lock()
	defer one.all.mu.Unlock()
	return one.stopped
}

// End forgets it.
func (one *Flight) End() {
	one.all.mu.Lock()
	defer one.all.mu.Unlock()
	delete(one.all.open, one)
}

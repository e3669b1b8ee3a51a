package page

import (
	"cmp"
	"context"
	"sync"
	"time"

	"waoutbox/cmd/internal/term"
)

const (
	// searchPatience is how long a page waits for its search before it shows how far that is.
	searchPatience = 300 * time.Millisecond
	// searchIdle is how long a search goes on that nobody looks at, and searchKept how long what it
	// found is kept for its next pages, and to go on.
	searchIdle  = time.Minute
	searchKept  = 15 * time.Minute
	maxSearches = 4 // of one session; the one that was looked at longest ago goes
)

// searches are those of one session, by what they look for. Safe for concurrent use.
type searches struct {
	mu  sync.Mutex
	all map[string]*search
}

// search is one that may take longer than a page waits. It goes on in the service; a page shows how
// far it is, and, made anew, what it found. Safe for concurrent use.
type search struct {
	key  string
	end  context.CancelFunc
	done chan struct{} // closed at its end

	mu     sync.Mutex
	far    searchSoFar
	result any   // what was found so far
	err    error // why it is not complete
	shown  bool  // a page had the end of it
	asked  time.Time
}

// searchSoFar is how far a search is; without a Total that is not known.
type searchSoFar struct{ Looked, Total, Found int64 }

// searching is a search that is under way, as pages show it.
type searching struct {
	searchSoFar
	What, Key string
}

// Text says how far it is.
func (s searching) Text() string {
	text := "Searching: "
	if s.Total > 0 {
		text += term.Count(s.Looked) + " of " + term.Count(s.Total) + " " + s.What + ", "
	}
	return text + term.Count(s.Found) + " found so far"
}

// reports keeps how far a search is and what it found until now, which is not changed any more;
// false when it is to end.
type reports func(far searchSoFar, result any) bool

// find begins a search, or joins the one of this session that looks for the same, and waits for it
// a moment. again takes what one found that ended for an earlier page.
func (c *call) find(key string, again bool, run func(c *call, report reports) error) *search {
	s := c.session.searches.join(key, again, func() *search { return c.begin(key, run) })
	timer := time.NewTimer(searchPatience)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	case <-c.ctx().Done():
	}
	return s
}

// goesOn has the page that shows a search under way followed by one of its end.
func (c *call) goesOn(under *searching) {
	if c.under = under != nil; c.under {
		c.reload = 1
	}
}

// begin begins a search, which goes on when its browser does not.
func (c *call) begin(key string, run func(c *call, report reports) error) *search {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx()))
	stop := context.AfterFunc(c.s.ctx, cancel)
	s := &search{key: key, end: cancel, done: make(chan struct{}), asked: time.Now()}
	job := &call{s: c.s, r: c.r.WithContext(ctx), session: c.session, clock: c.clock, hide: c.hide}
	report := func(far searchSoFar, result any) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.far, s.result = far, result
		return ctx.Err() == nil && time.Since(s.asked) < searchIdle
	}
	c.s.searching.Go(func() {
		select {
		case <-c.session.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	c.s.searching.Go(func() {
		defer close(s.done)
		defer stop()
		defer cancel()
		err := c.s.contained("a search", func() error { return run(job, report) })
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() == nil { // else somebody stopped it, which is no fault
			s.err = err
		}
	})
	return s
}

// join returns the search with this key, or the one that begin makes.
func (all *searches) join(key string, again bool, begin func() *search) *search {
	all.mu.Lock()
	defer all.mu.Unlock()
	now := time.Now()
	for k, s := range all.all {
		if s.over() && now.Sub(s.looked(false)) > searchKept {
			delete(all.all, k)
		}
	}
	if s := all.all[key]; s != nil && (!s.over() || again || !s.seen()) {
		s.looked(true)
		return s
	}
	for len(all.all) >= maxSearches {
		oldest := ""
		for k, s := range all.all {
			if oldest == "" || s.looked(false).Before(all.all[oldest].looked(false)) {
				oldest = k
			}
		}
		all.all[oldest].end()
		delete(all.all, oldest)
	}
	if all.all == nil {
		all.all = map[string]*search{}
	}
	s := begin()
	all.all[key] = s
	return s
}

func (s *search) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// looked returns when somebody looked at it last; now notes that somebody does.
func (s *search) looked(now bool) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now {
		s.asked = time.Now()
	}
	return s.asked
}

// seen reports whether a page had its end.
func (s *search) seen() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.shown }

// now returns what it found so far, and how far it is; nil when that is its end.
func (s *search) now(what string) (result any, under *searching, err error) {
	over := s.over()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !over {
		under = &searching{s.far, what, s.key}
	}
	s.shown = s.shown || over
	return s.result, under, s.err
}

// under returns how far the search with this key is, nil when none is under way.
func (all *searches) under(key, what string) *searching {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.all[key]
	if s == nil || s.over() {
		return nil
	}
	s.looked(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	return &searching{s.far, what, s.key}
}

// ended returns what the search with this key has found, which has ended; nil when there is none.
func (all *searches) ended(key string) any {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.all[key]
	if s == nil || !s.over() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result
}

// stop ends the search with this key, and waits for that.
func (all *searches) stop(ctx context.Context, key string) {
	all.mu.Lock()
	s := all.all[key]
	all.mu.Unlock()
	if s == nil {
		return
	}
	s.end()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// stopSearch ends a search, and shows what it has found.
func (s *Server) stopSearch(c *call) error {
	c.session.searches.stop(c.ctx(), c.input("key"))
	return c.to(cmp.Or(c.input("back"), Root))
}

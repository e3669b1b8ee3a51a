// Package liveness notices that connections may be dead although nobody said so: the machine was
// asleep, or its addresses changed.
package liveness

import (
	"context"
	"net"
	"slices"
	"time"
)

// Interval is how often to look.
const Interval = 5 * time.Second

// tolerance is by how much a look may be late, or the clock be set, without a reason to doubt.
const tolerance = 5 * time.Second

// Look is what the machine looked like at one moment.
type Look struct {
	Wall  time.Time     // by the calendar
	Mono  time.Duration // by a clock that stands still, or runs on, while the machine sleeps
	Addrs []string      // sorted; nil if they could not be read
}

// Taker returns a function that takes looks at this machine. Loopback and link-local addresses are
// left out: they say nothing about the way out.
func Taker() func() Look {
	start := time.Now()
	return func() Look {
		now := time.Now()
		return Look{Wall: now.Round(0), Mono: now.Sub(start), Addrs: addresses()}
	}
}

func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	out := []string{}
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			out = append(out, n.String())
		}
	}
	slices.Sort(out)
	return out
}

// Suspicion says why connections may be dead, and since when.
type Suspicion struct {
	Reason string
	Since  time.Time // they were not in doubt then
}

// Compare returns what the later of two looks, taken Interval apart, says about connections that
// stood at the earlier one; false if nothing.
func Compare(before, after Look) (Suspicion, bool) {
	wall, mono := after.Wall.Sub(before.Wall), after.Mono-before.Mono
	switch {
	case wall-mono > tolerance || mono > Interval+tolerance:
		return Suspicion{"this machine was asleep", before.Wall}, true
	case before.Addrs != nil && after.Addrs != nil && !slices.Equal(before.Addrs, after.Addrs):
		return Suspicion{"the network changed", before.Wall}, true
	}
	return Suspicion{}, false
}

// Run takes a look every Interval until ctx ends, and tells what it finds suspicious. suspect must
// not block for long.
func Run(ctx context.Context, take func() Look, suspect func(Suspicion)) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	last := take()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := take()
		if s, ok := Compare(last, now); ok {
			suspect(s)
		}
		if now.Addrs == nil {
			now.Addrs = last.Addrs
		}
		last = now
	}
}

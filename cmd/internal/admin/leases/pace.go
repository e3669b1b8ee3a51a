package leases

import (
	"sync"
	"time"
)

const (
	// HostChallenges is how many endpoints of one host are asked a minute whether they want events,
	// allChallenges how many at all: more would let a client look through networks.
	HostChallenges = 5
	allChallenges  = 30
	pacePeriod     = time.Minute
)

// Pace bounds how often endpoints are asked. The zero value is ready. Safe for concurrent use.
type Pace struct {
	mu    sync.Mutex
	asked []challenge // of the last minute, oldest first
}

type challenge struct {
	host string
	at   time.Time
}

// Take notes that an endpoint of a host is asked now. It returns how long to wait instead where
// that would be too often.
func (p *Pace) Take(host string, now time.Time) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	over := 0
	for over < len(p.asked) && now.Sub(p.asked[over].at) >= pacePeriod {
		over++
	}
	p.asked = p.asked[over:]
	if len(p.asked) >= allChallenges {
		return pacePeriod - now.Sub(p.asked[0].at), false
	}
	n, first := 0, time.Time{}
	for _, c := range p.asked {
		if c.host != host {
			continue
		}
		if n++; n == 1 {
			first = c.at
		}
	}
	if n >= HostChallenges {
		return pacePeriod - now.Sub(first), false
	}
	p.asked = append(p.asked, challenge{host, now})
	return 0, true
}

// Package garbage bounds what the collector lets lie about in memory.
package garbage

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// Budget is how much garbage there may be, in bytes, while what lives is more than that. It is
	// what the collector allows a heap of 16 MiB anyway, so a service that is not loaded pays
	// nothing for it.
	Budget = 16 << 20
	// usual is the collector's own rule: as much garbage as there is that lives.
	usual = 100
	// least bounds what collecting costs when very much lives: a quarter of it may be garbage.
	least = 25
	// step is how far, in points, the percentage must be off to be set: that stops the world for
	// some microseconds.
	step = 5
)

// Bound lets garbage grow to Budget instead of to as much as lives, and to a quarter of what lives
// if that is more, until release is called. It looks after each collection, in the runtime's own
// goroutine, and costs nothing between them. A limit of the whole heap would not do: when more
// lives than it allows, the collector never rests. Somebody who has set GOGC or GOMEMLIMIT knows
// better, and nothing is changed.
func Bound(getenv func(string) string) (release func()) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	b := &bound{percent: usual}
	b.watch()
	return b.release
}

// bound is one Bound at work.
type bound struct {
	mu       sync.Mutex
	percent  int // in force
	released bool
}

// cycle is unreachable from its making, so the next collection finds it. It is too large to share
// its memory with others.
type cycle struct{ _ [64]byte }

// watch calls adjust after the next collection.
func (b *bound) watch() { runtime.AddCleanup(&cycle{}, (*bound).adjust, b) }

// adjust sets the percentage by what the last collection found alive.
func (b *bound) adjust() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.released {
		return
	}
	if want := percentFor(live()); want-b.percent >= step || b.percent-want >= step || want != b.percent && want == usual {
		b.percent = want
		debug.SetGCPercent(want)
	}
	b.watch()
}

func (b *bound) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.released {
		b.released = true
		debug.SetGCPercent(usual)
	}
}

// live returns how much the last collection found alive on the heap, in bytes.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// percentFor returns how much garbage there may be, as a percentage of what lives.
func percentFor(live uint64) int {
	if live == 0 {
		return usual
	}
	return int(min(usual, max(least, Budget*100/live)))
}
